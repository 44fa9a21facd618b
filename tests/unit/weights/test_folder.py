"""Which files of a folder are sent, as Ollama's own code has it.

tests/data/vectors/folders.jsonl holds what `filesForModel` and `fileDigestMap` of several releases, compiled with Go,
said of random folders (`null`: refused).
"""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.paths import VECTORS

from modelfile.catalog.versions import Version
from modelfile.errors import InputError
from modelfile.recipe.recipe import Recipe
from modelfile.weights.folder import files_in

CONTENTS = {
    "binary": b"\x08\0\0\0bin",
    "zip": b"PK\x03\x04zip",
    "pointer": b"version https://git-lfs",
    "text": b"{}",
    "empty": b"",
    "page": b"<!DOCTYPE html> x",
    "marked": b"\xff\xfe{\0}\0",
    "bitmap": b"BM\0",
}


def plant(folder: Path, tree: dict[str, str]) -> Path:
    for name, content in tree.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content.startswith("-> "):
            path.symlink_to(content.removeprefix("-> "))
        elif content == "folder":
            path.mkdir()
        else:
            path.write_bytes(CONTENTS[content])
    return folder


ROWS = (VECTORS / "folders.jsonl").read_text().splitlines()


@pytest.mark.parametrize("row", [json.loads(row) for row in ROWS], ids=range(1, len(ROWS) + 1))
def test_as_ollama(row: dict[str, Any], tmp_path: Path) -> None:
    plant(tmp_path / "out", {"f.json": "text"})
    folder = plant(tmp_path / "m", row["tree"])
    for answer in row["files"]:
        for version in map(Version.parse, answer["versions"]):
            if answer["files"] is None:
                with pytest.raises(InputError):
                    files_in(folder, version)
            else:
                found = files_in(folder, version)
                assert sorted(path.relative_to(folder).as_posix() for path in found) == answer["files"], version


def test_a_folder_without_weights_says_what_was_looked_for(tmp_path: Path) -> None:
    folder = plant(tmp_path / "lora", {"adapter_model.safetensors": "binary", "adapter_config.json": "text"})
    assert len(files_in(folder, Version(0, 9, 3))) == 2
    with pytest.raises(InputError, match="holds no weights") as raised:
        files_in(folder)
    assert raised.value.hint is not None
    assert "looks for model*.safetensors, consolidated*.safetensors" in raised.value.hint
    assert "not for adapter_model.safetensors" in raised.value.hint


def test_a_link_out_of_the_folder_is_refused_and_a_link_to_the_folder_is_not(tmp_path: Path) -> None:
    real = plant(tmp_path / "real", {"model.safetensors": "binary", "secret.json": "text"})
    (tmp_path / "link").symlink_to(real)
    assert files_in(tmp_path / "link") == files_in(real)
    folder = plant(tmp_path / "m", {"model.safetensors": "binary", "x.json": "-> ../real/secret.json"})
    with pytest.raises(InputError, match=r"secret.json` is outside of `.*/m`, which a link leads to it from"):
        files_in(folder)


@pytest.mark.parametrize(
    ("version", "names"),
    [
        (Version(0, 9, 3), ["1_Pooling/config.json", "config.json", "model.safetensors", "tokenizer.model"]),
        (Version(0, 29, 0), ["1_Pooling/config.json", "config.json", "model.safetensors", "tokenizer.model"]),
        (Version(0, 30, 0), ["1_Pooling/config.json", "config.json", "model.safetensors", "original/tokenizer.model"]),
    ],
)
def test_names_in_the_request(version: Version, names: list[str], tmp_path: Path) -> None:
    tree = dict.fromkeys(names[:2], "text") | {"model.safetensors": "binary", "original/tokenizer.model": "text"}
    files = files_in(plant(tmp_path, tree), version)
    request = Recipe(files=files).request({path: str(path) for path in files}, version)
    assert sorted(request["files"]) == names
    assert request["files"]["config.json"] == str(tmp_path / "config.json")
