"""`mf git`: the merge driver of mf.lock, set up, run by git, and taken away."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.building import LOCAL
from tests.support.cli import mf

WHO = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main")


def git(folder: Path, *arguments: str, code: int = 0) -> str:
    environ = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    ran = subprocess.run(
        ["git", *WHO, *arguments], cwd=folder, check=False, capture_output=True, text=True, env=environ
    )
    assert ran.returncode == code, ran
    return ran.stdout + ran.stderr


@pytest.fixture
def branches(project: Path) -> Path:
    """Return a repository on the branch `ours`; it and `theirs` each added a Modelfile that they pinned."""
    (project / ".git").rmdir()
    git(project, "init", "-q")
    for branch in ("main", "theirs", "ours"):
        git(project, "checkout", "-q", "-b", branch, *(["main"] if branch != "main" else []))
        (project / f"{branch}.Modelfile").write_text(LOCAL)
        assert mf("pin").code == 0
        git(project, "add", "-A")
        git(project, "commit", "-q", "-m", branch)
    return project


def keys(folder: Path) -> list[str]:
    return [*json.loads((folder / "mf.lock").read_text())["modelfiles"]]


def test_git_merges_a_lock_entry_by_entry(branches: Path) -> None:
    git(branches, "merge", "-q", "theirs", code=1)
    assert "<<<<<<< " in (branches / "mf.lock").read_text()
    git(branches, "merge", "--abort")
    ran = mf("git", "install")
    assert (ran.code, ran.out) == (0, "changed .git/config\nchanged .gitattributes\n")
    git(branches, "add", ".gitattributes")
    git(branches, "commit", "-q", "-m", "drivers")
    git(branches, "merge", "-q", "theirs")
    assert keys(branches) == ["Modelfile", "main.Modelfile", "ours.Modelfile", "theirs.Modelfile"]
    assert mf("pin", "--check").code == 0
    assert git(branches, "status", "--porcelain") == ""


def test_an_entry_that_both_changed_is_a_conflict_that_pin_solves(branches: Path) -> None:
    assert mf("git", "install").code == 0
    for branch, value in (("theirs", "0.7"), ("ours", "0.6")):
        git(branches, "checkout", "-q", branch)
        (branches / "Modelfile").write_text(LOCAL.replace("0.5", value))
        assert mf("pin").code == 0
        git(branches, "commit", "-q", "-a", "-m", "change")
    said = git(branches, "merge", "theirs", code=1)
    assert "error: mf.lock: both sides changed Modelfile\nhelp: run `mf pin`, then `git add mf.lock`\n" in said
    assert keys(branches) == ["main.Modelfile", "ours.Modelfile", "theirs.Modelfile"]
    (branches / "Modelfile").write_text(LOCAL.replace("0.5", "0.7"))
    assert mf("pin").code == 0
    assert mf("pin", "--check").code == 0
    git(branches, "add", "mf.lock", "Modelfile")
    git(branches, "commit", "-q", "-m", "merged")


@pytest.mark.parametrize("folder", ["--help", "-x y", "a'b;touch c;'", "%P$(touch c)", "a\nb"])
def test_a_path_is_no_option_and_no_command(project: Path, folder: str) -> None:
    (project / ".git").rmdir()
    git(project, "init", "-q")
    (project / folder).mkdir()
    for branch in ("main", "theirs", "ours"):
        git(project, "checkout", "-q", "-b", branch, *(["main"] if branch != "main" else []))
        entries = {name: {"text": f"sha256:{'1' * 64}", "fingerprint": f"mf1:{'2' * 64}"} for name in ("main", branch)}
        (project / folder / "mf.lock").write_text(json.dumps({"version": "1.1", "modelfiles": entries}, indent=2))
        git(project, "add", "-A")
        git(project, "commit", "-q", "-m", branch)
    assert mf("git", "install").code == 0
    git(project, "merge", "-q", "theirs")
    assert keys(project / folder) == ["main", "ours", "theirs"]
    assert not [*project.rglob("c")]


def test_it_is_set_up_once_and_taken_away_whole(branches: Path) -> None:
    attributes, settings = branches / ".gitattributes", branches / ".git" / "config"
    before = settings.read_text()
    attributes.write_text("*.md text\n")
    assert json.loads(mf("git", "install", "--json").out) == {"changed": [".git/config", ".gitattributes"]}
    lines = attributes.read_text().splitlines()
    assert (lines[0], lines[-1]) == ("*.md text", "mf.lock merge=mf-lock")
    assert {line.split()[1] for line in lines[1:-1]} == {"diff=modelfile"}
    checked = git(branches, "check-attr", "merge", "diff", "--", "sub/mf.lock", "x/Modelfile", "Modelfile.md")
    assert checked.splitlines() == [
        "sub/mf.lock: merge: mf-lock",
        "sub/mf.lock: diff: modelfile",
        "x/Modelfile: merge: unspecified",
        "x/Modelfile: diff: modelfile",
        "Modelfile.md: merge: unspecified",
        "Modelfile.md: diff: modelfile",
    ]
    assert git(branches, "config", "merge.mf-lock.driver") == "mf git merge-lock -- %O %A %B %P\n"
    assert git(branches, "config", "diff.modelfile.command") == "mf git diff-file --\n"
    again = mf("git", "install")
    assert (again.out, again.err) == ("", "nothing to change\n")
    (branches / "sub").mkdir()
    assert json.loads(mf("git", "uninstall", "--json", cwd=branches / "sub").out)["changed"]
    assert (attributes.read_text(), settings.read_text()) == ("*.md text\n", before)
    assert mf("git", "uninstall").err == "nothing to change\n"


def test_a_worktree_shares_it(branches: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert mf("git", "install").code == 0
    git(branches, "add", ".gitattributes")
    git(branches, "commit", "-q", "-m", "drivers")
    worktree = tmp_path_factory.mktemp("elsewhere") / "tree"
    git(branches, "worktree", "add", "-q", "-b", "other", str(worktree), "ours")
    assert mf("git", "install", cwd=worktree).err == "nothing to change\n"
    git(worktree, "merge", "-q", "theirs")
    assert keys(worktree) == ["Modelfile", "main.Modelfile", "ours.Modelfile", "theirs.Modelfile"]


def test_it_needs_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for action in ("install", "uninstall"):
        ran = mf("git", action)
        assert (ran.code, ran.err) == (
            3,
            f"error: `{tmp_path}` is in no git repository\nhelp: run `git init` first\n",
        )


def test_a_damaged_version_is_a_conflict_and_stays(project: Path) -> None:
    assert mf("pin").code == 0
    ours = (project / "mf.lock").read_bytes()
    (project / "theirs").write_text("{")
    (project / "base").write_text("")
    ran = mf("git", "merge-lock", "base", "mf.lock", "theirs", "sub/mf.lock")
    assert (ran.code, (project / "mf.lock").read_bytes()) == (3, ours)
    assert ran.err.startswith("error: `sub/mf.lock` is damaged: it is not JSON at line 1")


@pytest.mark.parametrize("arguments", [("merge-lock",), ("merge-lock", "a", "b"), ("install", "a"), ("remove",), ()])
def test_wrong_arguments_are_named(project: Path, arguments: tuple[str, ...]) -> None:
    assert mf("git", *arguments).code == 2
    assert not (project / "mf.lock").exists()
