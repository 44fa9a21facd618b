"""Tests of `mf verify`: what a server has against the lock, and where a model that differs comes from."""

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import pytest
from tests.support.cli import Ran
from tests.support.repository import commit, git
from tests.support.scene import BASE, MOVED, NAME, Scene

from modelfile.events import ignore
from modelfile.names import ModelName
from modelfile.recipe.model import Model
from modelfile.recipe.recipe import Recipe
from modelfile.stores.backups import pin_alias
from modelfile.stores.memory import MemoryStore

BOT = ModelName.parse("bot:v1")
LISTED = '[models.bot]\nmodelfile = "Modelfile"\ntag = "v1"\n'


def store_of(model: Model, name: ModelName = NAME) -> MemoryStore:
    """Return a server that has pulled a model."""
    store = MemoryStore(registry={name: model})
    store.pull(name, ignore)
    return store


@pytest.fixture
def built(scene: Scene) -> Scene:
    """Return a scene in a repository, with a server that has the base, and the bot as it is pinned."""
    (scene.folder / ".git").rmdir()
    git(scene.folder, "init", "-q")
    (scene.folder / "mf.toml").write_text(LISTED)
    assert scene.mf("pin", "-q").code == 0
    commit(scene.folder, 1)
    scene.store = store_of(BASE)
    create(scene, "You are terse.")
    return scene


def create(scene: Scene, system: str) -> None:
    assert scene.store
    scene.store.create(BOT, Recipe(base="llama3.2:3b", system=system), {}, ignore)


def models(ran: Ran) -> Any:
    return {model["name"]: model for model in json.loads(ran.out)["models"]}


def test_what_is_as_pinned_passes_and_no_registry_is_asked(built: Scene) -> None:
    built.registry.asked.clear()
    built.registry.gone = True
    ran = built.mf("verify", "--json")
    assert ran.code == 0
    assert {name: model["status"] for name, model in models(ran).items()} == {"llama3.2:3b": "same", "bot:v1": "same"}
    assert built.registry.asked == []


def test_a_model_that_was_rebuilt_by_hand(built: Scene) -> None:
    create(built, "You are rude.")
    ran = built.mf("verify")
    assert ran.code == 1
    assert ran.out.splitlines()[2:] == [
        "  prompt (may change answers)",
        "    system",
        "      @@ -1 +1 @@",
        "      !You are [-terse-]{+rude+}.",
        "  no version of mf.lock has had it: it was rebuilt by hand, or from a Modelfile that was not pinned",
    ]
    assert ran.err == "1 of 2 models is not as in mf.lock\n"


def test_a_model_of_an_older_lock(built: Scene) -> None:
    built.registry.push(NAME, replace(BASE, system="Be quick.", parameters={}))
    assert built.mf("update", "-q").code == 0
    commit(built.folder, 7)
    found = models(built.mf("verify", "--json"))
    assert found["bot:v1"]["notes"] == ["it is an older one: mf.lock had it from 2026-11-01 until 2026-11-07"]
    assert [change["aspect"] for change in found["bot:v1"]["changes"]] == ["parameter", "parameter"]
    assert found["llama3.2:3b"]["notes"] == ["it is an older one: mf.lock had it from 2026-11-01 until 2026-11-07"]


def test_a_base_whose_tag_was_pulled_again(built: Scene) -> None:
    assert built.store
    locked = json.loads((built.folder / "mf.lock").read_text())["modelfiles"]["Modelfile"]["base"]["digest"]
    built.store.copy(NAME, pin_alias(NAME, locked))
    other = store_of(MOVED, ModelName.parse("other:v1"))
    built.store._registry |= other._registry  # noqa: SLF001  # what the server can pull
    built.store.pull(ModelName.parse("other:v1"), ignore)
    built.store.copy(ModelName.parse("other:v1"), NAME)
    (base,) = models(built.mf("verify", "llama3.2:3b", "--json")).values()
    assert (base["status"], base["notes"]) == (
        "different",
        [
            "its pin alias has the locked one, from which `mf build` builds",
            "no version of mf.lock has had it: its tag was pulled again, or it was built by hand",
        ],
    )
    assert "weights" in {change["aspect"] for change in base["changes"]}


def test_a_model_of_another_modelfile_of_the_lock(built: Scene) -> None:
    (built.folder / "other.Modelfile").write_text("# Another bot.\nFROM llama3.2:3b\nSYSTEM You are rude.\n")
    assert built.mf("pin", "-q").code == 0
    create(built, "You are rude.")
    assert models(built.mf("verify", "--json"))["bot:v1"]["notes"] == ["it is what `other.Modelfile` builds"]


def test_a_missing_model_fails_and_a_missing_base_only_if_it_is_named(built: Scene) -> None:
    assert built.store
    built.store.delete(NAME)
    ran = built.mf("verify")
    assert (ran.code, ran.out.splitlines()[0]) == (0, "llama3.2:3b: not on memory:, which need not have a base")
    assert built.mf("verify", "llama3.2:3b").code == 1
    built.store.delete(BOT)
    assert built.mf("verify").code == 1


def test_the_parts_are_not_named_if_they_cannot_be_known(built: Scene) -> None:
    create(built, "You are rude.")
    (built.folder / "Modelfile").write_text("# A bot.\nFROM llama3.2:3b\nSYSTEM You are kind.\n")
    (bot,) = models(built.mf("verify", "bot:v1", "--json")).values()
    assert (bot["changes"], bot["notes"][-1]) == (
        [],
        "its parts cannot be compared: `Modelfile` has changed since `mf pin`",
    )
    (built.folder / "Modelfile").write_text("# A bot.\nFROM llama3.2:3b\nSYSTEM You are terse.\n")
    built.registry.cached.clear()
    built.registry.gone = True
    assert built.store
    built.store.delete(NAME)
    (bot,) = models(built.mf("verify", "bot:v1", "--json")).values()
    assert bot["notes"][-1].startswith("its parts cannot be compared: cannot read the template (sha256:")


def test_quantized_models_are_not_compared(scene: Scene) -> None:
    (scene.folder / "mf.toml").write_text(f'{LISTED}quantize = "q4_K_M"\n')
    scene.registry.push(NAME, Model(weights=BASE.weights))
    scene.store = store_of(Model(weights=BASE.weights))
    assert scene.mf("pin", "-q").code == 0
    create(scene, "You are terse.")
    found = models(scene.mf("verify", "--json"))
    assert (found["bot:v1"]["status"], found["bot:v1"]["expected"]) == ("unknown", None)


def test_a_lock_of_another_folder_is_verified_with_all(built: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = built.folder / "docs"
    inner.mkdir()
    (inner / "Modelfile").write_text("# A bot.\nFROM llama3.2:3b\n")
    assert built.mf("pin", "-q").code == 0
    monkeypatch.chdir(inner)
    assert list(models(built.mf("verify", "--json"))) == ["llama3.2:3b"]
    assert list(models(built.mf("verify", "--all", "--json"))) == ["llama3.2:3b", "bot:v1"]


def test_junit_is_xml_with_a_case_for_each_model(built: Scene) -> None:
    create(built, "<rude> & \x1b[31m")
    ran = built.mf("verify", "--format", "junit")
    root = ET.fromstring(ran.out)  # noqa: S314  # our own
    cases = root.findall("./testsuite/testcase")
    assert [(case.get("name"), case.find("failure") is not None) for case in cases] == [
        ("llama3.2:3b", False),
        ("bot:v1", True),
    ]
    assert (ran.code, root.get("failures"), "\x1b" in ran.out) == (1, "1", False)


def test_no_server_is_an_error(scene: Scene) -> None:
    assert scene.mf("pin", "-q").code == 0
    assert scene.mf("verify") == Ran(
        3,
        "",
        "error: no Ollama server answers at http://127.0.0.1:9\n"
        "help: start one with `ollama serve`, name another with --host or OLLAMA_HOST, or use a folder with --store\n",
    )


def test_a_name_without_a_tag_gets_a_hint_that_verify_takes(built: Scene) -> None:
    ran = built.mf("verify", "other")
    assert (ran.code, ran.err) == (2, "error: `other` has no tag\nhelp: name its tag, as in `mf verify other:v1`\n")
