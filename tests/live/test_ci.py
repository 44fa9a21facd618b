"""pre-commit itself, and the installation by the GitHub Action; both install the project from the package index."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.paths import ROOT

pytestmark = pytest.mark.live

GOOD = "# Answers questions.\nFROM llama3.2:3b\n"
IDENTITY = ("-c", "user.name=Test", "-c", "user.email=test@example.com")


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *IDENTITY, *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a repository of the files as they are now, committed or not."""
    folder = tmp_path_factory.mktemp("source")
    listed = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    for name in listed:
        if name and (ROOT / name).is_file() and not name.startswith(("tests/", "docs/")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    git(folder, "init", "--quiet")
    git(folder, "add", "--force", ".")
    git(folder, "commit", "--quiet", "--message=As it is now")
    return folder


@pytest.fixture(scope="module")
def hooked(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Make a repository with all hooks installed."""
    pytest.importorskip("pre_commit", reason="pre-commit is in the dependency group `test`")
    folder = tmp_path_factory.mktemp("hooked")
    hooks = "".join(f"      - id: {name}\n" for name in ("mf-lint", "mf-fmt", "mf-check"))
    revision = git(source, "rev-parse", "HEAD").strip()
    (folder / ".pre-commit-config.yaml").write_text(
        f"repos:\n  - repo: {source}\n    rev: {revision}\n    hooks:\n{hooks}"
    )
    (folder / "mf.toml").write_text('exclude = ["vendor/"]\n')
    git(folder, "init", "--quiet")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRE_COMMIT_HOME", str(tmp_path_factory.mktemp("pre-commit")))
        patch.setenv("OLLAMA_HOST", "http://127.0.0.1:9")
        yield folder


def run(folder: Path, *hooks: str) -> tuple[int, str]:
    """Stage everything and run hooks on it as a commit does; return the exit code and what they print."""
    git(folder, "add", ".")
    printed, codes = "", []
    for hook in hooks:
        command = [sys.executable, "-m", "pre_commit", "run", "--color=never", hook]
        ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        printed += ran.stdout + ran.stderr
        codes.append(ran.returncode)
    return max(codes), printed


def test_the_hooks_run_on_staged_modelfiles(hooked: Path) -> None:
    (hooked / "README.md").write_text("No Modelfile.\n")
    code, printed = run(hooked, "mf-lint", "mf-fmt")
    assert (code, printed.count("(no files to check)Skipped")) == (0, 2), printed
    (hooked / "Modelfile").write_text(GOOD + "PARAMETER temprature 1\n")
    code, printed = run(hooked, "mf-lint")
    assert (code, "Modelfile:3:11: error MF301 unknown-parameter" in printed) == (1, True), printed
    (hooked / "vendor").mkdir()
    (hooked / "vendor" / "Modelfile").write_text("PARAMETER temprature 1\n")
    (hooked / "Modelfile").write_text(GOOD.replace("FROM", "from"))
    code, printed = run(hooked, "mf-lint")
    assert code == 0, printed
    code, printed = run(hooked, "mf-fmt")
    assert (code, "files were modified by this hook" in printed) == (1, True), printed
    assert (hooked / "Modelfile").read_text() == GOOD
    code, printed = run(hooked, "mf-check")
    assert (code, "Modelfile:2:6: warning PIN001 no-lock" in printed, "vendor" in printed) == (1, True, False), printed


def test_the_action_installs_itself(source: Path, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "GITHUB_ACTION_PATH": str(source),
        "GITHUB_PATH": str(tmp_path / "path"),
        "MF_PYTHON": sys.executable,
        "MF_VERSION": "",
        "RUNNER_TEMP": str(tmp_path),
    }
    command = [str(source / ".ci" / "action"), "install"]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout[:3]) == (0, "mf "), ran.stderr
    program = Path((tmp_path / "path").read_text().strip()) / "mf"
    (tmp_path / "Modelfile").write_text(GOOD)
    assert subprocess.run([program, "lint", "Modelfile"], cwd=tmp_path, check=False).returncode == 0
