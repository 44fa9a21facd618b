"""The diff driver of `mf git install`, run by real git: by meaning, from any folder, and never an end of `git diff`."""

import os
import subprocess
import sys
from pathlib import Path
from shutil import which

import pytest
from tests.support.building import edit
from tests.support.cli import mf
from tests.support.repository import git as quiet_git

BOT = "# Bot.\nFROM llama3.2:3b\nPARAMETER temperature 0.2\nSYSTEM Be brief.\n"
CHANGE = "behavior (may change answers)\n  temperature  0.2 -> 0.7  default 0.8\n"
SIDES = "- a/bot/Modelfile\n+ b/bot/Modelfile\n"


def git(*arguments: str, **environ: str) -> str:
    """Run git with the driver on the path, and return what it prints; it must not fail."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ran = subprocess.run(
        ["git", "--no-pager", *arguments],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": path, **environ},
    )
    assert (ran.returncode, ran.stderr) == (0, ""), ran
    return ran.stdout


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a repository with the driver, and a Modelfile in a folder."""
    folder = tmp_path / "repository"
    (folder / "bot").mkdir(parents=True)
    monkeypatch.chdir(folder)
    quiet_git(folder, "init", "-q", "-b", "main")
    assert mf("git", "install").out == "changed .git/config\nchanged .gitattributes\n"
    (folder / "bot" / "Modelfile").write_text(BOT)
    commit(folder)
    return folder


def commit(folder: Path) -> None:
    quiet_git(folder, "add", "-A")
    quiet_git(folder, "commit", "-q", "-m", "x")


def test_git_compares_modelfiles_by_meaning(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert git("diff") == ""
    edit(repository / "bot/Modelfile", "0.2", "0.7")
    assert git("diff") == git("diff", "HEAD", "--", "bot") == SIDES + CHANGE
    assert git("diff", "--no-ext-diff").startswith("diff --git a/bot/Modelfile b/bot/Modelfile\nindex")
    monkeypatch.chdir("bot")
    assert git("diff") == git("diff", ".") == SIDES + CHANGE
    quiet_git(repository, "add", "-A")
    assert git("diff", "--cached") == SIDES + CHANGE
    commit(repository)
    assert git("show", "--ext-diff", "--format=") == git("diff", "HEAD~1", "HEAD") == SIDES + CHANGE
    assert git("log", "-p", "--ext-diff", "-1", "--format=%s").endswith(SIDES + CHANGE)
    assert "-PARAMETER temperature 0.2\n" in git("show")
    assert "-PARAMETER temperature 0.2\n" in git("log", "-p", "-1")


def test_added_deleted_and_renamed_files(repository: Path) -> None:
    (repository / "other.Modelfile").write_text("FROM a:b\n")
    (repository / "bot/Modelfile").rename(repository / "Modelfile.moved")
    edit(repository / "Modelfile.moved", "0.2", "0.7")
    quiet_git(repository, "add", "-A")
    assert git("diff", "--cached", "-M") == (
        f"- a/bot/Modelfile\n+ b/Modelfile.moved\n{CHANGE}\n"
        "+ b/other.Modelfile  (new)\nweights (may change answers)\n  base  (none) -> a:b\n"
    )
    commit(repository)
    (repository / "other.Modelfile").unlink()
    assert git("diff").splitlines()[:2] == ["- a/other.Modelfile  (deleted)", "weights (may change answers)"]


def test_what_has_no_meaning_is_shown_nevertheless(repository: Path) -> None:
    file = repository / "bot/Modelfile"
    file.write_text(BOT.replace("Bot", "My bot"))
    assert "cosmetic (text only)\n  comments\n" in git("diff")
    file.write_text(BOT + "\n\n")
    assert git("diff") == "bot/Modelfile  only whitespace differs\n"
    file.chmod(0o755)
    assert git("diff") == "bot/Modelfile  mode 100644 -> 100755\nbot/Modelfile  only whitespace differs\n"
    file.write_text(BOT)
    assert git("diff") == "bot/Modelfile  mode 100644 -> 100755\n"


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"FROM a\nFORMAT json\n", "compared by line: Ollama would reject `b/bot/Modelfile`: line 2: unknown instruct"),
        (b"\xff\x00\x1b]0;x\x07\xfe", "compared by line: Ollama would reject `b/bot/Modelfile`: "),
        (b"", "compared by line: Ollama would reject `b/bot/Modelfile`: "),
        (b'FROM a\nSYSTEM """no end\n', "compared by line: Ollama would reject `b/bot/Modelfile`: "),
        (b"FROM a\nADAPTER ./none.gguf\n", "compared by line: `"),
        (b"FROM a\nSYSTEM " + b"x" * 33_000_000, "bot/Modelfile cannot be compared: cannot read `"),
        (b"FROM a\nSYSTEM " + b"word " * 3_000_000 + b"\n", "compared by line: the texts are too long"),
    ],
)
def test_a_file_that_cannot_be_compared_ends_no_diff(repository: Path, content: bytes, part: str) -> None:
    (repository / "bot/Modelfile").write_bytes(content)
    (repository / "z.Modelfile").write_text("FROM z\n")
    quiet_git(repository, "add", "-AN")
    printed = git("diff")
    assert part in printed
    assert printed.endswith("+ b/z.Modelfile  (new)\nweights (may change answers)\n  base  (none) -> z:latest\n")
    assert "\x1b" not in printed


def test_a_driver_that_git_cannot_run_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    quiet_git(tmp_path, "init", "-q")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/git").symlink_to(which("git") or "")
    path = {"PATH": str(tmp_path / "bin")}
    assert mf("git", "install", environ=path).err == (
        "warning: `mf` is not on PATH, so `git diff` of a Modelfile fails here until it is\n"
        "help: put its folder on PATH, or undo this with `mf git uninstall`\n"
    )
    assert mf("git", "uninstall", environ=path).err == ""


def test_a_wrong_configuration_ends_no_diff(repository: Path) -> None:
    edit(repository / "bot/Modelfile", "0.2", "0.7")
    (repository / "mf.toml").write_text("[")
    assert "compared by line: " in git("diff")


def test_the_lock_is_compared_pin_by_pin(repository: Path) -> None:
    pin = '{{"version": "1.1", "modelfiles": {{"bot/Modelfile": {{"text": "sha256:{0}", "fingerprint": "mf1:{0}"}}}}}}'
    (repository / "mf.lock").write_text(pin.format("1" * 64))
    commit(repository)
    (repository / "mf.lock").write_text(pin.format("2" * 64))
    assert git("diff") == (
        "- a/mf.lock\n+ b/mf.lock\nlock (may change answers)\n"
        f"  bot/Modelfile: fingerprint  mf1:{'1' * 12}… -> mf1:{'2' * 12}…\n"
    )
    (repository / "mf.lock").write_text("<<<<<<< ours\n")
    assert "compared by line: `" in git("diff")


def test_a_file_with_merge_conflicts(repository: Path) -> None:
    for branch, value in (("theirs", "0.7"), ("ours", "0.6")):
        quiet_git(repository, "checkout", "-q", "-b", branch, "main")
        edit(repository / "bot/Modelfile", "0.2", value)
        commit(repository)
    assert subprocess.run(["git", "merge", "-q", "theirs"], check=False, capture_output=True).returncode == 1
    assert "bot/Modelfile has merge conflicts\n" in git("diff", "--ours", "--ext-diff") + git("diff")


def test_colors_are_those_of_the_pager(repository: Path) -> None:
    edit(repository / "bot/Modelfile", "0.2", "0.7")
    assert "\x1b[31m" in git("diff", GIT_PAGER_IN_USE="true")
    assert "\x1b" not in git("diff", GIT_PAGER_IN_USE="true", NO_COLOR="1")


def test_a_reader_that_leaves_is_no_error(repository: Path) -> None:
    for number in range(5):
        (repository / f"{number}.Modelfile").write_text('FROM a\nSYSTEM """' + "line\n" * 4_000 + '"""\n')
    quiet_git(repository, "add", "-AN")
    environ = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    with subprocess.Popen(
        ["git", "--no-pager", "diff"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""


def test_uninstall_removes_exactly_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    quiet_git(tmp_path, "init", "-q")
    before = (tmp_path / ".git/config").read_bytes()
    attributes = tmp_path / ".gitattributes"
    for content in (None, b"*.md text\r\n*.x diff=modelfile\r\n", b"*.md text\n"):
        if content:
            attributes.write_bytes(content)
        (tmp_path / "sub").mkdir(exist_ok=True)
        assert mf("git", "install", cwd=tmp_path / "sub").out.endswith("changed ../.gitattributes\n")
        assert mf("git", "install").err == "nothing to change\n"
        assert attributes.read_bytes().count(b"diff=modelfile") == 7 + (content or b"").count(b"diff=modelfile")
        assert mf("git", "uninstall").code == 0
        assert (attributes.read_bytes() if attributes.exists() else None) == content
        assert (tmp_path / ".git/config").read_bytes() == before
    attributes.unlink()
    attributes.symlink_to("elsewhere")
    assert mf("git", "install").err.startswith("error: `.gitattributes` is a symlink, which git does not read\n")


@pytest.mark.parametrize("count", [0, 2, 6, 8, 10])
def test_wrong_arguments_are_named(repository: Path, count: int) -> None:
    ran = mf("git", "diff-file", *["x"] * count)
    assert ran.code == 2
    assert ran.err.startswith("error: `mf git diff-file` needs PATH, OLD-FILE, OLD-HEX, OLD-MODE and the same of NEW\n")
    assert repository.exists()
