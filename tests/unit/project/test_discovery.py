"""Discovery of Modelfiles, and reading them."""

import io
import subprocess
from pathlib import Path

import pytest

from modelfile.errors import InputError
from modelfile.project.discovery import LOCK_FILE, find_lock, find_modelfiles, read_source

FILES = ("Modelfile", "b/Modelfile.bot", "b/bot.Modelfile", "c/x.modelfile", "ignored/Modelfile", "Modelfile-notes.md")


def find(paths: list[str], excluded: str = "none") -> list[str]:
    return find_modelfiles(paths, lambda path: path.match(excluded))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("FROM x:y\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_modelfiles_that_git_does_not_ignore(folder: Path) -> None:
    subprocess.run(["git", "init", "-q"], check=True)
    (folder / ".gitignore").write_text("ignored/\n")
    assert find(["."]) == [*FILES[:4]]
    assert find(["ignored/Modelfile"]) == ["ignored/Modelfile"]


def test_hidden_folders_are_skipped_outside_of_a_repository(folder: Path) -> None:
    for name in (".hidden", "node_modules"):
        (folder / name).mkdir()
        (folder / name / "Modelfile").touch()
    assert find(["."]) == sorted(FILES[:5])


def test_a_file_that_is_found_twice_is_listed_once(folder: Path) -> None:
    (folder / "link").symlink_to("b/bot.Modelfile")
    assert find(["b/bot.Modelfile", "link", "b", "-", "-"]) == ["b/bot.Modelfile", "b/Modelfile.bot", "-"]


@pytest.mark.usefixtures("folder")
def test_excluded_files_are_skipped_unless_they_are_named() -> None:
    assert find(["b"], "*.bot") == ["b/bot.Modelfile"]
    assert find(["b/bot.Modelfile"], "b/*") == ["b/bot.Modelfile"]
    with pytest.raises(InputError, match="`b`"):
        find(["b"], "b/*")


def test_a_folder_without_modelfiles_is_an_error(folder: Path) -> None:
    (folder / "empty").mkdir()
    with pytest.raises(InputError, match="`empty`"):
        find(["empty"])


def test_binary_files_folders_and_missing_files_are_errors(folder: Path) -> None:
    (folder / "w.gguf").write_bytes(b"GGUF\0\0")
    for path in ("w.gguf", "b", "missing"):
        with pytest.raises(InputError, match=f"`{path}`"):
            read_source(path, io.BytesIO())


def test_standard_input_and_utf_16_are_texts() -> None:
    assert read_source("-", io.BytesIO("FROM é".encode("utf-16"))).text == "FROM é"


def test_a_lock_is_looked_for_up_to_the_root_of_the_repository(tmp_path: Path) -> None:
    inner = tmp_path / "repository" / "bot"
    inner.mkdir(parents=True)
    (tmp_path / "repository" / ".git").mkdir()
    (tmp_path / LOCK_FILE).touch()
    assert find_lock(inner) is None
    (tmp_path / "repository" / LOCK_FILE).touch()
    assert find_lock(inner) == tmp_path / "repository" / LOCK_FILE
