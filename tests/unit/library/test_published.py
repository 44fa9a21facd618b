"""Models in registries by name: contents, tags, and hints for names that are none."""

import pytest

from modelfile.errors import InvalidRegistryAnswer, NotFound, RegistryRefused, RegistryUnreachable, UsageError
from modelfile.library.published import published_tags, read_published, resolve_published, show_published
from modelfile.manifest import Layer, Manifest
from modelfile.names import ModelName
from modelfile.recipe.model import Model
from modelfile.stores.memory import MemoryRegistry

REGISTRY = MemoryRegistry.with_models(*(f"bot:v{number}" for number in range(1, 8)), "team/cat:3b-q4")


class Unlisted(MemoryRegistry):
    """Registries that list no tags."""

    def tags(self, name: ModelName) -> None:
        """Return None."""
        del name


class Broken(MemoryRegistry):
    """Registries that fail when they are asked for tags."""

    def tags(self, name: ModelName) -> tuple[str, ...]:
        """Raise an error."""
        raise RegistryUnreachable(f"no answer for {name}")


class Wordy(MemoryRegistry):
    """Registries whose configs have more than one JSON value."""

    def read(self, name: ModelName, layer: Layer) -> bytes:
        """Return the bytes of a layer, and more of a config."""
        return super().read(name, layer) + (b"more" if layer.kind == "config" else b"")


def test_what_follows_the_config_is_ignored_as_in_go() -> None:
    assert show_published("bot:v1", Wordy.with_models("bot:v1")).model == show_published("bot:v1", REGISTRY).model


def test_contents_of_a_model() -> None:
    shown = show_published("bot:v1", REGISTRY)
    manifest = REGISTRY.resolve(ModelName.parse("bot:v1"))
    assert manifest
    assert (str(shown.name), shown.digest) == ("bot:v1", manifest.digest)
    assert shown.model.weights


@pytest.mark.parametrize(
    ("name", "registry", "hint"),
    [
        ("team/cat:3b", REGISTRY, "did you mean `team/cat:3b-q4`?"),
        ("bot", REGISTRY, "did you mean `bot:v3` or `bot:v4` or `bot:v5` or `bot:v6` or `bot:v7`?"),
        ("dog", REGISTRY, "check the name"),
        ("dog", Unlisted(), "check the name and the tag: see https://ollama.com/library/dog/tags"),
        ("hf.co/a/b", Unlisted(), "check the name and the tag: see https://huggingface.co/a/b"),
        ("registry.example/a/b", Unlisted(), "check the name and the tag: name a tag"),
        ("dog", Broken(), "check the name"),
    ],
)
def test_hints_for_names_that_are_none(name: str, registry: MemoryRegistry, hint: str) -> None:
    with pytest.raises(NotFound) as caught:
        resolve_published(ModelName.parse(name), registry)
    assert caught.value.hint == hint


def test_model_that_cannot_be_read() -> None:
    registry, name = MemoryRegistry(), ModelName.parse("cloud:v1")
    manifest = registry.push(name, Model())
    with pytest.raises(InvalidRegistryAnswer) as caught:
        read_published(name, manifest, registry)
    assert caught.value.message == "cannot read cloud:v1 of https://registry.ollama.ai: the manifest has no weights"
    assert caught.value.hint == "is it a cloud model?"
    assert isinstance(manifest, Manifest)


def test_tags() -> None:
    assert [str(name) for name in published_tags("team/cat", REGISTRY)] == ["team/cat:3b-q4"]
    with pytest.raises(UsageError, match="has a tag"):
        published_tags("team/cat:3b", REGISTRY)
    with pytest.raises(NotFound):
        published_tags("dog", REGISTRY)
    with pytest.raises(RegistryRefused, match="cannot list the tags of dog"):
        published_tags("dog", Unlisted())
