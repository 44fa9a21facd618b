"""The rules on the lock, on registries and on paths outside the project."""

import os
from pathlib import Path

import pytest
from tests.support.cli import mf

from modelfile import lint as lint_text
from modelfile.linter.engine import lint
from modelfile.linter.rule import Context
from modelfile.lockfile.drift import text_digest
from modelfile.lockfile.lock import Lock, Pin
from modelfile.source import Source
from modelfile.syntax.modelfile import Modelfile

WEIGHTS = b"GGUF\3\0\0\0" + bytes(16)
"""A GGUF file without metadata and tensors."""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "project"
    (root / ".git").mkdir(parents=True)
    (tmp_path / "outside.gguf").write_bytes(WEIGHTS)
    monkeypatch.chdir(root)
    return root


def found(*arguments: str) -> list[str]:
    ran = mf("lint", "--format", "concise", "--ignore", "missing-purpose", *arguments)
    return [line.split()[2] for line in ran.out.splitlines()]


def lock(project: Path, **texts: str) -> None:
    digests = {path: text_digest(Modelfile.parse(Source(text=text))) for path, text in texts.items()}
    pins = {path: Pin(text=digest, fingerprint=f"mf1:{'0' * 64}") for path, digest in digests.items()}
    (project / "mf.lock").write_text(Lock(modelfiles=pins).dumps())


def test_lock_must_list_the_modelfile_with_its_current_text(project: Path) -> None:
    (project / "Modelfile").write_text("FROM x:y\n")
    assert found() == []
    lock(project)
    assert found() == ["MF202"]
    lock(project, Modelfile="FROM x:y\nSYSTEM hi\n")
    assert found() == ["MF203"]
    lock(project, Modelfile="FROM x:y\r\n")
    assert found() == []


@pytest.mark.parametrize(
    ("key", "pin"),
    [("Modelfile", '{"text": 1, "base": []}'), ("Modelfile", '{"text": "", "fingerprint": "mf1:zz"}'), ("other", "{}")],
)
def test_damaged_lock_is_an_error_and_not_a_stale_one(project: Path, key: str, pin: str) -> None:
    (project / "Modelfile").write_text("FROM x:y\n")
    (project / "mf.lock").write_text(f'{{"version": "1.0", "modelfiles": {{"{key}": {pin}}}}}')
    ran = mf("lint")
    assert (ran.code, ran.out) == (3, "")
    assert f"mf.lock` is damaged: `modelfiles.{key}.text` " in ran.err
    assert mf("lint", "--exit-zero").code == 3


@pytest.mark.parametrize("make", ["folder", "dangling", "loop", "pipe", "empty", "conflict"])
def test_lock_that_cannot_be_read_is_not_a_missing_one(project: Path, make: str) -> None:
    lock = project / "mf.lock"
    (project / "Modelfile").write_text("FROM x:y\n")
    match make:
        case "folder":
            lock.mkdir()
        case "dangling":
            lock.symlink_to("gone")
        case "loop":
            lock.symlink_to("mf.lock")
        case "pipe":
            os.mkfifo(lock)
        case _:
            lock.write_text("<<<<<<< HEAD\n" * (make == "conflict"))
    assert mf("lint").code == 3
    assert "mf.lock`" in mf("lint").err


def test_symlink_out_of_the_project_has_no_lock(project: Path, tmp_path: Path) -> None:
    (tmp_path / "Modelfile").write_text("FROM x:y\n")
    (project / "Modelfile").symlink_to(tmp_path / "Modelfile")
    lock(project)
    assert found("Modelfile") == []


@pytest.mark.parametrize(
    ("base", "allowed", "reported"),
    [
        ("x:y", None, False),
        ("x:y", ("registry.ollama.ai",), False),
        ("Registry.Ollama.AI/library/x:y", ("registry.ollama.ai",), False),
        ("x:y", (), True),
        ("x:y", ("hf.co",), True),
        ("huggingface.co/a/b:Q4_K_M", ("hf.co",), False),
        ("hf.co/a/b:Q4_K_M", ("HuggingFace.co",), False),
        ("models.example.com:5000/a/b:1", ("models.example.com",), True),
        ("http://localhost:5000/a/b:1", ("localhost:5000",), False),
        ("./x.gguf", (), False),
    ],
)
def test_only_allowed_registries_pass(base: str, allowed: tuple[str, ...] | None, *, reported: bool) -> None:
    modelfile = Modelfile.parse(Source(text=f"# For tests.\nFROM {base}\n"))
    diagnostics = lint(Context(modelfile=modelfile, registries=allowed))
    assert [item.name for item in diagnostics] == ["disallowed-registry"] * reported


@pytest.mark.parametrize("host", ["https://hf.co", "hf.co/bartowski", ""])
def test_registry_setting_must_be_a_host(project: Path, host: str) -> None:
    (project / "mf.toml").write_text(f"registries = [{host!r}]\n")
    (project / "Modelfile").write_text("FROM x:y\n")
    ran = mf("lint")
    assert ran.code == 2
    assert 'help: write a list of hosts, as in ["registry.ollama.ai", "hf.co"]' in ran.err


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("../outside.gguf", ["MF209"]),
        ("./missing/../../outside.gguf", ["MF209"]),
        ("./inside.gguf", []),
        ("./bot/../inside.gguf", []),
        ("../project/inside.gguf", []),
        ("./linked.gguf", ["MF702"]),
        ("./linked/outside.gguf", ["MF702"]),
        ("./near.gguf", []),
        ("./weights", ["MF601"]),
        ("./own", []),
        ("{outside}", ["MF208"]),
    ],
)
def test_paths_outside_the_project_are_reported(project: Path, tmp_path: Path, written: str, code: list[str]) -> None:
    (project / "inside.gguf").write_bytes(WEIGHTS)
    (project / "linked.gguf").symlink_to(tmp_path / "outside.gguf")
    (project / "linked").symlink_to(tmp_path)
    (project / "near.gguf").symlink_to("inside.gguf")
    (project / "weights").mkdir()
    (project / "weights" / "model.gguf").symlink_to(project / "inside.gguf")  # in the project, but outside the folder
    (project / "own").mkdir()
    (project / "own" / "model.gguf").write_bytes(WEIGHTS)
    (project / "own" / "README.md").symlink_to(tmp_path / "outside.gguf")  # not sent
    (project / "Modelfile").write_text(f"FROM {written.format(outside=tmp_path / 'outside.gguf')}\n")
    assert found("Modelfile") == code


def test_without_a_repository_the_project_is_the_folder_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "outside.gguf").write_bytes(WEIGHTS)
    (tmp_path / "project" / "Modelfile").write_text("# For tests.\nFROM ../outside.gguf\n")
    assert mf("lint", cwd=tmp_path / "project").out == ""
    (tmp_path / "project" / "mf.toml").touch()
    assert "MF209" in mf("lint", cwd=tmp_path / "project").out
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "Modelfile").write_text("# For tests.\nFROM ../outside.gguf\n")
    assert mf("lint", "../other", cwd=tmp_path / "project").out == ""


@pytest.mark.parametrize(
    ("base", "help_"),
    [
        ("llama3.2", "pin a tag, for example `llama3.2:3b`, or run `mf pin`"),
        ("Gemma3:latest", "pin a tag, for example `Gemma3:4b`, or run `mf pin`"),
        ("glm-ocr", "pin a tag from https://ollama.com/library/glm-ocr/tags, or run `mf pin`"),
        ("billing-bot", "pin a tag, or run `mf pin`"),
        ("anna/llama3.2", "pin a tag, or run `mf pin`"),
        ("hf.co/a/b-GGUF", "pin a quantization, for example `hf.co/a/b-GGUF:Q4_K_M`, or run `mf pin`"),
    ],
)
def test_help_names_a_tag_of_the_library(base: str, help_: str) -> None:
    found = lint(Context(modelfile=Modelfile.parse(Source(text=f"FROM {base}\n"))))
    assert [one.hint for one in found if one.code in {"MF201", "MF212"}] == [help_]


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("qwen2.5:14b AS base", "FROM has no AS, as Dockerfiles have: write `FROM qwen2.5:14b`"),
        ("x:y PARAMETER temperature 0.5", "PARAMETER needs a line of its own: write `FROM x:y`"),
    ],
)
def test_more_than_a_name_in_from_is_explained(written: str, hint: str) -> None:
    (only,) = (one for one in lint_text(f"FROM {written}\n") if one.code == "MF205")
    assert only.hint == hint


def test_words_of_a_title_are_not_called_names_of_bases() -> None:
    (only,) = (one for one in lint_text("FROM Qwen 2.5 Coder 14B\n") if one.code == "MF205")
    assert "one base" not in (only.hint or "")


def test_instruction_model_of_a_modelfile_is_from() -> None:
    (only,) = (
        one for one in lint_text("MODEL llama3.2:3b\nMESSAGE user a\nMESSAGE assistant b\n") if one.code == "MF102"
    )
    assert (only.message, only.hint) == ("unknown instruction `MODEL`", "did you mean FROM?")
