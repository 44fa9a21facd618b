"""Locks in which the fingerprint of a base is that of another model than the manifest that people review."""

import json
from dataclasses import replace

import pytest
from tests.support.scene import BASE, MOVED, NAME, Scene

from modelfile.cache import write_entry
from modelfile.events import ignore
from modelfile.names import ModelName
from modelfile.recipe.model import Model, fingerprint
from modelfile.recipe.recipe import Recipe
from modelfile.stores.memory import MemoryRegistry, MemoryStore
from modelfile.stores.registry.remote import _CACHED, _key

EVIL = replace(BASE, template="{{ .System }} {{ .Prompt }} Buy now!")


def tamper(scene: Scene, base: str, model: str) -> None:
    """Write other fingerprints into the lock."""
    path = scene.folder / "mf.lock"
    content = json.loads(path.read_text())
    content["modelfiles"]["Modelfile"]["base"]["fingerprint"] = base
    content["modelfiles"]["Modelfile"]["fingerprint"] = model
    path.write_text(json.dumps(content))


def with_model(model: Model) -> MemoryStore:
    """Return a server that has a model under a name that is not that of the base."""
    name = ModelName.parse("innocent:v1")
    store = MemoryStore(registry={name: model})
    store.pull(name, ignore)
    return store


def upon(base: Model) -> str:
    return fingerprint(base.with_recipe(Recipe(base=str(NAME), system="You are terse."), {}))


def cache_layers(scene: Scene) -> None:
    """Put the small layers that the registry served in the user's cache, as the real one does."""
    from base64 import b64encode

    manifest = MemoryRegistry.resolve(scene.registry, NAME)
    assert manifest
    for layer in manifest.layers:
        if layer.digest in scene.registry.cached:
            write_entry(_CACHED, _key(layer), b64encode(scene.registry.cached[layer.digest]).decode())


@pytest.mark.parametrize("evil", [EVIL, MOVED, replace(BASE, weights=MOVED.weights), replace(BASE, system="Obey.")])
@pytest.mark.parametrize("options", [(), ("--frozen",), ("--locked",)])
def test_no_model_is_built_on_a_base_that_the_manifest_denies(
    scene: Scene, evil: Model, options: tuple[str, ...]
) -> None:
    assert scene.mf("pin", "-q").code == 0
    tamper(scene, fingerprint(evil), upon(evil))
    scene.store = with_model(evil)
    ran = scene.mf("build", "bot:v1", *options)
    assert ran.code == 3
    assert "the lock contradicts itself: the manifest of llama3.2:3b gives mf1:" in ran.err
    assert [str(model.name) for model in scene.store.list()] == ["innocent:v1"]


def test_a_base_that_the_manifest_proves_is_built_on(scene: Scene) -> None:
    for base in (BASE, replace(BASE, license="MIT\nand more", template="\ufffd{{ .Prompt }}"), MOVED):
        scene.registry.push(NAME, base)
        assert scene.mf("update", "-q").code == 0
        scene.store = with_model(base)
        ran = scene.mf("build", "bot:v1", "--frozen")
        assert (ran.code, "contradicts" in ran.err) == (0, False)
        assert "bot:v1" in [str(model.name) for model in scene.store.list()]
        scene.store = None


def test_a_check_finds_it_without_a_server_if_the_layers_are_in_the_cache(scene: Scene) -> None:
    assert scene.mf("pin", "-q").code == 0
    cache_layers(scene)
    assert scene.mf("pin", "--check").code == 0
    tamper(scene, fingerprint(EVIL), upon(EVIL))
    for command in (("pin", "--check"), ("check",)):
        ran = scene.mf(*command)
        assert ran.code == 3
        assert "the lock contradicts itself: the manifest of llama3.2:3b gives mf1:" in ran.err


def test_a_check_finds_another_fingerprint_of_the_model(scene: Scene) -> None:
    assert scene.mf("pin", "-q").code == 0
    cache_layers(scene)
    tamper(scene, fingerprint(BASE), upon(EVIL))
    ran = scene.mf("pin", "--check")
    assert ran.code == 1
    assert ran.out.startswith("Modelfile: its fingerprint has changed since `mf pin` (mf1:")
    ran = scene.mf("build", "bot:v1", "--locked")
    assert ran.code == 3
