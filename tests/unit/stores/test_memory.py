"""Registries in memory."""

import pytest

from modelfile.errors import NotFound
from modelfile.names import ModelName
from modelfile.recipe.model import Model
from modelfile.stores.encoding import read_model
from modelfile.stores.memory import MemoryRegistry

NAME = ModelName.parse("bot:v1")
WEIGHTS = ("sha256:" + "1" * 64,)


def test_moved_tag_keeps_the_old_version_by_digest() -> None:
    registry = MemoryRegistry()
    old = registry.push(NAME, Model(weights=WEIGHTS, system="old"))
    new = registry.push(NAME, Model(weights=WEIGHTS, system="new"))
    assert registry.resolve(NAME) == new != old
    found = registry.manifest(NAME, old.digest)
    assert found == old
    assert read_model(old, lambda layer: registry.read(NAME, layer)).system == "old"


def test_names_are_those_of_a_registry() -> None:
    registry = MemoryRegistry({NAME: Model(weights=WEIGHTS)})
    assert registry.resolve(ModelName.parse("BOT:v1"))
    assert registry.resolve(ModelName.parse("bot:V1")) is None
    assert registry.resolve(ModelName.parse("hf.co/library/bot:v1")) is None
    assert registry.tags(ModelName.parse("bot")) == ("v1",)
    assert registry.tags(ModelName.parse("other")) == ()
    assert registry.url(NAME) == "https://registry.ollama.ai"


def test_deleted_tag() -> None:
    registry = MemoryRegistry({NAME: Model(weights=WEIGHTS)})
    digest = registry.push(NAME, Model(weights=WEIGHTS)).digest
    registry.delete(NAME)
    assert registry.resolve(NAME) is None
    assert registry.manifest(NAME, digest)


def test_layer_of_another_model_is_not_found() -> None:
    registry = MemoryRegistry({NAME: Model(weights=WEIGHTS)})
    layer = registry.push(NAME, Model(weights=WEIGHTS)).config
    with pytest.raises(NotFound, match=r"has no layer sha256:\w+ of other:latest"):
        registry.read(ModelName.parse("other"), layer)
