"""Builds on a real server that is killed or whose disk is full, and after a build that was killed."""

import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import pytest
from tests.support.cli import mf
from tests.support.killing import Scene
from tests.support.real_ollama import clean_environment, install
from tests.support.server import connect

from modelfile.names import ModelName
from modelfile.stores.staging import staging_name

pytestmark = pytest.mark.live

NAME = "bot:stable"
TEXT = "# For tests.\nFROM ./tiny.gguf\nPARAMETER temperature 0.5\n"


@contextmanager
def served(folder: Path, *before: str) -> Iterator[tuple[str, int]]:
    """Yield the URL and the process ID of a server of its own, started by the command `before`."""
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
    with connect(url) as client:
        return {tag.name: tag.digest for tag in client.tags()}


def wait_for_upload(blobs: Path) -> None:
    """Wait until the server has written a part of a blob."""
    deadline = monotonic() + 60
    while not any(path.stat().st_size for path in blobs.glob("*")):
        assert monotonic() < deadline
        sleep(0.01)


def test_a_server_that_is_killed_during_an_upload(project: Path, tmp_path: Path) -> None:
    with (project / "tiny.gguf").open("ab") as weights:
        weights.truncate(1 << 30)
    command = [sys.executable, "-m", "modelfile", "build", NAME]
    with served(tmp_path) as (url, server):
        environment = os.environ | {"OLLAMA_HOST": url}
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as running:
            wait_for_upload(tmp_path / "models" / "blobs")
            os.kill(server, signal.SIGKILL)
            _, err = running.communicate(timeout=60)
        assert running.returncode == 3
        hint = "start it again, then run the command again: finished uploads are reused"
        assert f"error: {url} went away while tiny.gguf was being sent\nhelp: {hint}\n" in err
    assert [
        path.name for path in (tmp_path / "models" / "blobs").iterdir()
    ] != []  # the server removes them when it starts
    with served(tmp_path) as (url, _):
        assert mf("build", NAME, "--host", url).code == 0
        assert tags(url).keys() == {NAME}
    assert len([*(tmp_path / "models" / "blobs").iterdir()]) == 3


def test_the_staging_tag_of_a_killed_build_is_pruned_last(project: Path, tmp_path: Path) -> None:
    assert project.exists()
    with served(tmp_path) as (url, _):
        assert mf("build", NAME, "--host", url).code == 0
        with connect(url) as client:
            client.copy(NAME, str(staging_name(ModelName.parse(NAME))))
            client.delete(NAME)
        assert mf("build", NAME, "--host", url).code == 0
        assert tags(url).keys() == {NAME}


@pytest.mark.skipif(
    subprocess.run(["unshare", "-rm", "true"], check=False).returncode != 0 if shutil.which("unshare") else True,
    reason="mounting a small disk needs user namespaces",
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
        assert "no space left on device\nhelp: free space on the server's disk" in full.err
        assert tags(url) == before
        with (project / "tiny.gguf").open("ab") as weights:
            weights.truncate(1 << 20)
        (project / "Modelfile").write_text(TEXT)
        full = mf("build", NAME, "--host", url)
        assert full.code == 3
        assert "no space left on device\nhelp: free space on the server's disk" in full.err
        assert tags(url) == before
        (project / "Modelfile").write_text(TEXT.replace("./tiny.gguf", NAME) + "SYSTEM short\n")
        assert mf("build", NAME, "--host", url).code == 0


def test_a_real_server_keeps_each_model_of_commands_that_are_killed(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rounds: int
) -> None:
    older = TEXT + "SYSTEM older\n"
    (project / "older.Modelfile").write_text(older)
    files = {path.name: path.read_bytes() for path in project.iterdir() if path.is_file()}
    with served(tmp_path) as (url, _):
        monkeypatch.setenv("OLLAMA_HOST", url)

        def reset() -> None:
            for name in tags(url):
                with connect(url) as client:
                    client.delete(name)
            for name, file in ((NAME, "older.Modelfile"), ("other:main", "Modelfile")):
                assert mf("build", name, "-f", file).code == 0
            assert mf("cp", "other:main", NAME, "--replace").code == 0

        scene = Scene(folder=project, files=files, models=lambda: tags(url), reset=reset)
        chance = random.Random(13)  # noqa: S311  # no secret
        commands = (("build", NAME, "-f", "older.Modelfile"), ("rollback", NAME), ("rm", "other:main", "--yes"))
        for number in range(6 * rounds):
            scene.kill(commands[number % 3], chance.choice((signal.SIGINT, signal.SIGKILL)), chance)
