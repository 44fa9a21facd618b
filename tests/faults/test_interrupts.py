"""Ctrl-C at any moment: no traceback, exit code 130, and one message."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.fakes.ollama import FakeOllama

INTERRUPT_AT = """
import os, signal, sys
left = int(sys.argv.pop(1))
def count(event, _):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGINT)
import modelfile.__main__
sys.addaudithook(count)
try:
    modelfile.__main__.main()
finally:
    if left > 0:
        os.write(2, b"%d events left\\n" % left)
"""
"""Runs `mf`, and interrupts it at its nth audit event: an import, a file that is opened, a connection."""

MANY = 1_000_000
MESSAGE = "error: interrupted\n"


def run(number: int, command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", INTERRUPT_AT, str(number), *command.split()]
    return subprocess.run(program, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("command", ["lint .", "lint . --json", "ls", "--help", "fmt --diff", "show nothing"])
def test_ctrl_c_at_any_event(tmp_path: Path, fake: FakeOllama, rounds: int, command: str) -> None:
    (tmp_path / "Modelfile").write_text("FROM   llama3.2\nTEMP 1\n")
    command = command.replace("ls", f"ls --host {fake.url}").replace("nothing", f"x:y --host {fake.url}")
    whole = run(MANY, command, tmp_path)
    *errors, left = whole.stderr.splitlines(keepends=True)
    events = MANY - int(left.split()[0])
    assert events > 100
    for number in random.Random(command).sample(range(1, events), min(8 * rounds, events - 1)):  # noqa: S311  # no secret
        ran = run(number, command, tmp_path)
        assert "Traceback" not in ran.stderr, (number, ran)
        assert ran.returncode == 130, (number, ran)
        if ran.stderr.count(MESSAGE) != 1:  # then all was done, and it only waited to exit
            assert (ran.stdout, ran.stderr) == (whole.stdout, "".join(errors)), (number, ran)


@pytest.mark.parametrize("command", ["lint", "--help"])
def test_ctrl_c_while_it_starts(tmp_path: Path, rounds: int, command: str) -> None:
    """Wait until Python has read the first module: before that, Ctrl-C is Python's own affair."""
    (tmp_path / "Modelfile").write_text("FROM llama3.2\n" * 300)
    program = [
        sys.executable, "-c", "import os, modelfile.__main__ as it; os.write(1, b'!'); it.main()", command
    ]  # fmt: skip
    for step in range(10 * rounds):
        with subprocess.Popen(program, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
            assert running.stdout
            assert os.read(running.stdout.fileno(), 1) == b"!"
            time.sleep(step * 0.08 / (10 * rounds))
            running.send_signal(signal.SIGINT)
            _, err = running.communicate(timeout=60)
        assert b"Traceback" not in err
        assert (running.returncode, err.count(MESSAGE.encode())) == (130, 1) or running.returncode in (0, 1, 130)


def test_an_ignored_ctrl_c_stays_ignored(tmp_path: Path) -> None:
    program = f"trap '' INT; {sys.executable} -c '{INTERRUPT_AT}' 50 --version"
    ran = subprocess.run(["sh", "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout[:3]) == (0, "mf ")


UNCAUGHT = """
import atexit, sys, threading, modelfile.__main__ as it
class Failing:
    def __del__(self): raise ValueError("gone\\n")
def fail(): raise OSError("sk-ant-Zq9mT4vLx82NbWc7RtYpQe31HsKdJf")
def run(*_):
    Failing()
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    atexit.register(fail)
    return 0
import modelfile.cli.app
modelfile.cli.app.main = run
it.main()
"""


@pytest.mark.parametrize("debug", ["", "1"])
def test_errors_that_nothing_can_catch_print_a_traceback_only_with_mf_debug(debug: str) -> None:
    environ = {**os.environ, "MF_DEBUG": debug}
    ran = subprocess.run([sys.executable, "-c", UNCAUGHT], env=environ, capture_output=True, text=True, check=False)
    assert ran.returncode == 0
    assert ("Traceback" in ran.stderr) is bool(debug)
    if not debug:
        assert ran.stderr == "".join(
            f"error: internal error in the background: {error}\n"
            for error in ("ValueError: gone<U+000A>", *[f"OSError: sk-a{'*' * 33}"] * 2)
        )


LOST = """
import time, modelfile.__main__ as it
class Interrupted:
    def __del__(self): raise KeyboardInterrupt
def run(*_):
    Interrupted()
    time.sleep(60)
import modelfile.cli.app as app
app.main = run
it.main()
"""


def test_ctrl_c_in_a_destructor_is_not_lost() -> None:
    ran = subprocess.run([sys.executable, "-c", LOST], capture_output=True, text=True, check=False, timeout=30)
    assert (ran.returncode, ran.stderr) == (130, MESSAGE)


def test_a_broken_installation_is_an_internal_error() -> None:
    program = "import sys, modelfile.__main__ as it; sys.modules['typer'] = None; it.main()"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ran.returncode == 70
    assert ran.stderr.startswith("error: internal error: ModuleNotFoundError: ")
    assert ran.stderr.endswith("\nhelp: is modelfile installed whole? MF_DEBUG=1 prints the traceback\n")
