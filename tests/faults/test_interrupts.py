"""Ctrl-C at any moment of any command, while a server says nothing."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import pytest
from tests.fakes.faults import Hold
from tests.fakes.ollama import FakeOllama
from tests.support.disturbed import staging_tags

SOON = 0.1
"""Seconds from a signal to the end of the process, in most runs."""
ON_A_BUSY_MACHINE = 2.0
"""The same in every run, where tests take each other's time."""
MODELS = 4
WAITS = [
    (("ls",), ""),
    (("doctor",), "/api/version"),
    (("pull", "x:v1"), "/api/pull"),
    (("pin", "Modelfile"), "/api/create"),
    (("build", "bot:v1", "-f", "Modelfile"), "/api/tags"),
    (("build", "bot:v1", "-f", "Modelfile"), "HEAD /api/blobs"),
    (("build", "bot:v1", "-f", "Modelfile"), "POST /api/blobs"),
    (("build", "bot:v1", "-f", "Modelfile"), "/api/create"),
    (("build",), "POST /api/blobs"),
    (("build",), "/api/create"),
    (("build",), "/api/show"),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project of a Modelfile, and of several models."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "weights.gguf").write_bytes(b"GGUF" + bytes(8 << 20))
    (tmp_path / "Modelfile").write_text("# For tests.\nFROM ./weights.gguf\n")
    for number in range(MODELS):
        text = f"# For tests.\nFROM ./weights.gguf\nSYSTEM {number}\n"
        (tmp_path / f"m{number}.Modelfile").write_text(text)
    tables = (f'[models.m{number}]\nmodelfile = "m{number}.Modelfile"\ntag = "v1"\n' for number in range(MODELS))
    (tmp_path / "mf.toml").write_text("".join(tables))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def interrupt(command: tuple[str, ...], where: str, delay: float, *, all_silent: bool) -> float:
    """Send Ctrl-C to a command that waits for a server; return the seconds until it has ended."""
    with FakeOllama() as fake:
        hold = Hold()
        fake.fault(where, hold, times=99)
        program = [sys.executable, "-m", "modelfile", *command]
        environment = os.environ | {"OLLAMA_HOST": fake.url}
        with subprocess.Popen(program, env=environment, stderr=subprocess.PIPE, text=True) as running:
            assert hold.reached.wait(60)
            if all_silent:
                fake.fault("", hold, times=99, required=False)
            time.sleep(delay)
            start = time.monotonic()
            running.send_signal(signal.SIGINT)
            _, err = running.communicate(timeout=60)
            took = time.monotonic() - start
        assert running.returncode == 130, err
        assert "Traceback" not in err
        if not all_silent:
            end = time.monotonic() + 5  # what was sent is done, even if nobody waited for it
            while staging_tags(fake) and time.monotonic() < end:
                time.sleep(0.05)
            assert not staging_tags(fake)
    return took


@pytest.mark.usefixtures("folder")
def test_ctrl_c_ends_every_wait_at_once(rounds: int) -> None:
    chance = random.Random(12)  # noqa: S311  # not for secrets
    took = [
        interrupt(command, where, chance.uniform(0, 0.3), all_silent=chance.random() < 0.3)
        for _ in range(rounds)
        for command, where in WAITS
    ]
    assert median(took) < SOON
    assert max(took) < ON_A_BUSY_MACHINE
