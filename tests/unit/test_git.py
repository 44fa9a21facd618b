"""Repositories, and files that git tracks or does not ignore."""

import subprocess
from pathlib import Path

import pytest

from modelfile.git import find_repository, list_files


def test_tracked_and_new_files_but_not_ignored_ones(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    for name in ("tracked", "new é", "ignored"):
        (tmp_path / name).touch()
    (tmp_path / ".gitignore").write_text("ignored\n")
    subprocess.run(["git", "-C", tmp_path, "add", "tracked"], check=True)
    assert {*(list_files(tmp_path) or ())} == {tmp_path / name for name in (".gitignore", "tracked", "new é")}


def test_none_outside_of_a_repository_or_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list_files(tmp_path) is None
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    monkeypatch.setenv("PATH", "/nowhere")
    assert list_files(tmp_path) is None


def test_the_root_of_a_repository(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    assert find_repository(tmp_path / "a") is None
    (tmp_path / "a" / ".git").mkdir()
    assert find_repository(tmp_path / "a" / "b") == find_repository(tmp_path / "a") == tmp_path / "a"
