"""What a real server leaves when it dies, when its disk is full, and when a build that it serves is killed."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.cli import mf
from tests.support.real_ollama import clean_environment, install

from modelfile.names import ModelName
from modelfile.stores.ollama.client import Client
from modelfile.stores.staging import staging_name

pytestmark = pytest.mark.live

NAME = "bot:v1"
TEXT = "# For tests.\nFROM ./tiny.gguf\nPARAMETER temperature 0.5\n"


@contextmanager
def served(folder: Path, *before: str) -> Iterator[tuple[str, int]]:
    """A server of one's own, in a place that `before` makes, and its process, which can be killed."""
    environment = clean_environment() | {
        "HOME": str(folder),
        "OLLAMA_MODELS": str(folder / "models"),
        "OLLAMA_HOST": "127.0.0.1:0",
    }
    command = [*before, str(install()), "serve"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr
            line = next(line for line in process.stderr if "Listening on " in line)
            yield f"http://{line.split('Listening on ')[1].split()[0]}", process.pid
        finally:
            process.kill()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: Path) -> Path:
    folder = tmp_path / "project"
    (folder / ".git").mkdir(parents=True)
    shutil.copy(tiny, folder / "tiny.gguf")
    (folder / "Modelfile").write_text(TEXT)
    monkeypatch.chdir(folder)
    return folder


def tags(url: str) -> dict[str, str]:
    with Client(url) as client:
        return {tag.name: tag.digest for tag in client.tags()}


def test_a_server_that_is_killed_in_mid_upload(project: Path, tmp_path: Path) -> None:
    with (project / "tiny.gguf").open("ab") as weights:
        weights.truncate(1 << 30)
    command = [sys.executable, "-m", "modelfile", "build", NAME]
    with served(tmp_path) as (url, server):
        environment = os.environ | {"OLLAMA_HOST": url}
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as running:
            assert running.stderr
            assert any(line.startswith("uploading") for line in running.stderr)
            os.kill(server, signal.SIGKILL)
            _, err = running.communicate(timeout=60)
        assert running.returncode == 3
        assert f"error: no Ollama server answers at {url}\nhelp: start one with `ollama serve`" in err
    assert [path.name for path in (tmp_path / "models" / "blobs").iterdir()] != []  # it takes them away as it starts
    with served(tmp_path) as (url, _):
        assert mf("build", NAME, "--host", url).code == 0
        assert tags(url).keys() == {NAME}
    assert len([*(tmp_path / "models" / "blobs").iterdir()]) == 3


def test_what_a_killed_build_left_does_not_take_the_weights_along(project: Path, tmp_path: Path) -> None:
    assert project.exists()
    with served(tmp_path) as (url, _):
        assert mf("build", NAME, "--host", url).code == 0
        with Client(url) as client:
            client.copy(NAME, str(staging_name(ModelName.parse(NAME))))
            client.delete(NAME)
        assert mf("build", NAME, "--host", url).code == 0
        assert tags(url).keys() == {NAME}


@pytest.mark.skipif(
    subprocess.run(["unshare", "-rm", "true"], check=False).returncode != 0 if shutil.which("unshare") else True,
    reason="a disk of one's own wants user namespaces",
)
def test_a_server_whose_disk_is_full(project: Path, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    mount = f"mount -t tmpfs -o size=400k tmpfs '{tmp_path / 'models'}' && exec \"$@\""
    with served(tmp_path, "unshare", "-rm", "sh", "-c", mount, "sh") as (url, _):
        assert mf("build", NAME, "--host", url).code == 0
        before = tags(url)
        (project / "Modelfile").write_text(TEXT + f'SYSTEM """{"long " * 100_000}"""\n')
        full = mf("build", NAME, "--host", url)
        assert full.code == 3
        assert "no space left on device\nhelp: make room on the server's disk" in full.err
        assert tags(url) == before
        with (project / "tiny.gguf").open("ab") as weights:
            weights.truncate(1 << 20)
        (project / "Modelfile").write_text(TEXT)
        full = mf("build", NAME, "--host", url)
        assert full.code == 3
        assert "no space left on device\nhelp: make room on the server's disk" in full.err
        assert tags(url) == before
        (project / "Modelfile").write_text(TEXT.replace("./tiny.gguf", NAME) + "SYSTEM short\n")
        assert mf("build", NAME, "--host", url).code == 0
