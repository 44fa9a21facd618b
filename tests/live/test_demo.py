"""`make demo`: in a folder, without a server, and on a real Ollama server."""

import ast
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.paths import ROOT
from tests.support.server import connect

from modelfile.catalog.versions import NEWEST
from modelfile.stores.ollama.store import ServerStore

DEMO = [sys.executable, "-u", str(ROOT / "examples" / "demo.py")]
COMMANDS = 18
SIGNALS = pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])


@pytest.fixture
def offline(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Yield an environment without a server, and with a temporary folder, which the demo has to leave empty."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    yield os.environ | {"OLLAMA_HOST": "127.0.0.1:9", "TMPDIR": str(temporary), "HOME": str(temporary)}
    assert [*temporary.iterdir()] == []


@pytest.fixture
def online(offline: dict[str, str], real: str) -> Iterator[dict[str, str]]:
    """Yield an environment with a server, which the demo has to leave empty, too."""
    yield offline | {"OLLAMA_HOST": real}
    with connect(real) as client:
        assert ServerStore(client).list() == ()


def run(environment: dict[str, str]) -> str:
    done = subprocess.run(DEMO, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("[exit ") == done.stdout.count("\n$ ")
    return done.stdout


def interrupt(environment: dict[str, str], number: signal.Signals) -> int:
    """Interrupt the demo in its first build, and return its exit code."""
    with subprocess.Popen(DEMO, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True) as demo:
        assert demo.stdout
        line = next(line for line in demo.stdout if line.startswith("$ mf build"))
        assert line == "$ mf build support-bot:v1.0 --locked\n"
        os.killpg(demo.pid, number)
        demo.stdout.read()
    return demo.returncode


def test_the_demo_in_a_folder(offline: dict[str, str]) -> None:
    printed = run(offline)
    assert printed.startswith("no Ollama server answers at http://127.0.0.1:9: using the folder ")
    assert printed.count("\n$ ") == COMMANDS + 1  # `mf store check`
    assert f"/models, as by Ollama {NEWEST}\n" in printed


@pytest.mark.live
def test_the_demo_on_a_server(online: dict[str, str]) -> None:
    printed = run(online)
    assert printed.startswith(f"Using Ollama 0.9.3 at {online['OLLAMA_HOST']}\n")
    assert printed.count("\n$ ") == COMMANDS


@SIGNALS
def test_an_interrupted_demo_cleans_up(offline: dict[str, str], number: signal.Signals, code: int) -> None:
    assert interrupt(offline, number) == code


@pytest.mark.live
@SIGNALS
def test_an_interrupted_demo_cleans_up_the_server(online: dict[str, str], number: signal.Signals, code: int) -> None:
    assert interrupt(online, number) == code


def test_the_demo_needs_only_the_package() -> None:
    examples = [*(ROOT / "examples").glob("*.py")]
    needed = {"modelfile", *sys.stdlib_module_names, *(path.stem for path in examples)}
    for path in examples:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert {name.partition(".")[0] for name in names} <= needed, path
