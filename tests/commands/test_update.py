"""Tests of `mf update`: where the old contents come from, and what is said where they are gone."""

import json
from dataclasses import replace

import pytest
from tests.support.cli import Ran
from tests.support.scene import BASE, MOVED, NAME, Recording, Scene

from modelfile.events import ignore
from modelfile.manifest import Manifest
from modelfile.names import ModelName
from modelfile.stores.backups import pin_alias
from modelfile.stores.memory import MemoryStore

LONG = f"team/{'a' * 40}:{'b' * 40}"


def test_nothing_moved_is_no_message_and_no_change(scene: Scene) -> None:
    assert scene.mf("pin", "-q").code == 0
    written = (scene.folder / "mf.lock").read_bytes()
    for options in ([], ["--message"], ["--dry-run"]):
        assert scene.mf("update", *options).out == ""
    found = json.loads(scene.mf("update", "--json").out)
    assert found == {"version": 1, "message": None, "bases": [], "models": [], "pins": []}
    assert (scene.folder / "mf.lock").read_bytes() == written


def test_only_the_message_goes_to_standard_output(scene: Scene) -> None:
    assert scene.mf("pin", "-q").code == 0
    scene.registry.push(NAME, replace(BASE, system="Be quick."))
    ran = scene.mf("update", "--message")
    subject, empty, *body = ran.out.splitlines()
    assert (subject, empty) == ("Update llama3.2:3b in mf.lock", "")
    assert [line for line in body if line.startswith("  ")] == [
        "  changed: system",
        "  unchanged, as the Modelfile sets it: system",
        "  the same contents as before",
    ]
    assert ran.err == "mf.lock is up to date\n"


def test_a_subject_is_never_too_long(scene: Scene) -> None:
    name = ModelName.parse(LONG)
    scene.registry.push(name, BASE)
    (scene.folder / "Modelfile").write_text(f"# A bot.\nFROM {LONG}\n")
    assert scene.mf("pin", "-q").code == 0
    scene.registry.push(name, MOVED)
    assert scene.mf("update", "--message").out.splitlines()[0] == "Update a base in mf.lock"


def test_what_is_missing_of_the_old_base_is_said_and_its_layers_are_compared(scene: Scene) -> None:
    assert scene.mf("pin", "-q").code == 0
    scene.registry.cached.clear()
    scene.registry.push(NAME, replace(BASE, template="{{ .Prompt }}!"))
    scene.registry.lost[BASE.template.encode()] = "registry.ollama.ai has no such layer"
    ran = scene.mf("update")
    assert ran.code == 0
    heading, note, model, also = ran.out.splitlines()
    assert heading.startswith("llama3.2:3b  sha256:")
    assert note.startswith("  changed: template; not compared: cannot read the template (sha256:")
    assert model.startswith("Modelfile  mf1:")
    assert also.startswith("  not compared: cannot read the template")
    assert scene.mf("outdated").code == 0


def test_without_a_network_nothing_changes(scene: Scene) -> None:
    assert scene.mf("pin", "-q").code == 0
    written, scene.registry.gone = (scene.folder / "mf.lock").read_bytes(), True
    for options in (["--message"], ["--json"], ["--format", "markdown"]):
        ran = scene.mf("update", *options)
        assert ran.code == 3
        assert ran.err.startswith("error: cannot pin base llama3.2:3b: cannot connect to registry.ollama.ai\n")
    assert (scene.folder / "mf.lock").read_bytes() == written


def test_the_old_base_of_a_server_is_read_from_its_pin_alias(scene: Scene) -> None:
    name, other = ModelName.parse("team-a:v1"), ModelName.parse("other:v1")
    (scene.folder / "Modelfile").write_text("# A bot.\nFROM team-a:v1\n")
    scene.store = store = MemoryStore.with_models("team-a:v1", "other:v1")
    assert scene.mf("pin", "-q").code == 0
    found = store.find(name)
    assert found
    store.copy(name, pin_alias(name, found.digest))
    store.copy(other, name)
    ran = scene.mf("update", "--dry-run", "--json")
    (base,) = json.loads(ran.out)["bases"]
    assert (base["parts"], base["missing"]) == (["weights"], None)
    store.delete(pin_alias(name, found.digest))
    ran = scene.mf("update", "--dry-run")
    assert "not compared: team-a:v1 on memory: has changed since `mf pin`" in ran.out


def test_secrets_are_redacted_in_every_format(scene: Scene) -> None:
    assert scene.mf("pin", "-q").code == 0
    token = "hf_" + "a1B2c3D4e5" * 4
    scene.registry.push(NAME, replace(BASE, template=f"{{{{ .Prompt }}}} {token}"))
    for options in ([], ["--message"], ["--json"], ["--format", "markdown"]):
        assert token not in scene.mf("update", "--dry-run", *options).out


def test_markup_in_values_stays_code(scene: Scene) -> None:
    assert scene.mf("pin", "-q").code == 0
    scene.registry.push(NAME, replace(BASE, template="{{ .Prompt }}\n````\n</details>", parameters={"stop": ("`|`",)}))
    shown = scene.mf("update", "--dry-run", "--format", "markdown").out
    assert "\n`````diff\n" in shown
    assert '| stop | `"<e>"` | ``"`\\|`"`` |  |\n' in shown


def test_markup_in_names_of_parameters_is_code_and_not_in_the_message(scene: Scene) -> None:
    assert scene.mf("pin", "-q").code == 0
    name = "![x](https://example.org) @team"
    scene.registry.push(NAME, replace(BASE, parameters={**BASE.parameters, name: 1.0}))
    shown = scene.mf("update", "--dry-run", "--format", "markdown").out
    assert shown.count(name) == shown.count(f"`parameter {name}`") + shown.count(f"| `{name}` |")
    assert shown.count(f"| `{name}` | `(none)` | `1` |  |\n") == 1
    message = scene.mf("update", "--dry-run", "--message").out
    assert "team" not in message
    assert "  changed: parameter\n" in message


def test_update_asks_for_each_base_once(scene: Scene) -> None:
    assert scene.mf("pin", "-q").code == 0
    scene.registry.push(NAME, MOVED)
    scene.registry.asked.clear()
    assert scene.mf("update", "-q") != Ran(0, "", "")
    assert scene.registry.asked == ["llama3.2:3b"]


def test_a_base_that_moved_from_a_server_to_a_registry(scene: Scene) -> None:
    registry, scene.registry = scene.registry, Recording()
    scene.registry.delete(NAME)
    scene.store = MemoryStore(registry={NAME: BASE})
    scene.store.pull(NAME, ignore)
    assert scene.mf("pin", "-q").code == 0
    scene.registry = registry
    ran = scene.mf("update")
    assert [line for line in ran.out.splitlines() if line.startswith(" ")] == [
        "  now pinned from https://registry.ollama.ai",
        "  the same contents as before",
    ]
    assert scene.pins["Modelfile"]["base"]["source"] == "https://registry.ollama.ai"


def test_another_manifest_of_the_same_contents(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    assert scene.mf("pin", "-q").code == 0
    manifest = scene.registry.push(NAME, BASE)
    spaced = Manifest.parse(manifest.text.replace("{", "{ ", 1), "the manifest")
    monkeypatch.setattr(scene.registry, "resolve", lambda _: spaced)
    ran = scene.mf("update")
    assert ran.out.splitlines()[1] == "  the same contents in another manifest"
    assert scene.mf("update", "--message").out == ""
