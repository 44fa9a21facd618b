"""Tests of `mf outdated`: what is asked, and what is said of what cannot be asked."""

import contextlib
import json
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from tests.support.cli import Ran, mf
from tests.support.paths import ROOT
from tests.support.scene import BASE, MOVED, NAME, Recording, Scene, Together

import modelfile
from modelfile.errors import InvalidRegistryAnswer, ModelfileError, RegistryRefused
from modelfile.manifest import Manifest
from modelfile.names import ModelName
from modelfile.pinning.outdated import layer_changes, newer_tags
from modelfile.stores.encoding import write_model
from modelfile.stores.memory import MemoryStore

SCHEMA = json.loads((ROOT / "docs/schema/outdated.schema.json").read_text(encoding="utf-8"))


def document(ran: Ran) -> Any:
    found = json.loads(ran.out)
    jsonschema.validate(found, SCHEMA)
    return found


def test_each_base_is_one_request_and_nothing_is_written(scene: Scene) -> None:
    (scene.folder / "same.Modelfile").write_text("# Another.\nFROM llama3.2:3b\n")
    assert scene.mf("pin", "-q").code == 0
    written = (scene.folder / "mf.lock").read_bytes()
    scene.registry.asked.clear()
    assert scene.mf("outdated") == Ran(0, "", "1 base is as pinned\n")
    assert scene.registry.asked == ["llama3.2:3b"]
    scene.registry.push(NAME, MOVED)
    found = document(scene.mf("outdated", "--json"))
    (base,) = found["bases"]
    assert (found["outdated"], base["status"], base["modelfiles"]) == (
        True,
        "outdated",
        ["Modelfile", "same.Modelfile"],
    )
    assert [change["layer"] for change in base["changes"]] == [
        "weights",
        "template",
        "system",
        "license",
        "parameters",
        "messages",
    ]
    assert (scene.folder / "mf.lock").read_bytes() == written


def test_many_bases_are_asked_for_in_parallel(scene: Scene) -> None:
    registry = scene.registry = Together()
    for number in range(20):
        scene.registry.push(ModelName.parse(f"m{number}:q4"), BASE)
        (scene.folder / f"{number}.Modelfile").write_text(f"# One of many.\nFROM m{number}:q4\n")
    assert scene.mf("pin", "-q").code == 0
    scene.registry.asked.clear()
    registry.most, registry.wanted = 0, 9
    assert scene.mf("outdated").code == 0
    assert len(scene.registry.asked) == 21
    assert 8 < registry.most <= 16


def test_without_a_network_one_line_says_what_could_not_be_asked(scene: Scene) -> None:
    scene.registry.push(ModelName.parse("qwen3:8b"), BASE)
    (scene.folder / "other.Modelfile").write_text("# Another bot.\nFROM qwen3:8b\n")
    assert scene.mf("pin", "-q").code == 0
    scene.registry.gone = True
    message = "cannot check llama3.2:3b: cannot connect to registry.ollama.ai; likewise qwen3:8b"
    assert scene.mf("outdated") == Ran(3, "", f"error: {message}\n")
    found = document(scene.mf("outdated", "--json"))
    assert [(base["status"], base["error"]["code"]) for base in found["bases"]] == [
        ("unknown", "registry-unreachable")
    ] * 2


@pytest.mark.parametrize(
    "error",
    [
        RegistryRefused("cannot read the manifest of llama3.2:3b: registry.ollama.ai denies access", hint="a key"),
        RegistryRefused("cannot read the manifest of llama3.2:3b: too many requests", hint="wait 30 seconds"),
        InvalidRegistryAnswer("cannot read the manifest of llama3.2:3b: it answers with a web page", hint="a proxy?"),
    ],
)
def test_an_error_of_a_registry_is_that_of_its_base_and_the_others_are_checked(
    scene: Scene, error: ModelfileError, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = ModelName.parse("qwen3:8b")
    scene.registry.push(other, BASE)
    (scene.folder / "other.Modelfile").write_text("# Another bot.\nFROM qwen3:8b\n")
    assert scene.mf("pin", "-q").code == 0

    def resolve(name: ModelName) -> Manifest | None:
        if name.same_as(NAME):
            raise error
        return Recording.resolve(scene.registry, name)

    monkeypatch.setattr(scene.registry, "resolve", resolve)
    assert scene.mf("outdated") == Ran(3, "", f"1 base is as pinned\nerror: {error.message}\nhelp: {error.hint}\n")
    scene.registry.push(other, MOVED)
    assert scene.mf("outdated").code == 1


def test_an_error_of_many_bases_is_one_line(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(7):
        scene.registry.push(ModelName.parse(f"m{number}:q4"), BASE)
        (scene.folder / f"{number}.Modelfile").write_text(f"# One of many.\nFROM m{number}:q4\n")
    assert scene.mf("pin", "-q").code == 0

    def refuse(name: ModelName) -> None:
        raise RegistryRefused(f"cannot read the manifest of {name}: too many requests", hint="wait 30 seconds")

    monkeypatch.setattr(scene.registry, "resolve", refuse)
    assert scene.mf("outdated").err == (
        "error: cannot read the manifest of llama3.2:3b: too many requests; "
        "likewise m0:q4, m1:q4, m2:q4, m3:q4, m4:q4 and 2 more\nhelp: wait 30 seconds\n"
    )


def test_a_base_from_a_server_is_looked_at_there(scene: Scene) -> None:
    (scene.folder / "Modelfile").write_text("# A bot.\nFROM team-a:v1\n")
    scene.store = store = MemoryStore.with_models("team-a:v1", "other:v1")
    assert scene.mf("pin", "-q").code == 0
    scene.registry.asked.clear()
    assert scene.mf("outdated") == Ran(0, "", "1 base is as pinned\n")
    store.copy(ModelName.parse("other:v1"), ModelName.parse("team-a:v1"))
    ran = scene.mf("outdated")
    assert (ran.code, ran.out.splitlines()[1].split()[0], ran.out.split()[-1]) == (1, "team-a:v1", "contents")
    assert document(scene.mf("outdated", "--json"))["bases"][0]["current"]["fingerprint"].startswith("mf1:")
    store.delete(ModelName.parse("team-a:v1"))
    assert document(scene.mf("outdated", "--json"))["bases"][0]["status"] == "gone"
    assert scene.registry.asked == []
    scene.store = None
    ran = scene.mf("outdated")
    assert (ran.code, ran.out) == (0, "")
    assert ran.err == (
        "warning: cannot check team-a:v1, which only a server has: no Ollama server answers at http://127.0.0.1:9\n"
    )


def test_a_lock_of_format_1_0_is_completed_first(scene: Scene) -> None:
    assert scene.mf("pin", "-q").code == 0
    content = json.loads((scene.folder / "mf.lock").read_text())
    base = content["modelfiles"]["Modelfile"]["base"]
    for key in ("source", "resolved", "manifest", "config", "params", "messages"):
        del base[key]
    (scene.folder / "mf.lock").write_text(json.dumps({**content, "version": "1.0"}))
    ran = scene.mf("outdated")
    assert ran.code == 3
    assert ran.err == (
        "error: llama3.2:3b was pinned by an older mf, which did not record its source\n"
        "help: run `mf pin`, which completes the entry\n"
    )


def test_an_allow_list_excludes_the_base(scene: Scene) -> None:
    from modelfile.stores.open import open_registry

    assert scene.mf("pin", "-q").code == 0
    (scene.folder / "mf.toml").write_text('registries = ["hf.co"]\n')
    ran = mf("outdated", open_registry=open_registry)
    assert ran.code == 2
    assert ran.err == (
        "error: cannot read the manifest of llama3.2:3b: registry not allowed: `registry.ollama.ai`\n"
        "help: add the host to `registries` in the configuration, or use a model from another\n"
    )


def test_a_base_of_the_project_is_not_asked_for(scene: Scene) -> None:
    (scene.folder / "mf.toml").write_text(
        '[models.bot]\nmodelfile = "Modelfile"\ntag = "v1"\n[models.child]\nmodelfile = "child.Modelfile"\ntag = "v1"\n'
    )
    (scene.folder / "child.Modelfile").write_text("# A child.\nFROM bot:v1\n")
    assert scene.mf("pin", "-q").code == 0
    scene.registry.asked.clear()
    assert scene.mf("outdated").err == "1 base is as pinned\n"
    assert scene.registry.asked == ["llama3.2:3b"]


def test_a_registry_that_cannot_list_tags_is_no_error(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    name = ModelName.parse("bot:v1")
    scene.registry.push(name, BASE)
    scene.registry.push(replace(name, tag="v2"), BASE)
    (scene.folder / "Modelfile").write_text("# A bot.\nFROM bot:v1\n")
    assert scene.mf("pin", "-q").code == 0
    assert document(scene.mf("outdated", "--json"))["bases"][0]["newer_tags"] == ["v2"]
    monkeypatch.setattr(scene.registry, "tags", lambda _: None)
    assert document(scene.mf("outdated", "--json"))["bases"][0]["newer_tags"] is None

    def refuse(_: ModelName) -> None:
        raise RegistryRefused("no")

    monkeypatch.setattr(scene.registry, "tags", refuse)
    assert scene.mf("outdated") == Ran(0, "", "1 base is as pinned\n")


@pytest.mark.parametrize(
    ("tag", "tags", "newer"),
    [
        ("latest", ["v2", "3b"], []),
        ("3b", ["8b", "70b"], []),
        ("v1", ["v2", "v10", "1", "v0.9", "v1"], ["v10", "v2"]),
        ("1.5-7b-q4_K_M", ["2.0-7b-q4_K_M", "2.0-7b-q8_0", "2.0-13b-q4_K_M"], ["2.0-7b-q4_K_M"]),
        ("2507", ["2508", "2506"], ["2508"]),
        ("v1.9", ["v1.10", "v1.9.1"], ["v1.10", "v1.9.1"]),
    ],
)
def test_newer_tags(tag: str, tags: list[str], newer: list[str]) -> None:
    assert newer_tags(tag, tags) == tuple(newer)


def test_layers_that_both_have_are_no_change() -> None:
    old, _ = write_model(BASE)
    new, _ = write_model(replace(BASE, weights=(*BASE.weights, f"sha256:{'3' * 64}"), license=""))
    assert layer_changes(old, old) == ()
    assert [(change.layer, len(change.old), change.new) for change in layer_changes(old, new)] == [
        ("license", 1, ()),
        ("projector", 0, (f"sha256:{'3' * 64}",)),
    ]


def test_without_a_store_a_base_of_a_server_is_unknown(scene: Scene) -> None:
    (scene.folder / "Modelfile").write_text("# A bot.\nFROM team-a:v1\n")
    scene.store = MemoryStore.with_models("team-a:v1")
    assert scene.mf("pin", "-q").code == 0
    with contextlib.chdir(scene.folder):
        (base,) = modelfile.outdated(modelfile.Project().modelfiles(), scene.registry).bases
    assert (str(base.status), str(base.error)) == ("unknown", "no server is asked")


def test_the_config_is_named_only_if_nothing_else_has_changed(scene: Scene) -> None:
    assert scene.mf("pin", "-q").code == 0
    other = replace(BASE, renderer="r")
    for model, changed in ((other, "config"), (replace(other, system="Be quick."), "system")):
        scene.registry.push(NAME, model)
        assert scene.mf("outdated").out.splitlines()[1].split()[-1] == changed
        found = json.loads(scene.mf("outdated", "--json").out)["bases"][0]["changes"]
        assert found[-1]["layer"] == "config"
