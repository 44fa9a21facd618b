"""Commits and the files that they have."""

import os
import subprocess
from pathlib import Path

import pytest
from tests.support.repository import git

from modelfile.errors import InputError
from modelfile.revisions import commit_of, common_ancestor, find_commit


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository with two commits on main, and one on a branch from the first."""
    folder = tmp_path / "repository"
    subprocess.run(["git", "init", "-q", "-b", "main", folder], check=True)
    write(folder, {"Modelfile": b"FROM a:b\n", "bot/Modelfile": b"FROM a:b\n", "é \t\n.Modelfile": b"\xff\0"})
    git(folder, "checkout", "-q", "-b", "side")
    write(folder, {"Modelfile": b"FROM a:c\n"})
    git(folder, "checkout", "-q", "main")
    write(folder, {"mf.lock": b"{}"})
    return folder


def write(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "x")


def test_the_files_of_a_commit(repository: Path) -> None:
    (repository / "link").symlink_to("Modelfile")
    write(repository, {"empty": b""})
    commit = commit_of(repository, "HEAD")
    assert [*commit.files] == sorted(["Modelfile", "bot/Modelfile", "empty", "mf.lock", "é \t\n.Modelfile"])
    names = ["Modelfile", "bot/Modelfile", "empty", "é \t\n.Modelfile"]
    assert [*commit.read(names).values()] == [b"FROM a:b\n", b"FROM a:b\n", b"", b"\xff\0"]
    assert commit.read([]) == {}


def test_revisions_are_those_of_git(repository: Path) -> None:
    head = git(repository, "rev-parse", "HEAD")
    git(repository, "tag", "-a", "v1", "-m", "x")
    for revision in ("HEAD", "main", "v1", "@", head, head[:8], "side~0^{commit}"):
        assert find_commit(repository, revision)
    for revision in (
        "",
        "none",
        "a\nb",
        "a\0b",
        "--all",
        "-1",
        "HEAD:Modelfile",
        "HEAD~9",
        "main..side",
        "HEAD@{9}",
    ):
        assert find_commit(repository, revision) is None
    assert commit_of(repository, "v1").id == head


def test_the_common_commit_of_two_branches(repository: Path) -> None:
    main, side = commit_of(repository, "main"), commit_of(repository, "side")
    assert common_ancestor(main, side).id == git(repository, "rev-parse", "main~1")
    git(repository, "checkout", "-q", "--orphan", "alone")
    git(repository, "commit", "-q", "-m", "x")
    with pytest.raises(InputError, match="`main` and `alone` have no common commit") as error:
        common_ancestor(main, commit_of(repository, "alone"))
    assert error.value.hint == "write `main..alone` to compare the two"


def test_a_repository_without_a_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    with pytest.raises(InputError, match="has no commit yet"):
        commit_of(tmp_path, "HEAD")


def test_a_shallow_clone_is_named_as_the_cause(repository: Path, tmp_path: Path) -> None:
    shallow = tmp_path / "shallow"
    subprocess.run(
        ["git", "clone", "-q", "--depth", "1", "--no-single-branch", f"file://{repository}", shallow], check=True
    )
    hint = "this clone is shallow: run `git fetch --unshallow`, or in CI set its fetch depth to 0"
    with pytest.raises(InputError, match="unknown revision `HEAD~1`") as error:
        commit_of(shallow, "HEAD~1")
    assert error.value.hint == hint
    with pytest.raises(InputError, match="no common commit") as error:
        common_ancestor(commit_of(shallow, "main"), commit_of(shallow, "origin/side"))
    assert error.value.hint == hint


def test_what_this_clone_lacks_and_what_is_too_large(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = commit_of(repository, "side")
    monkeypatch.setattr("modelfile.revisions.MAX_TEXT", 8)
    with pytest.raises(InputError, match="`side:Modelfile` is larger than 8 bytes"):
        commit.read(["Modelfile"])
    blob = commit.files["Modelfile"]
    (repository / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(InputError, match="`side:Modelfile` is not in this clone") as error:
        commit.read(["Modelfile"])
    assert error.value.hint == "run `git fetch --refetch`"


def test_the_files_that_a_path_may_mean(repository: Path) -> None:
    commit = commit_of(repository, "HEAD")
    names = ["Modelfile", "bot/Modelfile"]
    assert commit.similar_files("BOT", names) == ["bot/Modelfile"]
    assert commit.similar_files("bott/Modelfile", names) == ["bot/Modelfile", "Modelfile"]
    assert commit.similar_files("x", names) == []


def test_git_is_not_there(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match="git is not installed"):
        commit_of(repository, "HEAD")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_a_repository_of_another_user_is_refused(repository: Path) -> None:
    for path in (repository, repository / ".git"):
        os.chown(path, 12345, 12345)
    with pytest.raises(InputError, match="the repository belongs to another user") as error:
        commit_of(repository, "HEAD")
    assert error.value.hint == f"to trust it, run `git config --global --add safe.directory {repository}`"
