"""A folder of models and a real server that runs on it."""

import json
import os
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from tests.support.cli import mf
from tests.support.folder import damages, temporary_files
from tests.support.paths import ROOT
from tests.support.real_ollama import serve
from tests.support.server import connect
from tests.support.tiny_gguf import write_tiny_gguf

from modelfile.names import ModelName
from modelfile.stores.disk.layout import open_layout
from modelfile.stores.disk.store import FolderStore
from modelfile.stores.ollama.store import ServerStore

pytestmark = pytest.mark.live

MODELFILE = "# For tests.\nFROM ./weights.gguf\nSYSTEM hello\nTEMPLATE {{ .System }} {{ .Prompt }}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return open_layout(tmp_path / "store", create=True).root


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Change to a folder with a Modelfile and weights of 5 MB."""
    path = tmp_path / "project"
    (path / ".git").mkdir(parents=True)
    (path / "Modelfile").write_text(MODELFILE)
    write_tiny_gguf(path / "weights.gguf")
    with (path / "weights.gguf").open("ab") as file:
        file.write(bytes(5 << 20))
    monkeypatch.chdir(path)
    return path


def test_builds_of_one_name_in_a_folder_and_on_its_server_at_once(project: Path, folder: Path) -> None:
    """Each is right, the last one has the name, and nothing of the other's is removed."""
    other = project.with_name("other")
    shutil.copytree(project, other)
    with serve(models=folder) as url:
        for number in range(4):
            for path in (project, other):
                (path / "Modelfile").write_text(MODELFILE.replace("hello", f"{path.name} {number}"))
            builds = [
                subprocess.Popen(
                    [sys.executable, "-m", "modelfile", "build", "bot:v1", "--replace", *where],
                    cwd=path,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
                for path, where in (
                    (project, ("--store", str(folder), "--ollama", "0.9.3")),
                    (other, ("--host", url)),
                )
            ]
            for running in builds:
                out, _ = running.communicate(timeout=60)
                assert running.returncode == 0, out
            assert damages(folder) == []
            assert temporary_files(folder) == []
            store = FolderStore(open_layout(folder, create=False))
            found = store.find(ModelName.parse("bot:v1"))
            assert found
            assert found.model.system in {f"{path.name} {number}" for path in (project, other)}
            assert not [str(listed.name) for listed in store.list() if "mf-building" in listed.name.tag]


def test_two_writers_beside_a_server_lose_nothing(folder: Path, tmp_path: Path, rounds: int) -> None:
    """All three create, copy and delete models of the same few weights, which go with the last model that has them."""
    weights = tmp_path / "weights"
    weights.mkdir()
    for number in range(3):
        write_tiny_gguf(weights / f"{number}.gguf")
        with (weights / f"{number}.gguf").open("ab") as file:
            file.write(bytes(number * 32))
    expected: dict[str, str] = {}
    with serve(models=folder) as url:
        command = [sys.executable, "-m", "tests.support.writers", str(folder), str(weights)]
        writers = [
            subprocess.Popen(
                [*command, name, str(10 * rounds), *server],
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for name, server in (("first", []), ("second", []), ("server", [url]))
        ]
        for number, running in enumerate(writers):
            out, err = running.communicate(timeout=60 + 10 * rounds)
            assert running.returncode == 0, err
            assert number == len(writers) - 1 or not err  # ours never fail
            expected |= json.loads(out)
        assert damages(folder) == []
        assert temporary_files(folder) == []
        store = FolderStore(open_layout(folder, create=False))
        found = {str(model.name): store.find(model.name) for model in store.list()}
        assert {name: stored and stored.model.system for name, stored in found.items()} == expected
        with connect(url) as client:
            listed = ServerStore(client).list()
    assert {str(model.name): model.digest for model in listed} == {
        name: stored.digest for name, stored in found.items() if stored
    }


def test_weights_are_put_into_the_folder_of_the_server(
    folder: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server makes the same model of them as if they were sent."""
    digest = f"sha256:{sha256((project / 'weights.gguf').read_bytes()).hexdigest()}"
    with serve(models=folder) as url:
        monkeypatch.setenv("OLLAMA_HOST", url)
        sent = mf("build", "sent:v1")
        assert sent.code == 0
        assert "  upload       weights.gguf, 5.3 MB (" in sent.err
        assert mf("rm", "sent:v1", "--yes").code == 0
        with connect(url) as client:
            assert not client.has_blob(digest)

        monkeypatch.setenv("OLLAMA_MODELS", str(folder))
        placed = mf("build", "sent:v1")
        assert placed.code == 0
        assert ", directly in the folder of the server\n" in placed.err
        assert sent.out == placed.out
        with connect(url) as client:
            assert client.has_blob(digest)
    assert damages(folder) == []
    assert temporary_files(folder) == []
    assert {path.name[:7] for path in (folder / "blobs").iterdir()} == {"sha256-"}
    assert len([*(folder / "blobs").iterdir()]) == 4  # the weights, the template, the system and the config


def test_the_folder_of_another_server_is_not_used(folder: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_MODELS", str(folder))
    with serve() as url:
        monkeypatch.setenv("OLLAMA_HOST", url)
        built = mf("build", "bot:v1")
    assert built.code == 0
    assert "  upload  " in built.err
    assert project.is_dir()
    assert [*(folder / "blobs").iterdir()] == []


def test_a_server_has_what_was_built_into_its_folder(
    folder: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Models of ours are listed at once, with the same digests, and survive a start, with their backups."""
    with serve(models=folder) as url:
        monkeypatch.setenv("MF_STORE", str(folder))
        assert mf("build", "bot:v1").code == 0
        (project / "Modelfile").write_text(f"{MODELFILE}PARAMETER temperature 0.5\n")
        assert mf("build", "bot:v1", "--replace").code == 0
        store = FolderStore(open_layout(folder, create=False))
        expected = {model.name: (model.digest, model.size) for model in store.list()}
        assert len(expected) == 2
        with connect(url) as client:
            server = ServerStore(client)
            assert {model.name: (model.digest, model.size) for model in server.list()} == expected
            found = server.find(ModelName.parse("bot:v1"))
            assert found
            assert store.find(ModelName.parse("bot:v1")) == found
    with serve(models=folder) as url, connect(url) as client:
        assert {model.name for model in ServerStore(client).list()} == expected.keys()
    assert damages(folder) == []
