"""The files that Ollama takes from a folder of weights.

tests/data/vectors/folders.jsonl has the answers of `filesForModel` and `fileDigestMap` of several releases, compiled
with Go, for random folders (`null`: rejected).
"""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.paths import VECTORS

from modelfile.catalog.versions import Version
from modelfile.errors import InputError
from modelfile.recipe.recipe import Recipe
from modelfile.stores.ollama.wire import create_request
from modelfile.weights.folder import resolve_folder

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
def test_folder_has_the_same_files_as_in_ollama(row: dict[str, Any], tmp_path: Path) -> None:
    plant(tmp_path / "out", {"f.json": "text"})
    folder = plant(tmp_path / "m", row["tree"])
    for answer in row["files"]:
        for version in map(Version.parse, answer["versions"]):
            if answer["files"] is None:
                with pytest.raises(InputError):
                    resolve_folder(folder, version)
            else:
                found = resolve_folder(folder, version)
                assert sorted(path.relative_to(folder).as_posix() for path in found) == answer["files"], version


def test_error_without_weights_names_the_patterns(tmp_path: Path) -> None:
    folder = plant(tmp_path / "lora", {"adapter_model.safetensors": "binary", "adapter_config.json": "text"})
    assert len(resolve_folder(folder, Version(0, 9, 3))) == 2
    with pytest.raises(InputError, match="no weights in the folder") as raised:
        resolve_folder(folder)
    assert raised.value.hint is not None
    assert "looks for model*.safetensors, consolidated*.safetensors" in raised.value.hint
    assert raised.value.hint.endswith(
        "and ignores `adapter_model.safetensors` (not since 0.12.11: rename it, as in `model.safetensors`)"
    )


@pytest.mark.parametrize(
    ("name", "content", "version", "reason"),
    [
        ("adapter.safetensors", "binary", "0.32.0", "not since 0.12.11: rename it, as in `model.safetensors`"),
        ("adapter.safetensors", "binary", "0.6.4", "only since 0.6.5"),
        ("adapter.safetensors", "text", "0.9.3", "its content is text/plain, not application/octet-stream"),
        ("weights.bin", "text", "0.32.0", "its content is text/plain, not application/octet-stream"),
        ("weights.pt", "binary", "0.32.0", "its name fits none of them"),
        ("MODEL.GGUF", "binary", "0.32.0", "its name fits none of them"),
    ],
)
def test_error_without_weights_says_why_each_file_is_ignored(
    tmp_path: Path, name: str, content: str, version: str, reason: str
) -> None:
    folder = plant(tmp_path / "m", {name: content, "config.json": "text"})
    with pytest.raises(InputError) as raised:
        resolve_folder(folder, Version.parse(version))
    assert (raised.value.hint or "").endswith(f"and ignores `{name}` ({reason})")


def test_error_without_weights_names_pointers_and_their_neighbors(tmp_path: Path) -> None:
    folder = plant(tmp_path / "m", {"b.gguf": "binary"})
    (folder / "a.gguf").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(InputError) as raised:
        resolve_folder(folder)
    assert (raised.value.hint or "").endswith(
        "and ignores `a.gguf` (a git-lfs pointer: run `git lfs pull`), "
        "`b.gguf` (other files of that pattern are no weights)"
    )
    for number in range(20):
        (folder / f"{number:02}.pt").write_bytes(b"\0")
    with pytest.raises(InputError, match="no weights") as raised:
        resolve_folder(folder)
    assert (raised.value.hint or "").endswith("`09.pt` (its name fits none of them) and 12 more")


def test_symlink_out_of_the_folder_is_rejected_and_symlink_to_the_folder_is_accepted(tmp_path: Path) -> None:
    real = plant(tmp_path / "real", {"model.safetensors": "binary", "secret.json": "text"})
    (tmp_path / "link").symlink_to(real)
    assert resolve_folder(tmp_path / "link") == resolve_folder(real)
    folder = plant(tmp_path / "m", {"model.safetensors": "binary", "x.json": "-> ../real/secret.json"})
    with pytest.raises(InputError, match=r"symlink in `.*/m` points outside it: `.*secret.json`"):
        resolve_folder(folder)


@pytest.mark.parametrize(
    ("version", "names"),
    [
        (Version(0, 9, 3), ["1_Pooling/config.json", "config.json", "model.safetensors", "tokenizer.model"]),
        (Version(0, 29, 0), ["1_Pooling/config.json", "config.json", "model.safetensors", "tokenizer.model"]),
        (Version(0, 30, 0), ["1_Pooling/config.json", "config.json", "model.safetensors", "original/tokenizer.model"]),
    ],
)
def test_request_names_files_as_in_ollama(version: Version, names: list[str], tmp_path: Path) -> None:
    tree = dict.fromkeys(names[:2], "text") | {"model.safetensors": "binary", "original/tokenizer.model": "text"}
    files = resolve_folder(plant(tmp_path, tree), version)
    request = create_request(Recipe(files=files), {path: str(path) for path in files}, version)
    assert sorted(request["files"]) == names
    assert request["files"]["config.json"] == str(tmp_path / "config.json")
