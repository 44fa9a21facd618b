"""Folders that a real server has written pass a check, are pruned, and are carried to another server and to skopeo."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from tests.support.cli import mf
from tests.support.folder import HOUR, add_blob, contents, set_age
from tests.support.paths import ROOT
from tests.support.real_ollama import Unavailable, serve
from tests.support.registry import available, registry
from tests.support.running_ollama import run, write_talking_gguf
from tests.support.server import connect
from tests.support.tiny_gguf import write_tiny_gguf

from modelfile.cli.options import _open_registries
from modelfile.errors import ServerError
from modelfile.stores.backups import is_internal
from modelfile.stores.disk.layout import Layout
from modelfile.stores.ollama.store import ServerStore

pytestmark = pytest.mark.live

TEXT = (
    "# For tests.\nFROM {base}\nTEMPLATE {{{{ .System }}}} {{{{ .Prompt }}}}\nSYSTEM {system}\nPARAMETER seed {seed}\n"
)
needs_skopeo = pytest.mark.skipif(
    shutil.which("skopeo") is None, reason="skopeo is not installed (apt-get install skopeo)"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with models that a real server has made, copied and overwritten."""
    models, project = tmp_path / "models", tmp_path / "project"
    (project / ".git").mkdir(parents=True)
    monkeypatch.chdir(project)
    weights = write_talking_gguf(project / "weights.gguf", {"?": [["Par", "is"]]})
    with serve(models=models) as url:
        monkeypatch.setenv("OLLAMA_HOST", url)
        for name, base, system, seed in (
            ("base:v1", f"./{weights.name}", "hello", 1),
            ("bot:v1", "base:v1", "brief", 2),
            ("bot:v1", "base:v1", "terse", 3),
            ("team/bot:v2", "bot:v1", "again", 4),
        ):
            (project / "Modelfile").write_text(TEXT.format(base=base, system=system, seed=seed))
            assert mf("build", name, "--replace").code == 0
        assert mf("cp", "bot:v1", "localhost:5000/team/bot:v1").code == 0
        assert mf("rm", "team/bot:v2", "--yes").code == 0
    monkeypatch.setenv("OLLAMA_HOST", "")
    monkeypatch.setenv("MF_STORE", str(models))
    return models


def listed(url: str) -> dict[str, str]:
    with connect(url) as client:
        return {str(model.name): model.digest for model in ServerStore(client).list()}


def test_folder_of_a_server_is_sound_and_has_nothing_to_prune(folder: Path) -> None:
    before = contents(folder)
    assert mf("store", "check").out == f"{folder} is sound\n"
    assert mf("store", "prune").out == "nothing to prune\n"
    assert contents(folder) == before


def test_prune_removes_what_a_starting_server_would(folder: Path, tmp_path: Path) -> None:
    before, copy = contents(folder), tmp_path / "copy"
    for number in range(3):
        add_blob(Layout(folder), b"nobody's %d" % number, age=2 * HOUR)
    (folder / "blobs" / "sha256-123456789").write_bytes(b"temporary")
    set_age(folder / "blobs" / "sha256-123456789", 2 * HOUR)
    shutil.copytree(folder, copy)
    with serve(models=copy):
        pass
    with serve(models=tmp_path / "empty"):  # ours stands beside a server in another folder
        assert mf("store", "prune", "--yes").code == 0
    assert contents(folder) == contents(copy) == before


def test_commands_beside_a_running_server(folder: Path, tmp_path: Path) -> None:
    archive = tmp_path / "models.tar"
    with serve(models=folder) as url:
        models = listed(url)
        add_blob(Layout(folder), b"nobody's", age=2 * HOUR)
        for command in (
            ("du",),
            ("check",),
            ("save", "bot:v1", "-o", str(archive)),
            ("prune", "--yes"),
        ):
            assert mf("store", *command).code == 0
        assert listed(url) == models
        assert mf("rm", "bot:v1", "--backups", "--yes").code == 0
        assert "bot:v1" not in listed(url)
        assert mf("store", "load", str(archive)).code == 0
        assert listed(url)["bot:v1"]
        (folder / "manifests" / "registry.ollama.ai" / "library" / "bot" / "v9").symlink_to("nowhere")
        with connect(url) as client, pytest.raises(ServerError):
            ServerStore(client).list()
        assert mf("store", "check").code == 1
        assert mf("store", "check", "--repair").code == 0
        assert {*listed(url)} >= {"base:v1", "bot:v1"}


@pytest.mark.usefixtures("folder")
def test_what_is_saved_here_runs_there(tmp_path: Path) -> None:
    archive, there = tmp_path / "models.tar", tmp_path / "there"
    assert mf("store", "save", "bot:v1", "base:v1", "-o", str(archive)).code == 0
    assert mf("store", "load", str(archive), "--store", str(there / "models")).code == 0
    assert mf("store", "check", "--store", str(there / "models")).code == 0
    try:
        with run(there) as server:
            assert {*listed(server.url)} == {"base:v1", "bot:v1"}
            body = json.dumps({"model": "bot:v1", "prompt": "Capital?", "stream": False}).encode()
            with urlopen(Request(f"{server.url}/api/generate", body)) as answer:  # noqa: S310  # the server of this test
                assert json.load(answer)["response"] == "Paris"
            assert server.last_prompt() == "terse Capital?"
    except Unavailable as error:
        pytest.skip(str(error))


@needs_skopeo
def test_skopeo_reads_and_writes_archives(folder: Path, tmp_path: Path) -> None:
    archive, again = tmp_path / "models.tar", tmp_path / "again.tar"
    assert mf("store", "save", "bot:v1", "base:v1", "-o", str(archive)).code == 0
    source, target = (f"oci-archive:{path}:registry.ollama.ai/library/bot:v1" for path in (archive, again))
    raw = json.loads(skopeo("inspect", "--raw", source))
    manifest = json.loads(
        (folder / "manifests" / "registry.ollama.ai" / "library" / "bot" / "v1").read_text(encoding="utf-8")
    )
    assert [layer["digest"] for layer in raw["layers"]] == [layer["digest"] for layer in manifest["layers"]]
    skopeo("copy", source, target)
    assert loaded(again, tmp_path / "first") == loaded(archive, tmp_path / "second")


@needs_skopeo
@pytest.mark.usefixtures("folder")
@pytest.mark.skipif(not available(), reason="docker-registry is not installed (apt-get install docker-registry)")
def test_archive_goes_through_a_registry_with_skopeo(tmp_path: Path) -> None:
    archive, again = tmp_path / "models.tar", tmp_path / "again.tar"
    assert mf("store", "save", "bot:v1", "-o", str(archive)).code == 0
    name = "registry.ollama.ai/library/bot:v1"
    with registry(redirects=False) as host:
        image = f"docker://{host}/team/bot:v1"
        skopeo("copy", "--dest-tls-verify=false", f"oci-archive:{archive}:{name}", image)
        skopeo("copy", "--src-tls-verify=false", image, f"oci-archive:{again}:{name}")
        pulled = mf("pull", f"{host}/team/bot:v1", "--store", str(tmp_path / "third"), open_registry=_open_registries)
        assert pulled.code == 0, pulled.err
    assert loaded(again, tmp_path / "first") == loaded(archive, tmp_path / "second")
    text = (tmp_path / "third/manifests" / host / "team/bot/v1").read_bytes()
    assert f"sha256:{sha256(text).hexdigest()}" == loaded(archive, tmp_path / "second")


def skopeo(*arguments: str) -> str:
    command = ["skopeo", "--insecure-policy", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def loaded(archive: Path, store: Path) -> str:
    """Return the digest of the model that an archive gives an empty store."""
    ran = mf("store", "load", str(archive), "--store", str(store), "--json")
    assert ran.code == 0, ran.err
    return next(str(model["digest"]) for model in json.loads(ran.out) if model["name"] == "bot:v1")


def test_prune_load_and_save_beside_writers_and_a_server_lose_nothing(
    folder: Path, tmp_path: Path, rounds: int
) -> None:
    archive, weights = tmp_path / "models.tar", tmp_path / "weights"
    weights.mkdir()
    write_tiny_gguf(weights / "tiny.gguf")
    assert mf("store", "save", "bot:v1", "base:v1", "-o", str(archive)).code == 0
    base = [sys.executable, "-m", "tests.support.writers", str(folder), str(weights)]
    expected = {"base:v1": "hello", "bot:v1": "terse", "localhost:5000/team/bot:v1": "terse"}
    with serve(models=folder) as url:
        writers = [
            subprocess.Popen(
                [*base, name, str(8 * rounds), *server],
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for name, server in (("ours", []), ("theirs", [url]))
        ]
        while any(writer.poll() is None for writer in writers):
            add_blob(Layout(folder), b"nobody's", age=2 * HOUR)
            assert mf("rm", "bot:v1", "--yes").code == 0
            assert mf("store", "prune", "--yes").code == 0
            assert mf("store", "load", str(archive), "--replace").code == 0
            assert mf("store", "save", "bot:v1", "-o", str(tmp_path / "again.tar")).code == 0
            assert mf("store", "check", "--sizes-only").code == 0
        for writer in writers:
            expected |= json.loads(writer.communicate()[0])
        with connect(url) as client:
            store = ServerStore(client)
            found = {str(model.name): store.find(model.name) for model in store.list() if not is_internal(model.name)}
    assert {name: stored and stored.model.system for name, stored in found.items()} == expected
    assert mf("store", "check").out == f"{folder} is sound\n"
