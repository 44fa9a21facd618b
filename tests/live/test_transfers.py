"""Pulls and pushes of a folder: Debian's docker-registry, and a real server that pulls, pushes and resumes alike."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from tests.live.test_registries import request
from tests.support.cli import Ran, mf
from tests.support.killing import run_killed
from tests.support.real_ollama import serve
from tests.support.registry import available, registry

from modelfile.cli.locations import _open_server
from modelfile.cli.options import _open_registries
from modelfile.errors import RegistryUnreachable
from modelfile.events import ignore
from modelfile.manifest import CONFIG_TYPE, LAYER_TYPE, MEDIA_TYPE
from modelfile.names import ModelName
from modelfile.stores.disk.store import FolderStore
from modelfile.stores.network.retry import Backoff
from modelfile.stores.open import open_folder, open_registry

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not available(), reason="docker-registry is not installed (apt-get install docker-registry)"),
]
SIZE = 30_000_000
CUT = 10_000_000
"""Bytes after which the registry that cuts closes each connection."""


def run(*arguments: str, models: Path, host: str = "") -> Ran:
    """Run `mf` on a folder, and with a server."""
    environ = {"MF_STORE": str(models)} | ({"OLLAMA_HOST": host} if host else {})
    return mf(*arguments, environ=environ, open_store=_open_server, open_registry=_open_registries)


def write(store: FolderStore, name: ModelName) -> None:
    """Write a model of 30 MB of noise, as Ollama would have pulled it."""
    layers = []
    for media_type, content in (
        (CONFIG_TYPE, b'{"model_format":"gguf","model_family":"llama"}'),
        (f"{LAYER_TYPE}model", b"GGUF" + random.Random(15).randbytes(SIZE - 4)),  # noqa: S311  # the same in every run
        (f"{LAYER_TYPE}system", b"hello"),
    ):
        digest, size = store.blobs.put(content)
        layers.append({"mediaType": media_type, "digest": digest, "size": size})
    head = {"schemaVersion": 2, "mediaType": MEDIA_TYPE, "config": layers[0], "layers": layers[1:]}
    store.write_manifest(name, json.dumps(head, separators=(",", ":")))


@pytest.fixture(params=[None])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Yield a registry that has team/big:main."""
    with (
        registry(cut_after=request.param) as host,
        open_registry() as client,
        open_folder(tmp_path / "source", registry=client) as store,
    ):
        name = ModelName.parse(f"{host}/team/big:main")
        write(store, name)
        store.push(name, ignore)
        yield host


cuts = pytest.mark.parametrize("host", [CUT], indirect=True)


def contents(models: Path) -> dict[str, bytes]:
    return {str(path.relative_to(models)): path.read_bytes() for path in models.rglob("*") if path.is_file()}


def test_folder_has_the_files_of_a_server_that_pulled_alike(host: str, tmp_path: Path) -> None:
    name = f"{host}/team/big:main"
    assert run("pull", name, models=tmp_path / "ours").code == 0
    with serve(models=tmp_path / "theirs") as url:
        request(url, "/api/pull", model=name, insecure=True)
    assert contents(tmp_path / "ours") == contents(tmp_path / "theirs") == contents(tmp_path / "source")


def test_plain_registry_that_serves_blobs_itself(tmp_path: Path) -> None:
    with registry(redirects=False) as host, open_registry() as client:
        name = ModelName.parse(f"{host}/team/big:main")
        with open_folder(tmp_path / "source", registry=client) as store:
            write(store, name)
            store.push(name, ignore)
        assert run("pull", str(name), models=tmp_path / "ours").code == 0
    assert contents(tmp_path / "ours") == contents(tmp_path / "source")


def test_mirror(host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mf.toml").write_text(f'[mirrors]\n"registry.example" = "http://{host}"\n')
    ran = run("pull", "registry.example/team/big:main", models=tmp_path / "ours")
    assert ran.code == 0, ran
    assert (tmp_path / "ours/manifests/registry.example/team/big/main").is_file()


@cuts
def test_pull_over_a_network_that_cuts(host: str, tmp_path: Path) -> None:
    assert run("pull", f"{host}/team/big:main", models=tmp_path / "ours").code == 0
    assert contents(tmp_path / "ours") == contents(tmp_path / "source")


@cuts
def test_download_that_we_began_is_finished_by_ollama(host: str, tmp_path: Path) -> None:
    name = ModelName.parse(f"{host}/team/big:main")
    with serve(models=tmp_path / "models") as url:  # 0.9.3 removes partial downloads when it starts
        with (
            open_registry(backoff=Backoff(tries=1)) as client,
            open_folder(tmp_path / "models", registry=client) as store,
            pytest.raises(RegistryUnreachable, match="cannot download the model of"),
        ):
            store.pull(name, ignore)
        assert not [path for path in contents(tmp_path / "models") if path.startswith("manifests/")]
        body = json.dumps({"model": str(name), "insecure": True}).encode()
        with urlopen(Request(f"{url}/api/pull", body), timeout=60) as answer:  # noqa: S310  # a server of the test
            lines = [json.loads(line) for line in answer]
        begun = next(line["completed"] for line in lines if line.get("total") == SIZE and line.get("completed"))
        assert begun >= CUT
        assert lines[-1] == {"status": "success"}
    assert contents(tmp_path / "models") == contents(tmp_path / "source")


@cuts
def test_download_that_ollama_began_is_finished_by_us(host: str, tmp_path: Path) -> None:
    name = f"{host}/team/big:main"
    with serve(models=tmp_path / "models") as url:
        body = json.dumps({"model": name, "insecure": True}).encode()
        with urlopen(Request(f"{url}/api/pull", body), timeout=60) as answer:  # noqa: S310  # a server of the test
            for line in answer:
                if json.loads(line).get("completed", 0) >= CUT:
                    break  # hanging up ends the pull
    (part,) = (tmp_path / "models/blobs").glob("*-partial-0")
    assert CUT <= json.loads(part.read_text())["Completed"] < SIZE
    with (
        open_registry() as client,
        open_folder(tmp_path / "models", registry=client) as store,
    ):
        begun: list[int] = []
        store.pull(ModelName.parse(name), lambda event: begun.append(event.completed) if event.total else None)
    assert begun[0] >= CUT
    assert contents(tmp_path / "models") == contents(tmp_path / "source")


def test_server_pulls_what_we_push_and_we_what_it_pushes(host: str, tmp_path: Path, tiny: Path, real: str) -> None:
    (tmp_path / "Modelfile").write_text(f"# A bot.\nFROM {tiny}\nSYSTEM Be brief.\nLICENSE MIT\nPARAMETER seed 1\n")
    name = f"{host}/team/bot:v1"
    models = tmp_path / "ours"
    assert mf("build", name, "-f", str(tmp_path / "Modelfile"), "--host", real, open_store=_open_server).code == 0
    pushed = run("push", name, "--host", real, models=models, host=real)
    assert (pushed.code, pushed.out.split()[-1]) == (0, "(new)"), pushed
    assert run("push", name, "--host", real, models=models).out.endswith("(unchanged)\n")
    assert run("pull", name, models=models).code == 0
    assert run("diff", f"store:{name}", name, "--host", real, models=models).code == 0
    other = f"{host}/team/other:v1"
    assert run("cp", name, other, models=models).code == 0
    assert run("push", other, models=models).out.endswith("(new)\n")
    request(real, "/api/pull", model=other, insecure=True)
    assert run("diff", f"store:{name}", other, "--host", real, models=models).code == 0


def test_folder_gives_a_server_the_same_model(host: str, tmp_path: Path, tiny: Path, real: str) -> None:
    (tmp_path / "Modelfile").write_text(f"# A bot.\nFROM {tiny}\nSYSTEM Be brief.\nLICENSE MIT\nPARAMETER seed 1\n")
    name, models = f"{host}/team/bot:v1", tmp_path / "ours"
    with serve(models=models) as first:
        assert mf("build", name, "-f", str(tmp_path / "Modelfile"), "--host", first, open_store=_open_server).code == 0
        request(first, "/api/push", model=name, insecure=True)
        copied = run("cp", f"store:{name}", "copy:v1", "--host", real, models=models)
        assert copied.code == 0, copied
        assert run("diff", f"store:{name}", "copy:v1", "--host", real, models=models).code == 0
    both = ("pull", name, "--store", str(tmp_path / "new"), "--host", real)
    assert run(*both, models=models).out.endswith("(new)\n")
    assert run(*both, models=models).out.endswith("(unchanged)\n")


def test_pulls_that_are_killed_go_on(host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rounds: int) -> None:
    monkeypatch.setenv("MF_STORE", str(tmp_path / "ours"))
    chance = random.Random(15)  # noqa: S311  # no secret
    command = ("pull", f"{host}/team/big:main")
    for _ in range(6 * rounds):
        run_killed(command, chance.uniform(0, 0.6), tmp_path)
        found = contents(tmp_path / "ours") if (tmp_path / "ours").exists() else {}
        assert not [path for path in found if path.startswith("manifests/")] or found == contents(tmp_path / "source")
    assert run(*command, models=tmp_path / "ours").code == 0
    assert contents(tmp_path / "ours") == contents(tmp_path / "source")
