"""Files of a recipe, compared with those of Ollama's parser in real folders."""

from pathlib import Path

import pytest

from modelfile import InputError, create_request, parse


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("m.gguf", "~x", "mixed/a.gguf", "mixed/sub/model.safetensors", "deep/model.safetensors"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_bytes(b"GGUF\3\0\0\0")
    (tmp_path / "deep" / "sub").mkdir()
    (tmp_path / "deep" / "sub" / "model-2.safetensors").write_bytes(b"GGUF\3\0\0\0")
    (tmp_path / "deep" / "config.json").write_text("{}")
    return tmp_path


@pytest.mark.parametrize(
    ("written", "files"),
    [
        ("m.gguf", ["m.gguf"]),
        ("no/../m.gguf", ["m.gguf"]),
        ("./~x", ["~x"]),
        ("mixed", ["a.gguf"]),
        ("deep", ["config.json", "model.safetensors", "sub/model-2.safetensors"]),
    ],
)
def test_path_resolves_to_its_files(folder: Path, written: str, files: list[str]) -> None:
    assert sorted(create_request(parse(f"FROM {written}"), folder)["files"]) == files


def test_draft_may_be_in_the_folder_of_the_model(folder: Path) -> None:
    assert create_request(parse("FROM mixed\nDRAFT mixed/a.gguf"), folder)["draft_files"].keys() == {"a.gguf"}


@pytest.mark.parametrize("text", ["FROM m.gguf\nDRAFT ./m.gguf", "DRAFT m.gguf\nFROM mixed/../m.gguf"])
def test_draft_is_not_the_file_of_the_model(folder: Path, text: str) -> None:
    with pytest.raises(InputError, match="DRAFT must not be the same file as FROM"):
        create_request(parse(text), folder)
