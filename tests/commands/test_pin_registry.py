"""Pins of bases that registries have: what is asked, what is recorded, and what holds without a network."""

import json
from typing import Any

import pytest
from tests.support.cli import Ran
from tests.support.scene import BASE, MOVED, NAME, Scene, Together

from modelfile.names import ModelName
from modelfile.recipe.model import Model, fingerprint
from modelfile.stores.backups import pin_alias
from modelfile.stores.memory import MemoryStore

CHILD = fingerprint(
    Model(
        weights=BASE.weights,
        template=BASE.template,
        system="You are terse.",
        license=BASE.license,
        parameters=BASE.parameters,
        messages=BASE.messages,
    )
)


def test_a_base_is_pinned_from_its_registry_and_no_server_is_asked(scene: Scene) -> None:
    ran = scene.mf("pin")
    base = fingerprint(BASE)[:16]
    assert ran == Ran(0, f"Modelfile: pinned llama3.2:3b ({base}…); builds {CHILD}  (new)\n", "")
    manifest = scene.registry.resolve(NAME)
    assert manifest
    pinned = scene.pins["Modelfile"]["base"]
    assert {name: pinned[name] for name in ("source", "resolved", "digest", "manifest", "fingerprint", "name")} == {
        "source": "https://registry.ollama.ai",
        "resolved": "2026-11-01T12:00:00Z",
        "digest": manifest.digest,
        "manifest": manifest.text,
        "fingerprint": fingerprint(BASE),
        "name": "registry.ollama.ai/library/llama3.2:3b",
    }
    assert json.loads(pinned["params"]) == {"stop": ["<e>"], "temperature": 0.5}
    assert [said["content"] for said in json.loads(pinned["messages"])] == ["Hi", "Grüezi"]
    assert "source" in json.loads(scene.mf("pin", "--json").out)[0]


def test_an_entry_that_holds_stays_to_the_byte_and_nobody_is_asked(scene: Scene) -> None:
    assert scene.mf("pin").code == 0
    written, scene.registry.asked[:] = (scene.folder / "mf.lock").read_bytes(), []
    scene.registry.push(NAME, MOVED)
    scene.registry.gone, scene.clock.day = True, 2
    for command in (("pin",), ("pin", "--check"), ("pin", "--check", "--frozen"), ("pin", "--from-server"), ("lint",)):
        ran = scene.mf(*command)
        assert (ran.code, ran.err.replace("1 Modelfile checked: no findings\n", "")) == (0, ""), (command, ran)
    assert not scene.registry.asked
    assert (scene.folder / "mf.lock").read_bytes() == written


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SYSTEM You are polite.\nPARAMETER temperature 0.9\n", {"temperature": 0.9, "stop": ("<e>",)}),
        ("PARAMETER stop <f>\n", {"temperature": 0.5, "stop": ("<f>",)}),
    ],
)
def test_an_edited_child_is_pinned_again_offline(scene: Scene, text: str, expected: dict[str, Any]) -> None:
    assert scene.mf("pin").code == 0
    before, scene.registry.asked[:] = scene.pins["Modelfile"], []
    scene.registry.push(NAME, MOVED)
    scene.registry.gone = True
    (scene.folder / "Modelfile").write_text(f"# A bot.\nFROM llama3.2:3b\n{text}")
    ran = scene.mf("pin")
    assert (ran.code, ran.err) == (0, "")
    assert scene.pins["Modelfile"]["base"] == before["base"]
    system = "You are polite." if "polite" in text else BASE.system
    made = Model(
        weights=BASE.weights,
        template=BASE.template,
        system=system,
        license=BASE.license,
        parameters=expected,
        messages=BASE.messages,
    )
    assert scene.pins["Modelfile"]["fingerprint"] == fingerprint(made)
    assert not scene.registry.asked
    assert scene.mf("pin", "--check").code == 0


def test_text_layers_that_nobody_has_are_named(scene: Scene) -> None:
    assert scene.mf("pin").code == 0
    scene.registry.gone, scene.registry.cached = True, {}
    (scene.folder / "Modelfile").write_text("# A bot.\nFROM llama3.2:3b\n")
    before = (scene.folder / "mf.lock").read_bytes()
    ran = scene.mf("pin")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith("error: cannot read the template (sha256:")
    assert ") of the locked base llama3.2:3b: cannot connect to registry.ollama.ai\n" in ran.err
    assert ran.err.endswith("help: connect to the registry; what was read once is in the cache\n")
    assert (scene.folder / "mf.lock").read_bytes() == before
    scene.store = MemoryStore(registry={NAME: BASE, ModelName.parse("other:v1"): MOVED})
    scene.store.pull(NAME, lambda _: None)
    scene.store.pull(ModelName.parse("other:v1"), lambda _: None)
    digest = scene.pins["Modelfile"]["base"]["digest"]
    scene.store.copy(NAME, pin_alias(NAME, digest))  # as a build from the locked base does
    scene.store.copy(ModelName.parse("other:v1"), NAME)
    assert scene.mf("pin").code == 0  # the server has them, though its tag has moved
    scene.store.delete(pin_alias(NAME, digest))
    scene.store.pull(NAME, lambda _: None)
    (scene.folder / "Modelfile").write_text("# A bot.\nFROM llama3.2:3b\nSYSTEM Hi.\n")
    assert scene.mf("pin").code == 0


def test_without_a_network_one_line_names_all_bases(scene: Scene) -> None:
    assert scene.mf("pin").code == 0
    for number in range(7):
        (scene.folder / f"{number}.Modelfile").write_text(f"# One of many.\nFROM m{number}:q4\n")
    (scene.folder / "same.Modelfile").write_text("# The same base.\nFROM m0:q4\n")
    scene.registry.gone = True
    ran = scene.mf("pin", "-q")
    message = "cannot pin base m0:q4: cannot connect to registry.ollama.ai; likewise m1:q4, m2:q4, m3:q4, m4:q4, m5:q4"
    hint = "connect to it, or run `mf pin --from-server` to pin what the server has"
    assert (ran.code, ran.err) == (3, f"error: {message} and 1 more\nhelp: {hint}\n")
    answers = json.loads(scene.mf("pin", "--json").out)
    assert sum("error" in answer for answer in answers) == 8


def test_a_new_modelfile_upon_a_locked_base_gets_the_same(scene: Scene) -> None:
    assert scene.mf("pin").code == 0
    scene.registry.push(NAME, MOVED)
    scene.clock.day = 2
    (scene.folder / "other.Modelfile").write_text("# Another bot.\nFROM library/llama3.2:3b\n")
    scene.registry.asked.clear()
    assert scene.mf("pin").code == 0
    assert not scene.registry.asked
    one, other = (scene.pins[key]["base"] for key in ("Modelfile", "other.Modelfile"))
    assert {**one, "written": "library/llama3.2:3b"} == other


def test_a_base_that_no_registry_has_is_pinned_from_the_server(scene: Scene) -> None:
    (scene.folder / "Modelfile").write_text("# A bot.\nFROM handmade:v1\n")
    ran = scene.mf("pin")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err == (
        "error: base handmade:v1 not found in https://registry.ollama.ai, and no Ollama server answers at "
        "http://127.0.0.1:9\nhelp: check its name and tag; if a server has it, start one with `ollama serve`, name "
        "another with --host or OLLAMA_HOST, or use a folder with --store\n"
    )
    scene.store = MemoryStore.with_models("handmade:v1")
    assert scene.mf("pin").code == 0
    pinned = scene.pins["Modelfile"]["base"]
    assert (pinned["source"], pinned["resolved"]) == ("server", "2026-11-01T12:00:00Z")
    assert "manifest" not in pinned
    scene.store = None
    assert scene.mf("pin").code == 0


@pytest.mark.parametrize("configured", [True, False])
def test_only_the_server_is_asked_if_that_is_said(scene: Scene, *, configured: bool) -> None:
    scene.store = MemoryStore(registry={NAME: MOVED})
    if configured:
        (scene.folder / "mf.toml").write_text('resolve = "server"\n')
    assert scene.mf("pin", *([] if configured else ["--from-server"])).code == 0
    assert not scene.registry.asked
    pinned = scene.pins["Modelfile"]["base"]
    assert (pinned["source"], pinned["fingerprint"]) == ("server", fingerprint(MOVED))


def test_without_a_network_each_base_is_named_and_the_others_are_pinned(scene: Scene) -> None:
    assert scene.mf("pin").code == 0
    scene.registry.gone = True
    (scene.folder / "more.Modelfile").write_text("# More.\nFROM qwen3:8b\n")
    (scene.folder / "other.Modelfile").write_text("# Another bot.\nFROM llama3.2:3b\n")
    ran = scene.mf("pin")
    assert ran.code == 3
    assert ran.err == (
        "error: cannot pin base qwen3:8b: cannot connect to registry.ollama.ai\n"
        "help: connect to it, or run `mf pin --from-server` to pin what the server has\n"
    )
    assert [*scene.pins] == ["Modelfile", "other.Modelfile"]
    scene.store = MemoryStore.with_models("qwen3:8b")
    assert scene.mf("pin", "--from-server").code == 0


def test_a_registry_that_is_not_allowed_is_not_asked(scene: Scene) -> None:
    (scene.folder / "mf.toml").write_text('registries = ["hf.co"]\n')
    (scene.folder / "hub.Modelfile").write_text("# From the hub.\nFROM huggingface.co/team/model:q4\n")
    scene.registry.push(ModelName.parse("huggingface.co/team/model:q4"), MOVED)
    ran = scene.mf("pin", "-q")
    assert (ran.code, scene.registry.asked) == (3, ["huggingface.co/team/model:q4"])
    assert ran.err == (
        "error: `Modelfile`: base llama3.2:3b: registry not allowed: `registry.ollama.ai`\n"
        "help: add the host to `registries` in the configuration, or use a model from another\n"
    )
    assert [*scene.pins] == ["hub.Modelfile"]


def test_a_dry_run_shows_and_writes_nothing(scene: Scene) -> None:
    shown = scene.mf("pin", "--dry-run")
    assert (shown.code, shown.err) == (0, "")
    assert not (scene.folder / "mf.lock").exists()
    assert scene.mf("pin").out == shown.out
    written = (scene.folder / "mf.lock").read_bytes()
    (scene.folder / "Modelfile").write_text("# A bot.\nFROM llama3.2:3b\n")
    assert "(changed)" in scene.mf("pin", "--dry-run").out
    assert (scene.folder / "mf.lock").read_bytes() == written
    for option in ("--dry-run", "--from-server", "--rewrite"):
        ran = scene.mf("pin", option, "--check")
        assert (ran.code, ran.err.split("\n")[0]) == (2, f"error: --check and {option} cannot be used together")


def test_a_read_only_checkout_is_pinned_if_nothing_changes(scene: Scene) -> None:
    assert scene.mf("pin").code == 0
    (scene.folder / "mf.lock").chmod(0o444)
    scene.folder.chmod(0o555)
    try:
        for command in (("pin",), ("pin", "--check"), ("pin", "--dry-run")):
            assert scene.mf(*command).code == 0
    finally:
        scene.folder.chmod(0o755)


def test_a_lock_of_format_1_0_is_completed_and_keeps_its_bases(scene: Scene) -> None:
    assert scene.mf("pin").code == 0
    whole = (scene.folder / "mf.lock").read_bytes()
    content = json.loads(whole)
    del content["$schema"]
    base = content["modelfiles"]["Modelfile"]["base"]
    for name in ("source", "resolved", "manifest", "config", "params", "messages"):
        del base[name]
    for moved in (False, True):
        (scene.folder / "mf.lock").write_text(json.dumps({**content, "version": "1.0"}))
        checked = scene.mf("pin", "--check")
        problem = "its base llama3.2:3b was pinned by an older mf, which did not record its source"
        assert (checked.code, checked.out) == (1, f"Modelfile: {problem}\n")
        scene.registry.gone = True
        assert scene.mf("pin").code == 0  # it holds
        assert scene.mf("pin", "--check").code == 1
        scene.registry.gone = False
        if moved:
            scene.registry.push(NAME, MOVED)
        assert scene.mf("pin").code == 0
        assert scene.mf("pin", "--check").code == 0
        if moved:
            assert scene.pins["Modelfile"]["base"] == {**base, "source": "server"}
        else:
            assert (scene.folder / "mf.lock").read_bytes() == whole


def test_an_older_model_on_the_server_is_reported_if_the_server_is_asked(scene: Scene) -> None:
    scene.store = MemoryStore.with_models("llama3.2:3b", "handmade:v1")
    (scene.folder / "hand.Modelfile").write_text("# By hand.\nFROM handmade:v1\n")
    ran = scene.mf("pin")
    assert ran.code == 0
    assert ran.err == (
        "warning: llama3.2:3b on memory:, of 2026-01-01, is older than what https://registry.ollama.ai has now\n"
    )
    assert scene.pins["Modelfile"]["base"]["fingerprint"] == fingerprint(BASE)


def test_a_lock_whose_fingerprint_is_not_that_of_its_manifest_is_rejected(scene: Scene) -> None:
    assert scene.mf("pin").code == 0
    text = (scene.folder / "mf.lock").read_text().replace(fingerprint(BASE), f"mf1:{'0' * 64}")
    (scene.folder / "mf.lock").write_text(text)
    (scene.folder / "Modelfile").write_text("# A bot.\nFROM llama3.2:3b\n")
    ran = scene.mf("pin")
    assert (ran.code, (scene.folder / "mf.lock").read_text()) == (3, text)
    assert ran.err.startswith("error: the lock contradicts itself: the manifest of llama3.2:3b gives mf1:")


def test_bases_are_asked_for_in_parallel_and_each_once(scene: Scene) -> None:
    registry = scene.registry = Together()
    registry.wanted = 2
    for number in range(20):
        scene.registry.push(ModelName.parse(f"m{number}:v1"), BASE)
        for copy in "ab":
            (scene.folder / f"{number}{copy}.Modelfile").write_text(f"# One of many.\nFROM m{number}:v1\n")
    assert scene.mf("pin", "-q").code == 0
    assert sorted(scene.registry.asked) == sorted(["llama3.2:3b", *(f"m{number}:v1" for number in range(20))])
    assert 2 <= registry.most <= 8


def test_update_pins_what_has_moved_and_leaves_the_rest_to_the_byte(scene: Scene) -> None:
    other = ModelName.parse("qwen3:8b")
    scene.registry.push(other, BASE)
    (scene.folder / "other.Modelfile").write_text("# Another bot.\nFROM qwen3:8b\n")
    assert scene.mf("pin").code == 0
    written, scene.clock.day = (scene.folder / "mf.lock").read_bytes(), 2
    assert scene.mf("update") == Ran(0, "", "mf.lock is up to date\n")
    assert (scene.folder / "mf.lock").read_bytes() == written
    for name in (NAME, other):
        scene.registry.push(name, MOVED)
    shown = scene.mf("update", "--dry-run")
    headings = [line.split("  ")[0] for line in shown.out.splitlines() if not line.startswith(" ")]
    assert headings == ["llama3.2:3b", "qwen3:8b", "Modelfile", "other.Modelfile"]
    assert (scene.folder / "mf.lock").read_bytes() == written
    ran = scene.mf("update", "llama3.2", "--json")
    assert [(item["modelfile"], item["change"]) for item in json.loads(ran.out)["pins"]] == [("Modelfile", "changed")]
    pins = scene.pins
    assert (pins["Modelfile"]["base"]["fingerprint"], pins["Modelfile"]["base"]["resolved"]) == (
        fingerprint(MOVED),
        "2026-11-02T12:00:00Z",
    )
    assert pins["other.Modelfile"] == json.loads(written)["modelfiles"]["other.Modelfile"]
    assert scene.mf("update", "qwen3:8b").code == 0
    assert scene.pins["other.Modelfile"]["base"]["fingerprint"] == fingerprint(MOVED)
    assert scene.mf("update", "qwen3:4b").err == (
        "error: no Modelfile here is FROM qwen3:4b\nhelp: name a base as FROM does\n"
    )


def test_a_failed_update_keeps_the_entry(scene: Scene) -> None:
    assert scene.mf("pin").code == 0
    written, scene.registry.gone = (scene.folder / "mf.lock").read_bytes(), True
    ran = scene.mf("update")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith("error: cannot pin base llama3.2:3b: cannot connect to registry.ollama.ai\n")
    assert (scene.folder / "mf.lock").read_bytes() == written
