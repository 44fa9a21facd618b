"""`make demo`, on a real Ollama server, with each registry that it starts."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.paths import ROOT
from tests.support.registry import available
from tests.support.server import connect

from modelfile.stores.ollama.store import ServerStore

pytestmark = pytest.mark.live

DEMO = [sys.executable, "-u", str(ROOT / "examples" / "demo.py")]
NEEDS_REGISTRY = pytest.mark.skipif(not available(), reason="docker-registry is not installed (apt-get install)")


@pytest.fixture
def environment(tmp_path: Path, real: str) -> Iterator[dict[str, str]]:
    """Yield an environment with a server and a temporary folder, which the demo has to leave empty."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    yield os.environ | {"OLLAMA_HOST": real, "TMPDIR": str(temporary)}
    with connect(real) as client:
        assert ServerStore(client).list() == ()
    assert [*temporary.iterdir()] == []


def run(environment: dict[str, str]) -> str:
    done = subprocess.run(DEMO, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("[exit ") == done.stdout.count("\n$ ") == 13
    return done.stdout


@NEEDS_REGISTRY
def test_the_demo_with_a_real_registry(environment: dict[str, str]) -> None:
    assert "\nStarted Debian's docker-registry at http://127.0.0.1:" in run(environment)


def test_the_demo_with_its_own_registry(tmp_path: Path, environment: dict[str, str]) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "git").symlink_to(shutil.which("git") or "git")
    printed = run(environment | {"PATH": str(programs)})
    assert "\ndocker-registry is not installed; started a registry in this process at http://127.0.0.1:" in printed


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_demo_cleans_up(environment: dict[str, str], number: signal.Signals, code: int) -> None:
    with subprocess.Popen(DEMO, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True) as demo:
        assert demo.stdout
        line = next(line for line in demo.stdout if line.startswith("$ mf build"))
        assert line == "$ mf build support-bot:v1.0 --locked\n"
        os.killpg(demo.pid, number)
        demo.stdout.read()
    assert demo.returncode == code
