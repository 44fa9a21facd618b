"""The error boundary: every exception becomes a message and an exit code."""

import json
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from tests.support.cli import mf

from modelfile.cli.failures import ISSUES
from modelfile.errors import ExitCode
from modelfile.stores.protocol import Store


def failing(error: BaseException) -> AbstractContextManager[Store]:
    """Fail to open a store, with an unexpected error."""
    raise error


def test_unexpected_error_is_an_internal_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ran = mf("ls", "--json", open_store=lambda _: failing(ZeroDivisionError("a/0")), environ={"MF_DEBUG": ""})
    (file,) = tmp_path.iterdir()
    hint = f"report it at {ISSUES} with the traceback in `{file}`"
    assert ran.code == ExitCode.INTERNAL
    assert ran.err == f"error: internal error: ZeroDivisionError: a/0\nhelp: {hint}\n"
    assert json.loads(ran.out) == {
        "error": {"message": "internal error: ZeroDivisionError: a/0", "hint": hint, "code": "internal-error"}
    }
    assert file.read_text().startswith("Traceback (most recent call last):\n")


def test_traceback_has_versions_and_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    key, token = "my-own-server-key", "hf_" + "aB3xY7qLmN0pRsTuVwZkDfGhJcEbQi2894"
    environ = {"MF_DEBUG": "", "OLLAMA_API_KEY": key}
    ran = mf("ls", "--json", open_store=lambda _: failing(ZeroDivisionError(f"{key} {token}")), environ=environ)
    (file,) = tmp_path.iterdir()
    text = file.read_text()
    assert text.splitlines()[-1].startswith("mf 0.1.0, Python 3.")
    assert "ZeroDivisionError: [redacted] " in text
    assert not any(secret in each for secret in (key, token) for each in (text, ran.out, ran.err))


def test_hint_is_mf_debug_if_the_traceback_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/dev/null/none")
    ran = mf("ls", open_store=lambda _: failing(ZeroDivisionError()), environ={"MF_DEBUG": ""})
    assert (ran.code, ran.err.splitlines()[1]) == (
        70,
        f"help: run it again with MF_DEBUG=1, and report the traceback at {ISSUES}",
    )


def test_mf_debug_prints_the_traceback() -> None:
    ran = mf("ls", open_store=lambda _: failing(ZeroDivisionError()), environ={"MF_DEBUG": "1"})
    assert ran.code == ExitCode.INTERNAL
    assert ran.err.startswith("Traceback (most recent call last):\n")


def test_ctrl_c_exits_130() -> None:
    ran = mf("ls", open_store=lambda _: failing(KeyboardInterrupt()))
    assert (ran.code, ran.out, ran.err) == (130, "", "error: interrupted\n")
    wrapped = RuntimeError("Error calling __set_name__")
    wrapped.__cause__ = KeyboardInterrupt()
    assert mf("ls", open_store=lambda _: failing(wrapped)) == ran
    ran = mf("ls", "--json", open_store=lambda _: failing(KeyboardInterrupt("run it again")))
    assert (ran.code, ran.err) == (130, "error: interrupted\nhelp: run it again\n")
    assert json.loads(ran.out)["error"] == {"message": "interrupted", "hint": "run it again", "code": "interrupted"}


class Panic(BaseException):
    """A panic of Rust, as pyo3 raises it: no Exception."""


@pytest.mark.parametrize(
    "error",
    [RecursionError("deep"), MemoryError(), Panic("at core.rs"), GeneratorExit(), ExceptionGroup("", [OSError()])],
)
def test_anything_unforeseen_is_an_internal_error(error: BaseException) -> None:
    ran = mf("ls", "--json", open_store=lambda _: failing(error), environ={"MF_DEBUG": ""})
    assert ran.code == ExitCode.INTERNAL
    assert ran.err.startswith(f"error: internal error: {type(error).__name__}: {error}\nhelp: report it at {ISSUES}")
    assert json.loads(ran.out)["error"]["code"] == "internal-error"


class Unprintable(Exception):  # it is one
    """An exception without a text."""

    def __str__(self) -> str:
        """Fail."""
        raise ZeroDivisionError


def test_an_error_in_the_report_is_reported() -> None:
    ran = mf("ls", open_store=lambda _: failing(Unprintable()), environ={"MF_DEBUG": ""})
    assert (ran.code, ran.err) == (70, "error: internal error: ZeroDivisionError while an error was reported\n")


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (("lint", "--fxi"), "no such option: `--fxi`", "did you mean `--fix`?"),
        (("--nope",), "no such option: `--nope`", "run `mf --help`"),
        (("show",), "missing argument `NAME`", "run `mf show --help`"),
        (("lint", "--config"), "--config needs a value", "run `mf lint --help`"),
        (
            ("build", "--keep", "x\x1b"),
            "invalid value for `--keep`: `x\\x1b` is not a whole number",
            "run `mf build --help`",
        ),
        (("ls", "a", "b"), "unexpected argument: `b`", "run `mf ls --help`"),
        (("ls", "a", "b\x1b", "c"), "unexpected arguments: `b\\x1b c`", "run `mf ls --help`"),
        (("lint", "--output-format", "json"), "no such option: `--output-format`", "use `--format`"),
        (("lint", "--target-version=0.9"), "no such option: `--target-version`", "use `--ollama`"),
        (
            ("--timeout", "3", "ls"),
            "no such option: `--timeout`",
            "write it after the command, as in `mf ls --timeout`",
        ),
        (("--timeout", "3", "nope"), "no such option: `--timeout`", "run `mf --help`"),
        (("parse",), "missing argument `PATHS...`", "run `mf parse --help`"),
        (("lint", "--target", "0.9"), "no such option: `--target`", "use `--ollama`"),
        (("fmt", "--dry-run"), "no such option: `--dry-run`", "use `--diff`"),
        (("ls", "--no-color"), "no such option: `--no-color`", "use `--color`"),
        (("ls", "--output-format"), "no such option: `--output-format`", "run `mf ls --help`"),
        (("fmt", "--exclude", "a"), "no such option: `--exclude`", "write `exclude` in mf.toml, for all commands"),
    ],
)
def test_wrong_usage_is_reported_like_every_error(arguments: tuple[str, ...], message: str, hint: str) -> None:
    ran = mf(*arguments)
    assert (ran.code, ran.out, ran.err) == (2, "", f"error: {message}\nhelp: {hint}\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk that is always full")
@pytest.mark.parametrize(
    ("arguments", "code", "hint"),
    [
        ("explain", 3, "help: the command was completed; only its output is incomplete\n"),
        ("parse none --json", 3, ""),
        ("explain none --json", 2, ""),
    ],
)
def test_full_standard_output_is_named(tmp_path: Path, arguments: str, code: int, hint: str) -> None:
    command = ["sh", "-c", f"{sys.executable} -m modelfile {arguments} > /dev/full"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == code
    assert ran.stderr.endswith(f"error: cannot write to standard output: no space left on device\n{hint}")


def test_modules_in_the_current_folder_are_not_imported(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("open('imported', 'w')\n")
    command = [sys.executable, "-m", "modelfile", "--version"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("mf ")
    assert not (tmp_path / "imported").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ls", "--timeout", "abc"), "invalid value for `--timeout`: `abc` is not a number"),
        (("ls", "--idle-timeout="), "invalid value for `--idle-timeout`: `` is not a number"),
        (("build", "--keep", "1.5"), "invalid value for `--keep`: `1.5` is not a whole number"),
    ],
)
def test_a_number_is_named_in_words(arguments: tuple[str, ...], message: str) -> None:
    ran = mf(*arguments)
    assert (ran.code, ran.err.splitlines()[0]) == (2, f"error: {message}")
