"""Tests of worker processes: they change nothing but the time that a lint takes."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from modelfile.cli import workers

SERIAL = "workers.usable_processors = lambda: 1"
SHARED = "workers.usable_processors = lambda: 3"
GOOD = "# A bot.\nFROM llama3.2:3b\nPARAMETER num_ctx 8192\n"
BAD = "# A bot.\nFROM llama3.2:3b\nPARAMETER temperture 1\n"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers run on Linux only")


def command(setting: str, *arguments: str, word: str = "lint") -> list[str]:
    """Return a command line that lints with a change to `workers`; a process is worth while for two Modelfiles."""
    code = (
        "import os, signal, sys, time\nfrom modelfile.cli import lint, workers\n"
        f"lint._MANY, workers._FEWEST = 4, 2\n{setting}\nfrom modelfile.__main__ import main\nmain()"
    )
    return [sys.executable, "-c", code, word, *arguments]


def run(folder: Path, setting: str, *arguments: str, word: str = "lint") -> tuple[int, bytes, bytes]:
    """Return the exit code and the output of a lint."""
    ran = subprocess.run(command(setting, *arguments, word=word), cwd=folder, capture_output=True, check=False)
    return ran.returncode, ran.stdout, ran.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of ten Modelfiles: good ones and bad ones, and one that is no file."""
    for number in range(9):
        (tmp_path / f"{number}.Modelfile").write_text(BAD if number % 4 == 1 else GOOD)
    (tmp_path / "5.Modelfile").write_bytes(b"FROM llama3.2:3b\r\nSYSTEM \xff\xfe \x1b[31m\r\nTEMPLATE {{ .Prompt\r\n")
    (tmp_path / "6.Modelfile").write_text(f"# mf: ignore[unknown-parameter] known\n{BAD}\nADAPTER ./missing.gguf\n")
    (tmp_path / "9.Modelfile").symlink_to("nowhere")
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--verbose"],
        ["--format", "json"],
        ["--format", "sarif"],
        ["--format", "github"],
        ["--statistics"],
        ["--fail-level", "info", "--select", "ALL"],
        ["--exit-zero", "--isolated"],
        ["--diff"],
        ["--select", "no-such-rule"],
    ],
    ids=" ".join,
)
def test_the_output_is_that_of_one_process(folder: Path, arguments: list[str]) -> None:
    paths = [f"{number}.Modelfile" for number in range(10)]
    alone = run(folder, SERIAL, *arguments, *paths)
    assert run(folder, SHARED, *arguments, *paths) == alone
    assert alone[1] or alone[2]


@pytest.mark.parametrize("arguments", [[], ["--json"], ["--fail-level", "info"]], ids=" ".join)
def test_a_check_is_shared_too(folder: Path, arguments: list[str]) -> None:
    paths = [f"{number}.Modelfile" for number in range(10)]
    alone = run(folder, SERIAL, *arguments, *paths, word="check")
    count = "start = workers._start\nworkers._start = lambda *given: (os.write(2, b'+'), start(*given))[1]"
    code, out, err = run(folder, f"{SHARED}\n{count}", *arguments, *paths, word="check")
    assert (code, out, err.lstrip(b"+")) == alone
    assert err.startswith(b"++")


def test_a_folder_is_shared_too(folder: Path) -> None:
    (folder / "9.Modelfile").unlink()
    assert run(folder, SHARED) == run(folder, SERIAL)
    assert run(folder, SHARED)[0] == 1


@pytest.mark.parametrize(
    "failure",
    [
        "workers._linted = lambda result: os.kill(os.getpid(), signal.SIGKILL)",
        "workers._linted = lambda result: 1 / 0",
        "workers._linted = lambda result: lambda: 0  # which cannot be handed over",
        "workers._linted = lambda result: sys.exit(0)",
    ],
    ids=["killed", "error", "no data", "exit"],
)
def test_what_a_worker_fails_to_lint_is_linted(folder: Path, failure: str) -> None:
    assert run(folder, f"{SHARED}\n{failure}") == run(folder, SERIAL)


def test_without_a_fork_one_process_lints_it_all(folder: Path) -> None:
    failure = "def fork(): raise BlockingIOError(11, 'Resource temporarily unavailable')\nos.fork = fork"
    assert run(folder, f"{SHARED}\n{failure}") == run(folder, SERIAL)


def test_a_warning_is_printed_once(folder: Path) -> None:
    for name in ("a", "y", "z"):
        (folder / name).mkdir()
        for number in range(4):
            (folder / name / f"{number}.Modelfile").write_text(GOOD)
    for name in ("y", "z"):
        (folder / name / "mf.lock").write_text('{"version": "1.9", "modelfiles": {}}\n')
    code, out, err = run(folder, SHARED, "a", "y", "z")
    assert (code, out, err) == run(folder, SERIAL, "a", "y", "z")
    assert err.count(b"has a newer format than this mf reads") == 2


def test_an_invalid_configuration_is_reported_once(folder: Path) -> None:
    (folder / "z").mkdir()
    (folder / "z" / "mf.toml").write_text("select = 3\n")
    (folder / "z" / "Modelfile").write_text(GOOD)
    code, out, err = run(folder, SHARED, *(f"{number}.Modelfile" for number in range(8)), "z/Modelfile")
    assert code == 2
    assert err.count(b"mf.toml") == 1
    assert out == b""


def test_ctrl_c_ends_the_workers(folder: Path) -> None:
    started, worker = os.pipe()
    setting = f"{SHARED}\nworkers._linted = lambda result: (os.write({worker}, b'.'), time.sleep(600))"
    running = subprocess.Popen(
        command(setting), cwd=folder, pass_fds=[worker], stderr=subprocess.PIPE, start_new_session=True
    )
    os.close(worker)
    assert os.read(started, 1) == b"."
    running.send_signal(signal.SIGINT)
    _, err = running.communicate()
    assert (running.returncode, err) == (130, b"error: interrupted\n")
    while os.read(started, 9):  # to its end: no process has it open
        pass
    os.close(started)


def test_the_number_of_processes(folder: Path) -> None:
    count = "fork = os.fork\ndef counted():\n    os.write(2, b'fork ')\n    return fork()\nos.fork = counted"
    paths = [f"{number}.Modelfile" for number in range(9)]
    for processors, number, forks in ((64, 9, 3), (2, 9, 1), (1, 9, 0), (64, 4, 1), (64, 3, 0)):
        setting = f"workers.usable_processors = lambda: {processors}\n{count}"
        assert run(folder, setting, *paths[:number])[2].count(b"fork ") == forks


@pytest.mark.parametrize("option", ["--fix", "--diff", "--add-ignore"])
def test_changes_are_made_by_one_process(folder: Path, option: str) -> None:
    failure = "def fork(): os._exit(99)\nos.fork = fork"
    assert run(folder, f"{SHARED}\n{failure}", option)[0] != 99


def test_threads_forbid_workers() -> None:
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    assert workers.usable_processors() == 1
    done.set()
    thread.join()
