"""Builds on bases that a lock records, once their tag has moved: a real server, and Debian's docker-registry."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from tests.live.test_registries import request
from tests.support.cli import Ran, mf
from tests.support.real_ollama import serve
from tests.support.registry import available, registry
from tests.support.repository import commit, git
from tests.support.server import connect

from modelfile.cli.locations import _open_server
from modelfile.cli.options import _open_registries
from modelfile.manifest import Manifest
from modelfile.names import ModelName
from modelfile.stores.backups import is_pin_alias
from modelfile.stores.ollama.store import ServerStore

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not available(), reason="docker-registry is not installed (apt-get install docker-registry)"),
]


class Scene:
    """A project, a server that makes bases, and a registry that they are pushed to."""

    def __init__(self, folder: Path, url: str, host: str) -> None:
        self.folder = folder
        self.url = url
        self.base = f"{host}/team/base:main"
        (folder / "Modelfile").write_text(f"# A bot.\nFROM {self.base}\nPARAMETER top_k 7\n")

    def push(self, system: str) -> None:
        """Give the tag of the base another model, on the server and in the registry."""
        text = f"# For tests.\nFROM ./tiny.gguf\nSYSTEM {system}\nPARAMETER seed 1\n"
        (self.folder / "base.Modelfile").write_text(text)
        assert self.mf("build", f"{system}:main", "-f", "base.Modelfile").code == 0
        request(self.url, "/api/copy", source=f"{system}:main", destination=self.base)
        request(self.url, "/api/push", model=self.base, insecure=True)
        self.remove(f"{system}:main")

    def forget(self, kind: str) -> None:
        """Remove a layer of the pinned base from the registry."""
        base = json.loads((self.folder / "mf.lock").read_text())["modelfiles"]["Modelfile"]["base"]
        layers = Manifest.parse(base["manifest"], "it").layers
        digest = next(layer.digest for layer in layers if layer.kind == kind)
        url = f"http://{self.base.partition('/')[0]}/v2/team/base/blobs/{digest}"
        with urlopen(Request(url, method="DELETE"), timeout=60) as answer:
            assert answer.status == 202

    def mf(self, *arguments: str, host: str = "") -> Ran:
        """Run `mf` on this server, or on another one."""
        at = {"OLLAMA_HOST": host or self.url}
        return mf(*arguments, environ=at, open_store=_open_server, open_registry=_open_registries)

    def build(self, name: str, *options: str, host: str = "") -> Any:
        """Build a model by the lock, and return the JSON."""
        ran = self.mf("build", name, "--locked", "--json", *options, host=host)
        assert ran.code == 0, ran
        return json.loads(ran.out)

    def remove(self, name: str) -> None:
        """Remove a model from the server."""
        with connect(self.url) as client:
            ServerStore(client).delete(ModelName.parse(name))


def fingerprint_of(url: str, name: str) -> str:
    with connect(url) as client:
        found = ServerStore(client).find(ModelName.parse(name))
    assert found
    return found.fingerprint


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, real: str, tiny: Path) -> Iterator[Scene]:
    (tmp_path / ".git").mkdir()
    shutil.copy(tiny, tmp_path / "tiny.gguf")
    monkeypatch.chdir(tmp_path)
    with registry() as host:
        scene = Scene(tmp_path, real, host)
        scene.push("old")
        assert scene.mf("pin", "Modelfile").code == 0
        pinned = json.loads((tmp_path / "mf.lock").read_text())["modelfiles"]["Modelfile"]["base"]
        assert (pinned["source"], pinned["fingerprint"]) == (f"http://{host}", fingerprint_of(real, scene.base))
        yield scene


def test_a_pinned_model_is_rebuilt_from_the_alias_after_its_tag_moved(scene: Scene) -> None:
    first = scene.build("bot:main")
    with connect(scene.url) as client:
        aliases = [model.name for model in ServerStore(client).list() if is_pin_alias(model.name)]
    assert len(aliases) == 1
    scene.push("new")
    scene.remove("bot:main")
    plan = scene.build("bot:main", "--dry-run")
    assert [step["do"] for step in plan["steps"]] == ["create", "publish"]
    assert plan["steps"][0]["request"]["from"] == plan["base"]["name"] == str(aliases[0])
    assert scene.build("bot:main")["fingerprint"] == first["fingerprint"]
    assert scene.build("other:main")["fingerprint"] == first["fingerprint"]
    assert fingerprint_of(scene.url, scene.base) != fingerprint_of(scene.url, str(aliases[0]))
    assert scene.build("bot:main")["built"] is False


def test_a_server_that_never_had_the_base_gets_it_by_its_digests(scene: Scene) -> None:
    first = scene.build("bot:main")
    scene.push("new")
    with serve() as second:
        plan = scene.build("bot:main", "--dry-run", host=second)
        assert [step["do"] for step in plan["steps"]] == ["fetch", "create", "publish"]
        assert scene.build("bot:main", host=second)["fingerprint"] == first["fingerprint"]
        assert scene.base not in scene.mf("ls", host=second).out, "the tag was not pulled"
        assert scene.build("other:main", host=second)["fingerprint"] == first["fingerprint"]


def test_a_base_that_nobody_has_is_an_error_with_its_layers(scene: Scene) -> None:
    scene.push("new")
    scene.forget("system")
    with serve() as second:
        ran = scene.mf("build", "bot:main", "--locked", host=second)
        assert ran.code == 3
        lines = ran.err.splitlines()
        assert lines[0].startswith(f"error: the locked base {scene.base} (mf1:")
        assert lines[0].endswith(f") is not on {second}")
        source = f"http://{scene.base.partition('/')[0]}"
        assert lines[1] == f"  {source} has another model under this tag now"
        assert [line.split()[1] for line in lines[2:-2]] == ["model", "system", "params", "config"]
        assert lines[-2].startswith("  last seen at 20")
        assert lines[-2].endswith(f"Z in {source}")
        request(second, "/api/pull", model=scene.base, insecure=True)
        again = scene.mf("build", "bot:main", "--locked", host=second)
        assert again.code == 3
        assert again.err.startswith(f"error: {scene.base} has changed since `mf pin` (mf1:")
        assert [line.split()[1] for line in again.err.splitlines() if "missing:" in line] == ["system", "config"]
        assert scene.mf("ls", host=second).out.count(scene.base) == 1


def test_a_tag_that_the_registry_still_has_is_pulled_after_a_backup(scene: Scene) -> None:
    first = scene.build("bot:main")
    with serve() as second:
        scene.push("new")
        request(second, "/api/pull", model=scene.base, insecure=True)
        moved = fingerprint_of(second, scene.base)
        scene.push("old")
        plan = scene.build("bot:main", "--dry-run", host=second)
        assert [step["do"] for step in plan["steps"]] == ["backup", "pull", "pin_base", "create", "publish"]
        assert scene.build("bot:main", host=second)["fingerprint"] == first["fingerprint"]
        assert fingerprint_of(second, scene.base) != moved
        assert scene.mf("rollback", scene.base, host=second).code == 0
        assert fingerprint_of(second, scene.base) == moved
        assert scene.build("bot:other", host=second)["fingerprint"] == first["fingerprint"]


def test_a_moved_tag_is_reported_updated_verified_and_found(scene: Scene) -> None:
    (scene.folder / ".git").rmdir()
    git(scene.folder, "init", "-q")
    commit(scene.folder, 1)
    first = scene.build("bot:main")
    old = json.loads((scene.folder / "mf.lock").read_text())["modelfiles"]["Modelfile"]["base"]
    assert scene.mf("outdated", "Modelfile").code == 0
    assert scene.mf("verify", "bot:main", scene.base).code == 0

    scene.push("new")
    ran = scene.mf("outdated", "Modelfile", "--json", host="http://127.0.0.1:9")
    (moved,) = json.loads(ran.out)["bases"]
    assert (ran.code, moved["status"], moved["locked"]["digest"]) == (1, "outdated", old["digest"])
    assert [change["layer"] for change in moved["changes"]] == ["system", "config"]
    assert scene.mf("verify", "bot:main").code == 0
    ran = scene.mf("verify", scene.base, "--json")
    (base,) = json.loads(ran.out)["models"]
    assert (ran.code, base["status"], base["expected"]) == (1, "different", old["fingerprint"])
    (change,) = base["changes"]
    assert (change["aspect"], change["old"], change["new"]) == ("system", "old", "new")
    assert base["notes"][0] == "its pin alias has the locked one, from which `mf build` builds"

    found = json.loads(scene.mf("find", old["digest"][:20], "--json").out)["digests"]
    assert [one["digest"] for one in found] == [old["digest"]]
    assert [(one["location"], one["kind"]) for one in found[0]["occurrences"]] == [
        ("lock", "manifest"),
        ("history", "manifest"),
        ("server", "pin alias"),
    ]

    ran = scene.mf("update", "--json", host="http://127.0.0.1:9")
    updated = json.loads(ran.out)
    assert (ran.code, updated["message"].splitlines()[0]) == (0, f"Update {scene.base} in mf.lock")
    assert [base["parts"] for base in updated["bases"]] == [["system"]]
    (model,) = [one for one in updated["models"] if one["modelfile"] == "Modelfile"]
    assert (model["previous"], model["inherited"]) == (first["fingerprint"], ["system"])
    assert scene.mf("outdated", "Modelfile").code == 0
    commit(scene.folder, 5)

    ran = scene.mf("verify", "bot:main", "--json")
    (bot,) = json.loads(ran.out)["models"]
    assert (ran.code, bot["notes"]) == (1, ["it is an older one: mf.lock had it from 2026-11-01 until 2026-11-05"])
    assert scene.build("bot:main")["fingerprint"] == model["current"]
    assert scene.mf("verify", "bot:main", scene.base).code == 0
    past = json.loads(scene.mf("find", first["fingerprint"], "--json").out)["digests"][0]["occurrences"]
    ends = [one["until"] for one in past if one["location"] == "history" and one["modelfile"] == "Modelfile"]
    assert [end["time"] for end in ends] == ["2026-11-05T12:00:00+00:00"]


@pytest.mark.parametrize("kinds", [("",), ("", "q8_0"), ("q8_0", ""), ("q8_0",)])
def test_what_a_build_adds_to_the_lock_is_what_a_pin_records(scene: Scene, kinds: tuple[str, ...]) -> None:
    (scene.folder / "base.Modelfile").unlink()
    (scene.folder / "local.Modelfile").write_text("# Local.\nFROM ./tiny.gguf\nPARAMETER top_k 3\n")
    (scene.folder / "other.Modelfile").write_text(f"# Another.\nFROM {scene.base}\nSYSTEM other\n")
    tables = [f'[models.m{number}]\nmodelfile = "local.Modelfile"\ntag = "main"\n' for number in range(len(kinds))]
    text = "".join(
        table + (f'quantize = "{kind}"\n' if kind else "") for table, kind in zip(tables, kinds, strict=True)
    )
    (scene.folder / "mf.toml").write_text(f'{text}[models.other]\nmodelfile = "other.Modelfile"\ntag = "main"\n')
    ran = scene.mf("build", "--json")
    assert (ran.code, sorted(ran.err.splitlines())) == (
        0,
        ["added `local.Modelfile` to mf.lock", "added `other.Modelfile` to mf.lock"],
    )
    path = scene.folder / "mf.lock"
    added = path.read_bytes()
    lock = json.loads(added)
    assert lock["modelfiles"]["other.Modelfile"]["base"] == lock["modelfiles"]["Modelfile"]["base"]
    del lock["modelfiles"]["local.Modelfile"], lock["modelfiles"]["other.Modelfile"]
    path.write_text(json.dumps(lock))
    assert scene.mf("pin").code == 0
    assert path.read_bytes() == added
    assert scene.mf("build", "--locked").code == 0
