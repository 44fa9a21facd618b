"""Locks with merge conflicts, which `mf pin` merges."""

import json
import subprocess
from pathlib import Path

import pytest
from tests.support.building import LOCAL
from tests.support.cli import mf


def git(folder: Path, *arguments: str) -> int:
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main")
    return subprocess.run(["git", *who, *arguments], cwd=folder, check=False, capture_output=True).returncode


@pytest.fixture
def merging(project: Path) -> Path:
    """Return a repository in the middle of a merge: each branch changed `Modelfile` and added another."""
    (project / ".git").rmdir()
    assert git(project, "init", "-q") == 0
    assert mf("pin").code == 0
    for branch, value in (("main", "0.5"), ("theirs", "0.7"), ("ours", "0.6")):
        git(project, "checkout", "-q", "-b", branch, *(["main"] if branch != "main" else []))
        if branch != "main":
            (project / f"{branch}.Modelfile").write_text(LOCAL)
            (project / "Modelfile").write_text(LOCAL.replace("0.5", value))
            assert mf("pin").code == 0
        git(project, "add", "-A")
        assert git(project, "commit", "-q", "-m", branch) == 0
    return project


def test_pin_merges_both_sides_and_makes_anew_what_differs(merging: Path) -> None:
    assert git(merging, "merge", "-q", "theirs") == 1
    assert "<<<<<<< " in (merging / "mf.lock").read_text()
    (merging / "Modelfile").write_text(LOCAL.replace("0.5", "0.7"))
    assert "has merge conflicts" in mf("pin", "--check").err
    assert "help: run `mf pin`, which merges both sides, then `git add mf.lock`" in mf("lint").err
    ran = mf("pin", "ours.Modelfile")  # although it names another
    assert ran.code == 0
    assert ran.err == (
        f"warning: `{merging / 'mf.lock'}` has merge conflicts: the entries of both sides are merged; different "
        "on both sides, so pinned anew: `Modelfile`\n"
    )
    assert [*json.loads((merging / "mf.lock").read_text())["modelfiles"]] == [
        "Modelfile",
        "ours.Modelfile",
        "theirs.Modelfile",
    ]
    assert mf("pin", "--check").code == 0
    assert git(merging, "diff", "--exit-code", "theirs", "--", "Modelfile") == 0
    merged = (merging / "mf.lock").read_bytes()
    (merging / "mf.lock").unlink()
    assert mf("pin").code == 0
    assert (merging / "mf.lock").read_bytes() == merged
