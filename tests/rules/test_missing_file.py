"""The severity of a missing file, and what is probably intended instead of it."""

import difflib
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.support.cli import mf
from tests.support.operations import GROWTH, growth

OTHERS = ("m.gguf", "llama-Q4_K_M.gguf", "lora/adapter.safetensors")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in OTHERS:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"GGUF\3\0\0\0" + bytes(16))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(line: str) -> list[str]:
    Path("Modelfile").write_text(f"FROM llama3.2:3b\n{line}\n")
    ran = mf("lint", "--format", "json", "--select", "missing-file,absolute-path,inline-comment")
    return [
        f"{one['severity']} {one['name']}: {one['message']} = {one['help']}" for one in json.loads(ran.out)["findings"]
    ]


RELATIVE = "file not found: `./other/x.gguf` = paths are relative to the Modelfile's folder"


def test_missing_file_is_an_error_in_a_repository_and_a_warning_outside(folder: Path) -> None:
    assert found("ADAPTER ./other/x.gguf") == [f"warning missing-file: {RELATIVE}"]
    (folder / ".git").mkdir()
    assert found("ADAPTER ./other/x.gguf") == [f"error missing-file: {RELATIVE}"]


@pytest.mark.parametrize("pattern", ["*.gguf", "other/", "/other", "x.*\n!m.gguf"])
def test_file_that_git_ignores_is_a_note(folder: Path, pattern: str) -> None:
    (folder / ".git").mkdir()
    (folder / ".gitignore").write_text(f"{pattern}\n")
    (note,) = found("FROM ./other/x.gguf")
    assert note.startswith("info missing-file: file not found: `./other/x.gguf`; git ignores it, so no checkout has it")


def test_folder_whose_weights_git_ignores_is_a_note(folder: Path) -> None:
    (folder / ".git").mkdir()
    (folder / "empty").mkdir()
    assert found("FROM ./empty")[0].startswith("error missing-file: no weights in `./empty`")
    (folder / ".gitignore").write_text("*.gguf\n")
    assert found("FROM ./empty")[0].startswith("info missing-file: no weights in `./empty`")


@pytest.mark.parametrize(
    "path",
    [
        "/path/to/model.gguf",
        "./path/to/your/weights.gguf",
        "/absolute/path/to/llama.gguf",
        "./your-model.gguf",
        "/Users/your_username/models/your_model.gguf",
        "./<name of the model>.gguf",
        "path_to_weights.gguf",
    ],
)
def test_placeholder_is_a_note(folder: Path, path: str) -> None:
    (folder / ".git").mkdir()
    assert found(f"FROM {path}") == [
        f"info missing-file: file not found: `{path}`, a placeholder = write the path of your own file"
    ]


@pytest.mark.parametrize("path", ["./yourself.gguf", "./pathology.gguf", "./to.gguf", "./for-your-eyes.gguf"])
@pytest.mark.usefixtures("folder")
def test_other_words_are_no_placeholders(path: str) -> None:
    assert found(f"FROM {path}")[0].startswith("warning missing-file: ")


@pytest.mark.parametrize(
    ("written", "intended"),
    [
        ("./m.GGUF", "./m.gguf"),
        ("./m.ggfu", "./m.gguf"),
        (r".\m.gguf", "./m.gguf"),
        ("llama-q4_k_m.gguf", "llama-Q4_K_M.gguf"),
        ("./lora/adaptor.safetensors", "./lora/adapter.safetensors"),
        ("./lorra/adapter.safetensors", None),
    ],
)
def test_similar_file_is_suggested(folder: Path, written: str, intended: str | None) -> None:
    (only,) = found(f"FROM {written}")
    severity, help_ = ("error", f"did you mean `{intended}`?") if intended else ("warning", "paths are relative")
    assert only.startswith(f"{severity} missing-file: file not found: `{written}` = {help_}")
    if intended:
        mf("lint", "--fix", "--unsafe-fixes")
        assert (folder / "Modelfile").read_text() == f"FROM llama3.2:3b\nFROM {intended}\n"


@pytest.mark.parametrize(
    ("name", "start"), [("m.gguf", "warning absolute-path: "), ("other.bin", "warning missing-file: file not found: ")]
)
def test_absolute_path_is_one_finding(folder: Path, name: str, start: str) -> None:
    (only,) = found(f"FROM {folder / name}")
    assert only.startswith(start)
    assert "works on one machine only" in only


@pytest.mark.usefixtures("folder")
def test_comment_after_a_path_is_one_finding() -> None:
    (only,) = found("ADAPTER ./other/x.gguf # for locks")
    assert only.startswith("error inline-comment: ")


def test_build_needs_a_file_that_git_ignores(folder: Path) -> None:
    (folder / ".git").mkdir()
    (folder / ".gitignore").write_text("*.gguf\n")
    (folder / "Modelfile").write_text("FROM ./other/x.gguf\n")
    ran = mf("build", "bot:v1", "--dry-run")
    assert ran.code != 0
    assert "error MF207 missing-file: file not found: `./other/x.gguf`" in ran.err


def test_many_missing_files_are_compared_with_few_names(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / ".git").mkdir()
    (folder / ".gitignore").write_text("*.bin\n")
    compare, compared = difflib.get_close_matches, list[str]()

    def count_words(word: str, *rest: Any, **options: Any) -> list[str]:
        compared.append(word)
        return compare(word, *rest, **options)

    def lint(number: int) -> None:
        lines = (f"ADAPTER ./{index}.gguf\n" for index in range(number))
        (folder / "Modelfile").write_text("".join(lines))
        ran = mf("lint", "--format", "concise", "--select", "missing-file")
        assert ran.out.count(": error MF207 file not found: ") == number

    monkeypatch.setattr(difflib, "get_close_matches", count_words)
    lint(5_000)
    assert 0 < len(compared) <= 500
    assert growth(lambda number: partial(lint, number), 50) <= GROWTH


def test_url_of_an_adapter_is_not_called_a_path(folder: Path) -> None:
    (folder / ".git").mkdir()
    problem = "error missing-file: ADAPTER cannot name a URL: `https://example.com/a/lora.gguf?download=true`"
    hint = "Ollama downloads no URL: download the file, and write `ADAPTER ./lora.gguf`"
    assert found("ADAPTER https://example.com/a/lora.gguf?download=true") == [f"{problem} = {hint}"]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("variable", ["${MODEL_DIR}", "$HOME", "%USERPROFILE%"])
def test_variable_in_a_path_is_named(variable: str) -> None:
    (only,) = found(f"FROM {variable}/x.gguf")
    assert only.startswith(f"warning missing-file: `{variable}` in FROM is not expanded: file not found: ")


@pytest.mark.usefixtures("folder")
def test_adapter_takes_no_name_of_a_model() -> None:
    (only,) = found("ADAPTER acme/cobol-lora:latest")
    assert only.startswith(
        "warning missing-file: ADAPTER takes a local file, not a model's name: `acme/cobol-lora:latest`"
    )
    (only,) = found("ADAPTER acme/cobol-lora")
    assert only.startswith("warning missing-file: file not found: `acme/cobol-lora`")
