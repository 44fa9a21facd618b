"""Builds that add to the lock, and those that trust it."""

import json
import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from tests.support.cli import Ran, mf
from tests.unit.builder.test_bases import BASE, MOVED, NAME, Registries, Server

from modelfile.errors import RegistryUnreachable
from modelfile.names import ModelName
from modelfile.recipe.model import fingerprint
from modelfile.stores.protocol import find_listed

ADDED = "added `Modelfile` to mf.lock\n"


class Scene:
    """A project with a lock that has no entry yet, its registries and its server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.registry = Registries()
        self.server = Server(url="http://server:11434", published={NAME: BASE})
        self.server.have(BASE)
        (folder / "other.Modelfile").write_text("# Another.\nFROM qwen3:8b\n")
        self.registry.push(ModelName.parse("qwen3:8b"), MOVED)
        assert self.mf("pin", "other.Modelfile").code == 0
        self.registry.asked.clear()

    def mf(self, *arguments: str) -> Ran:
        """Run `mf`."""
        return mf(
            *arguments,
            open_store=lambda _: nullcontext(self.server),
            open_registry=lambda _: nullcontext(self.registry),
        )

    @property
    def pins(self) -> Any:
        """The entries of the lock."""
        return json.loads((self.folder / "mf.lock").read_text())["modelfiles"]


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    (tmp_path / ".git").mkdir()
    (tmp_path / "Modelfile").write_text("# A bot.\nFROM llama3.2:3b\nSYSTEM Be brief.\n")
    monkeypatch.chdir(tmp_path)
    return Scene(tmp_path)


def test_a_new_modelfile_is_added_once_it_is_built(scene: Scene) -> None:
    assert scene.mf("build", "bot:v1", "--dry-run").code == 0
    assert scene.pins.keys() == {"other.Modelfile"}
    ran = scene.mf("build", "bot:v1", "--json")
    assert (ran.code, ran.err) == (0, ADDED)
    pin = scene.pins["Modelfile"]
    assert pin["fingerprint"] == json.loads(ran.out)["fingerprint"]
    assert pin["base"]["source"] == "https://registry.ollama.ai"
    assert scene.registry.asked == ["llama3.2:3b"]
    again = scene.mf("build", "bot:v1", "--locked")
    assert (again.code, again.err) == (0, "")


def test_a_project_without_a_lock_gets_none(scene: Scene) -> None:
    (scene.folder / "mf.lock").unlink()
    assert scene.mf("build", "bot:v1").code == 0
    assert not (scene.folder / "mf.lock").exists()
    assert scene.registry.asked == []


def test_a_build_that_fails_adds_nothing(scene: Scene) -> None:
    (scene.folder / "Modelfile").write_text("# A bot.\nFROM missing:3b\n")
    assert scene.mf("build", "bot:v1").code == 3
    assert scene.pins.keys() == {"other.Modelfile"}


def test_what_was_built_is_pinned_where_the_registry_has_a_newer_base(scene: Scene) -> None:
    scene.registry.push(NAME, MOVED)
    ran = scene.mf("build", "bot:v1", "--json")
    assert (ran.code, ran.err) == (0, ADDED)
    base = scene.pins["Modelfile"]["base"]
    assert (base["source"], base["fingerprint"]) == ("server", fingerprint(BASE))
    assert scene.pins["Modelfile"]["fingerprint"] == json.loads(ran.out)["fingerprint"]
    again = scene.mf("build", "bot:v1")
    assert (again.code, again.err) == (0, "")


def test_a_new_modelfile_is_built_on_the_base_that_the_lock_has(scene: Scene) -> None:
    (scene.folder / "first.Modelfile").write_text("# First.\nFROM llama3.2:3b\n")
    assert scene.mf("build", "first:v1", "-f", "first.Modelfile").code == 0
    assert scene.mf("build", "first:v2", "-f", "first.Modelfile").code == 0
    scene.server.have(MOVED)
    scene.registry.push(NAME, MOVED)
    ran = scene.mf("build", "bot:v1", "--dry-run", "--json")
    assert json.loads(ran.out)["base"]["fingerprint"] == fingerprint(BASE)
    assert scene.mf("build", "bot:v1").code == 0
    assert scene.pins["Modelfile"]["base"] == scene.pins["first.Modelfile"]["base"]


def test_an_entry_that_cannot_be_added_is_a_warning(scene: Scene) -> None:
    scene.registry.error = RegistryUnreachable("cannot connect to registry.ollama.ai")
    ran = scene.mf("build", "bot:v1", "--json")
    assert ran.code == 0
    assert ran.err.startswith("warning: `Modelfile` was not added to mf.lock: cannot pin base llama3.2:3b: cannot co")
    assert scene.pins.keys() == {"other.Modelfile"}


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_checkout_is_a_warning(scene: Scene) -> None:
    (scene.folder / "mf.lock").chmod(0o400)
    scene.folder.chmod(0o500)
    try:
        ran = scene.mf("build", "bot:v1", "--json")
    finally:
        scene.folder.chmod(0o700)
    assert ran.code == 0
    assert ran.err.startswith("warning: `Modelfile` was not added to mf.lock: ")


def test_a_stale_entry_is_not_replaced(scene: Scene) -> None:
    assert scene.mf("build", "bot:v1").code == 0
    before = (scene.folder / "mf.lock").read_bytes()
    (scene.folder / "Modelfile").write_text("# A bot.\nFROM llama3.2:3b\nSYSTEM Be long.\n")
    ran = scene.mf("build", "bot:v2", "--json")
    assert (ran.code, ran.err.splitlines()[0]) == (0, "warning: mf.lock is out of date for bot:v2")
    assert (scene.folder / "mf.lock").read_bytes() == before


def test_a_quantization_of_the_command_line_is_not_added(scene: Scene) -> None:
    scene.mf("build", "bot:v1", "--quantize", "q8_0")
    assert scene.pins.keys() == {"other.Modelfile"}


def test_frozen_needs_the_bases_and_asks_no_registry(scene: Scene) -> None:
    ran = scene.mf("build", "bot:v1", "--frozen")
    assert ran.code == 3
    assert ran.err.splitlines() == [
        "error: mf.lock does not have the bases of what is to be built",
        "  Modelfile: its base llama3.2:3b is not in the lock",
        "help: run `mf pin`, or leave out --frozen",
    ]
    assert scene.mf("pin").code == 0
    scene.registry.asked.clear()
    written = (scene.folder / "mf.lock").read_bytes()
    (scene.folder / "Modelfile").write_text("# A bot.\nFROM qwen3:8b\n")
    assert "its base qwen3:8b is not in the lock" in scene.mf("build", "bot:v1", "--frozen").err
    (scene.folder / "Modelfile").write_text("# A bot.\nFROM llama3.2:3b\nSYSTEM Be long.\n")
    scene.server.have(MOVED)
    ran = scene.mf("build", "bot:v1", "--frozen")
    assert "llama3.2:3b has changed since `mf pin` (mf1:" in ran.err
    scene.server.have(BASE)
    assert scene.mf("build", "bot:v1", "--frozen").code == 0
    assert (scene.registry.asked, (scene.folder / "mf.lock").read_bytes()) == ([], written)


def test_frozen_and_locked_exclude_each_other(scene: Scene) -> None:
    ran = scene.mf("build", "bot:v1", "--frozen", "--locked")
    assert (ran.code, ran.err.splitlines()[0]) == (2, "error: --locked and --frozen cannot be used together")


def test_a_pull_is_shown_in_the_plan_and_done_by_a_plan_file(scene: Scene) -> None:
    assert scene.mf("pin").code == 0
    scene.server.have(MOVED)
    moved = find_listed(NAME, scene.server.list())
    assert moved
    alias = scene.pins["Modelfile"]["base"]["digest"][7:]
    ran = scene.mf("build", "bot:v1", "--plan-out", "plan.json")
    assert ran.out.splitlines() == [
        "bot:v1 on http://server:11434, Ollama 0.9.3",
        "  current      none",
        "  back up      llama3.2:3b, for `mf rollback`",
        f"  pull         llama3.2:3b, instead of {moved.digest[7:19]}, for all users of the server",
        f"  pin base     llama3.2:3b as llama3.2:sha256-{alias[:12]}…",
        f"  create       from llama3.2:sha256-{alias[:12]}…, and verify",
        "  publish      as bot:v1",
        f"  fingerprint  {scene.pins['Modelfile']['fingerprint']}",
    ]
    (plan,) = json.loads((scene.folder / "plan.json").read_text())["plans"]
    assert plan["steps"][:3] == [
        {
            "do": "backup",
            "name": "llama3.2:3b",
            "alias": f"llama3.2:sha256-{moved.digest[7:]}-3b",
            "evicted": [],
        },
        {"do": "pull", "name": "llama3.2:3b", "replaced": moved.digest},
        {"do": "pin_base", "name": "llama3.2:3b", "alias": f"llama3.2:sha256-{alias}", "replaced": None},
    ]
    scene.server.publish(BASE)
    assert scene.mf("build", "--plan", "plan.json").code == 0
    assert scene.mf("build", "bot:v1", "--dry-run", "--exit-code").code == 0
