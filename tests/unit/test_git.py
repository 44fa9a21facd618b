"""Repositories, and files that git tracks or does not ignore; none of them may run a program or point elsewhere."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from modelfile.git import Listing, Refusal, find_repository, git_version, is_repository, list_files
from modelfile.revisions import file_history

ANOTHER_USER = 12345


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", folder, *arguments], check=True, capture_output=True)


def names(folder: Path) -> set[str]:
    listed = list_files(folder, folder)
    assert isinstance(listed, Listing), listed
    return {path.relative_to(folder).as_posix() for path in listed.files}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository with a Modelfile that is tracked and one that is not."""
    folder = tmp_path / "repository"
    subprocess.run(["git", "init", "-q", folder], check=True)
    (folder / "Modelfile").write_text("FROM a:b\n")
    (folder / "new.Modelfile").write_text("FROM a:b\n")
    git(folder, "add", "Modelfile")
    return folder


def test_tracked_and_new_files_but_not_ignored_ones(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    for name in ("tracked", "new é", "ignored"):
        (tmp_path / name).touch()
    (tmp_path / ".gitignore").write_text("ignored\n")
    subprocess.run(["git", "-C", tmp_path, "add", "tracked"], check=True)
    assert names(tmp_path) == {".gitignore", "tracked", "new é"}


def test_repositories_inside_of_another_and_submodules(tmp_path: Path, repository: Path) -> None:
    for name in ("repository/new", "repository/in/deep", "repository/submodule", "repository/ignored"):
        subprocess.run(["git", "init", "-q", tmp_path / name], check=True)
        (tmp_path / name / "Modelfile").touch()
    (repository / ".gitignore").write_text("ignored\n")
    git(repository / "submodule", "add", ".")
    git(repository / "submodule", "-c", "user.name=x", "-c", "user.email=x", "commit", "-qm", "x")
    git(repository, "add", "submodule")
    (repository / "160000 \tx").touch()
    (repository / "? y\n").touch()
    git(repository, "add", "? y\n")
    listed = list_files(repository, repository)
    assert isinstance(listed, Listing)
    assert {*listed.nested} == {repository / name for name in ("new", "in/deep", "submodule")}
    assert names(repository) == {"Modelfile", "new.Modelfile", ".gitignore", "160000 \tx", "? y\n"}


def test_a_refusal_without_git(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert list_files(repository, repository) == Refusal("git is not installed")
    assert git_version() is None


def test_the_root_of_a_repository(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    assert find_repository(tmp_path / "a") is None
    (tmp_path / "a" / ".git").mkdir()
    assert find_repository(tmp_path / "a" / "b") == find_repository(tmp_path / "a") == tmp_path / "a"
    assert not is_repository(tmp_path / "a")


def test_no_program_of_the_current_folder_is_run(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marker = plant(repository, "git")
    monkeypatch.chdir(repository)
    monkeypatch.setenv("PATH", f".:{os.environ['PATH']}")
    assert "Modelfile" in names(repository)
    assert git_version()
    assert not marker.exists()


# Hostile repositories


def plant(folder: Path, name: str) -> Path:
    """Write a program that creates a marker, and return the marker."""
    program, marker = folder / name, folder.parent / "executed"
    program.write_text(f"#!/bin/sh\ntouch {marker}\nexit 1\n")
    program.chmod(0o755)
    return marker


def fsmonitor(folder: Path) -> None:
    git(folder, "config", "core.fsmonitor", f"{folder}/program")


def hooks(folder: Path) -> None:
    git(folder, "config", "core.hooksPath", str(folder / "hooks"))
    (folder / "hooks").mkdir()
    for hook in ("fsmonitor-watchman", "post-index-change", "pre-commit", "post-checkout", "reference-transaction"):
        shutil.copy(folder / "program", folder / "hooks" / hook)
        shutil.copy(folder / "program", folder / ".git" / "hooks" / hook)
    git(folder, "config", "core.fsmonitor", "true")


def programs(folder: Path) -> None:
    for key in ("core.pager", "pager.ls-files", "core.editor", "core.sshCommand", "core.askPass", "core.gitProxy"):
        git(folder, "config", key, f"{folder}/program")
    for key in ("diff.external", "diff.x.textconv", "filter.x.clean", "filter.x.smudge", "filter.x.process"):
        git(folder, "config", key, f"{folder}/program")
    (folder / ".gitattributes").write_text("* filter=x diff=x\n")
    (folder / "Modelfile").write_text("FROM changed:b\n")


def alias(folder: Path) -> None:
    git(folder, "config", "alias.ls-files", f"!{folder}/program")


def included(folder: Path) -> None:
    (folder / "config").write_text(f"[core]\n\tfsmonitor = {folder}/program\n\tpager = {folder}/program\n")
    git(folder, "config", "include.path", "../config")


def missing_objects(folder: Path) -> None:
    """Make a sparse index whose objects have to be fetched by a program."""
    (folder / "in").mkdir()
    (folder / "in" / "Modelfile").touch()
    git(folder, "add", ".")
    git(folder, "-c", "user.name=x", "-c", "user.email=x", "commit", "-qm", "x")
    git(folder, "sparse-checkout", "set", "--cone", "--sparse-index", "none")
    shutil.rmtree(folder / ".git" / "objects")
    (folder / ".git" / "objects").mkdir()
    git(folder, "config", "extensions.partialClone", "origin")
    git(folder, "config", "remote.origin.promisor", "true")
    git(folder, "config", "remote.origin.url", f"ext::{folder}/program")
    git(folder, "config", "protocol.ext.allow", "always")


@pytest.mark.parametrize("make", [fsmonitor, hooks, programs, alias, included, missing_objects])
def test_a_foreign_repository_runs_nothing(repository: Path, make: Callable[[Path], None]) -> None:
    marker = plant(repository, "program")
    make(repository)
    marker.unlink(missing_ok=True)
    list_files(repository, repository)
    assert not marker.exists()


def signatures(folder: Path) -> None:
    git(folder, "config", "log.showSignature", "true")
    git(folder, "config", "gpg.program", f"{folder}/program")
    git(folder, "config", "core.alternateRefsCommand", f"{folder}/program")
    for command in ("rev-list", "cat-file", "rev-parse"):
        git(folder, "config", f"alias.{command}", f"!{folder}/program")


@pytest.mark.parametrize("make", [fsmonitor, hooks, programs, included, missing_objects, signatures])
def test_the_history_of_a_foreign_repository_runs_nothing(repository: Path, make: Callable[[Path], None]) -> None:
    git(repository, "-c", "user.name=x", "-c", "user.email=x", "commit", "-qm", "x")
    marker = plant(repository, "program")
    make(repository)
    marker.unlink(missing_ok=True)
    found = file_history(repository / "Modelfile", repository)
    assert isinstance(found, Refusal) == (make is missing_objects)
    assert not marker.exists()


def commit(folder: Path, text: str | None, day: int) -> None:
    """Commit a text of a Modelfile, or its removal."""
    if text is None:
        (folder / "Modelfile").unlink()
    else:
        (folder / "Modelfile").write_text(text)
    git(folder, "add", "-A", "Modelfile")
    date = f"2026-11-{day:02}T00:00:00Z"
    subprocess.run(
        ["git", "-C", folder, "-c", "user.name=x", "-c", "user.email=x", "commit", "-qm", "x"],
        check=True,
        env={**os.environ, "GIT_COMMITTER_DATE": date},
    )


def test_the_history_of_a_file(repository: Path) -> None:
    assert file_history(repository / "Modelfile", repository) == ([], False)
    for day, text in enumerate(("FROM a:b\n", "FROM a:c\n", None, "FROM a:b\n\n\n"), 1):
        commit(repository, text, day)
    git(repository, "mv", "Modelfile", "moved")
    found = file_history(repository / "Modelfile", repository)
    assert not isinstance(found, Refusal)
    revisions, more = found
    assert [one.content for one in revisions] == [b"FROM a:b\n\n\n", b"", b"FROM a:c\n", b"FROM a:b\n"]
    assert [one.seconds // 86_400 - 20_757 for one in revisions] == [4, 3, 2, 1]
    assert not more
    assert file_history(repository / "never", repository) == ([], False)
    assert file_history(repository / ":(glob)*", repository) == ([], False)
    assert file_history(repository / "--all", repository) == ([], False)


def test_there_is_no_history_without_git(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert file_history(repository / "Modelfile", repository) == Refusal("git is not installed")


def test_the_planted_program_would_run(repository: Path) -> None:
    marker = plant(repository, "program")
    fsmonitor(repository)
    marker.unlink(missing_ok=True)
    subprocess.run(["git", "-C", repository, "ls-files"], check=True, capture_output=True)
    assert marker.exists()


def test_a_bare_repository_inside_is_a_folder(repository: Path) -> None:
    inner = repository / "inner"
    subprocess.run(["git", "init", "-q", "--bare", inner], check=True)
    marker = plant(repository, "program")
    git(inner, "config", "core.fsmonitor", f"{repository}/program")
    git(inner, "config", "core.worktree", str(repository))
    git(inner, "config", "core.bare", "false")
    (inner / "Modelfile").touch()
    assert list_files(inner, inner) == Refusal("git does not accept the repository")
    assert not marker.exists()
    assert "inner/Modelfile" in names(repository)


def test_a_work_tree_elsewhere_is_not_listed(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "Modelfile").touch()
    git(repository, "config", "core.worktree", str(tmp_path / "secret"))
    assert names(repository) == {"Modelfile", "new.Modelfile"}


def test_a_git_file_that_points_elsewhere_lists_no_file_from_there(repository: Path, tmp_path: Path) -> None:
    marker = plant(repository, "program")
    fsmonitor(repository)
    marker.unlink(missing_ok=True)
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / ".git").write_text(f"gitdir: {repository}/.git\n")
    (tmp_path / "foreign" / "its.Modelfile").touch()
    assert {"its.Modelfile"} <= names(tmp_path / "foreign") <= {"its.Modelfile", "Modelfile", ".git"}
    assert not marker.exists()


@pytest.mark.parametrize(
    "variable", ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_CONFIG"]
)
def test_variables_that_point_elsewhere_are_not_passed_on(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    subprocess.run(["git", "init", "-q", tmp_path / "other"], check=True)
    monkeypatch.setenv(variable, str(tmp_path / "other" / (".git" if variable == "GIT_DIR" else "")))
    assert names(repository) == {"Modelfile", "new.Modelfile"}


def test_settings_in_variables_are_not_passed_on(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marker = plant(repository, "program")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.fsmonitor")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", f"{repository}/program")
    assert "Modelfile" in names(repository)
    assert not marker.exists()


def test_git_that_waits_is_ended(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelfile.git._TIMEOUT", 0.5)
    (repository / ".git" / "index").unlink()
    os.mkfifo(repository / ".git" / "index")
    assert list_files(repository, repository) == Refusal("git did not answer within 0 seconds")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_a_repository_of_another_user_is_refused(repository: Path) -> None:
    os.chown(repository, ANOTHER_USER, ANOTHER_USER)
    os.chown(repository / ".git", ANOTHER_USER, ANOTHER_USER)
    assert list_files(repository, repository) == Refusal("the repository belongs to another user")
