"""`mf push`, and copies and pulls between a folder and a server."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from tests.fakes.hostile import error
from tests.fakes.registry import FakeRegistry
from tests.fakes.store import published
from tests.support.cli import Ran, mf

from modelfile.cli.options import _open_registries
from modelfile.errors import ExitCode
from modelfile.stores.memory import MemoryStore

WEIGHTS = b"GGUF weights"


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as fake:
        fake.push("team/bot", "v1", published(WEIGHTS, system="hello", template="{{ .System }} {{ .Prompt }}"))
        yield fake


class Scene:
    """A folder with a model of a registry, and a server."""

    def __init__(self, folder: Path, fake: FakeRegistry) -> None:
        self.folder = folder
        self.server = MemoryStore()
        self.bot = f"{fake.host}/team/bot:v1"
        self.other = f"{fake.host}/team/other:v1"

    def mf(self, *arguments: str, store: bool = True) -> Ran:
        """Run `mf` with the folder as MF_STORE."""
        environ = {"MF_STORE": str(self.folder / "models")} if store else {}
        return mf(
            *arguments,
            cwd=self.folder,
            environ=environ,
            open_registry=_open_registries,
            open_store=lambda _: nullcontext(self.server),
        )


@pytest.fixture
def scene(tmp_path: Path, fake: FakeRegistry) -> Scene:
    (tmp_path / ".git").mkdir()
    scene = Scene(tmp_path, fake)
    ran = scene.mf("pull", scene.bot)
    assert ran.code == ExitCode.CLEAN, ran
    assert ran.out.endswith("  (new)\n")
    return scene


def test_push_and_pull_again(scene: Scene, fake: FakeRegistry) -> None:
    assert scene.mf("cp", scene.bot, scene.other).code == ExitCode.CLEAN
    ran = scene.mf("push", scene.other, "--json")
    assert ran.code == ExitCode.CLEAN, ran
    digest = fake.tags["team/other"]["v1"]
    assert json.loads(ran.out) == [{"name": scene.other, "digest": digest, "previous": None}]
    assert b"/models" not in fake.blobs["team/other"][digest]
    assert scene.mf("push", scene.other).out == f"{scene.other}  {digest}  (unchanged)\n"
    assert scene.mf("rm", scene.other, scene.bot, "--yes").code == ExitCode.CLEAN
    assert scene.mf("pull", scene.other).code == ExitCode.CLEAN
    assert "hello" in scene.mf("show", scene.other).out


def test_push_over_another_model(scene: Scene, fake: FakeRegistry) -> None:
    fake.push("team/bot", "v1", published(WEIGHTS, system="other"))
    ran = scene.mf("push", scene.bot)
    assert ran.code == ExitCode.FAILED
    assert f"error: {scene.bot} on http://{fake.host} already has another model: mf1:" in ran.err
    assert "  changes: template, system (may change answers)\n" in ran.err
    assert "--replace" in ran.err
    assert scene.mf("push", scene.bot, "--replace").out.endswith("  (changed)\n")
    assert scene.mf("push", scene.bot).out.endswith("  (unchanged)\n")


def test_push_that_fails_does_not_stop_the_others(scene: Scene, fake: FakeRegistry) -> None:
    scene.mf("cp", scene.bot, scene.other)
    fake.fault("/v2/team/third/", error("denied", "403 Forbidden"))
    scene.mf("cp", scene.bot, third := scene.other.replace("other", "third"))
    ran = scene.mf("push", third, scene.other, "--json")
    assert ran.code == ExitCode.FAILED
    failed, done = json.loads(ran.out)
    assert "denies access" in failed["error"]["message"]
    assert done["name"] == scene.other


def test_push_to_a_registry_that_is_not_allowed(scene: Scene) -> None:
    (scene.folder / "mf.toml").write_text('registries = ["registry.example"]\n')
    ran = scene.mf("push", scene.bot)
    assert ran.code == ExitCode.FAILED
    assert ran.err.startswith(f"error: cannot push {scene.bot}: registry not allowed: `")


def test_copy_from_a_folder_to_the_server(scene: Scene) -> None:
    ran = scene.mf("cp", f"store:{scene.bot}", "bot:v1", "--host", "server")
    assert (ran.code, ran.out, ran.err) == (ExitCode.CLEAN, f"{scene.bot} -> bot:v1\n", "")
    assert scene.server.has_blob(f"sha256:{hashlib.sha256(WEIGHTS).hexdigest()}")
    again = scene.mf("cp", f"store:{scene.bot}", "bot:v1", "--host", "server", "--json")
    assert json.loads(again.out)["copied"] is False


def test_copy_over_another_model_of_the_server(scene: Scene, fake: FakeRegistry) -> None:
    scene.mf("cp", f"store:{scene.bot}", "bot:v1", "--host", "server")
    fake.push("team/bot", "v1", published(WEIGHTS, system="other"))
    scene.mf("pull", scene.bot, "--replace")
    copy = ("cp", f"store:{scene.bot}", "bot:v1", "--host", "server")
    refused = scene.mf(*copy)
    assert refused.code == ExitCode.FAILED
    assert "bot:v1 on memory: already has another model" in refused.err
    ran = scene.mf(*copy, "--replace", "--json")
    assert ran.code == ExitCode.CLEAN
    assert json.loads(ran.out)["backup"]
    assert "backup" not in scene.mf(*copy).out


def test_copy_out_of_a_server(scene: Scene) -> None:
    scene.mf("cp", f"store:{scene.bot}", "bot:v1", "--host", "server")
    ran = scene.mf("cp", "bot:v1", "store:bot:v2", "--host", "server")
    assert ran.code == ExitCode.USAGE
    assert "a server does not give out weights" in ran.err
    assert "--store" in ran.err


def test_copy_within_the_folder(scene: Scene) -> None:
    ran = scene.mf("cp", f"store:{scene.bot}", "store:bot:v2")
    assert (ran.code, ran.out) == (ExitCode.CLEAN, f"{scene.bot} -> bot:v2\n")
    assert scene.server.list() == ()


def test_pull_through_a_folder_to_the_server(scene: Scene, fake: FakeRegistry) -> None:
    models = str(scene.folder / "other")
    pull = ("pull", scene.bot, "--store", models, "--host", "server")
    ran = scene.mf(*pull, store=False)
    assert (ran.code, ran.err) == (ExitCode.CLEAN, "")
    assert ran.out.endswith("  (new)\n")
    assert [str(model.name) for model in scene.server.list()] == [scene.bot]
    assert scene.mf("ls", "--store", models, store=False).out.count(scene.bot) == 1
    assert scene.mf(*pull, store=False).out.endswith("  (unchanged)\n")
    fake.push("team/bot", "v1", published(WEIGHTS, system="other"))
    refused = scene.mf(*pull, store=False)
    assert refused.code == ExitCode.FAILED
    assert "is an immutable tag and has another model" in refused.err
    done = scene.mf(*pull, "--replace", "--json", store=False)
    assert done.code == ExitCode.CLEAN, done
    assert json.loads(done.out)[0]["backup"]
