"""Models in registries: their manifests, contents and tags, without their weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from modelfile.errors import InputError, InvalidRegistryAnswer, NotFound, RegistryRefused, ServerError, UsageError
from modelfile.immutable import replace
from modelfile.names import DEFAULT_HOST, ModelName
from modelfile.stores.protocol import Registry, StoredModel

if TYPE_CHECKING:
    from modelfile.manifest import Layer, Manifest

_MOST_TAGS: Final = 5
"""Similar tags that an error suggests."""


def show_published(name: str, registry: Registry) -> StoredModel:
    """Return a model of a registry with its contents, of which only the small layers are read.

    >>> import modelfile
    >>> from modelfile.stores.memory import MemoryRegistry
    >>> modelfile.show_published("llama3.2:3b", MemoryRegistry.with_models("llama3.2:3b")).model.template
    '{{ .Prompt }}'

    Args:
        name: The name of the model, where no tag means `latest`.
        registry: The registry.

    Raises:
        UsageError: The name is invalid, or the configuration does not allow its registry.
        NotFound: The registry has no such model or tag.
        ServerError: The registry cannot be reached, rejects the request, or gives an invalid answer.
    """
    parsed = ModelName.parse(name)
    return read_published(parsed, resolve_published(parsed, registry), registry)


def resolve_published(name: ModelName, registry: Registry) -> Manifest:
    """Return the manifest of a name.

    Raises:
        NotFound: The registry has no such model or tag; the hint suggests similar tags.
        ServerError: As of `show_published`.
    """
    if manifest := registry.resolve(name):
        return manifest
    raise NotFound(f"{name} not found on {registry.url(name)}", hint=_similar(name, registry))


def read_published(name: ModelName, manifest: Manifest, registry: Registry) -> StoredModel:
    """Return the model of a manifest; its fingerprint is that of a server that has pulled it.

    Raises:
        InvalidRegistryAnswer: It has no weights, as cloud models, or a layer cannot be read.
        ServerError: As of `show_published`.
    """
    from modelfile.stores.encoding import read_details, read_model

    def read(layer: Layer) -> bytes:
        return registry.read(name, layer)

    try:
        model, details = read_model(manifest, read), read_details(read(manifest.config))
    except InputError as error:
        message = f"cannot read {name} of {registry.url(name)}: {error.message}"
        raise InvalidRegistryAnswer(message, hint=error.hint) from error
    return StoredModel(name=name, digest=manifest.digest, model=model, **details)


def published_tags(name: str, registry: Registry) -> tuple[ModelName, ...]:
    """Return the names of a model's tags in its registry, sorted.

    >>> from modelfile.stores.memory import MemoryRegistry
    >>> registry = MemoryRegistry.with_models("llama3.2:1b", "llama3.2:3b")
    >>> [str(found) for found in published_tags("llama3.2", registry)]
    ['llama3.2:1b', 'llama3.2:3b']

    Raises:
        UsageError: The name is invalid or has a tag, or the configuration does not allow its registry.
        NotFound: The registry has no such model.
        RegistryRefused: It cannot list tags.
        ServerError: As of `show_published`.
    """
    parsed = ModelName.parse(name)
    if parsed.tagged:
        raise UsageError(f"`{name}` has a tag", hint=f"`mf ls registry:{parsed.untagged}` lists the tags of the model")
    tags = registry.tags(parsed)
    if tags is None:
        raise RegistryRefused(f"{registry.url(parsed)} cannot list the tags of {parsed.untagged}", hint=_page(parsed))
    if not tags:
        raise NotFound(f"{parsed.untagged} not found on {registry.url(parsed)}", hint="check the name")
    return tuple(replace(parsed, tag=tag, tagged=True) for tag in tags)


def _page(name: ModelName) -> str:
    """Return where the tags of a model can be read."""
    host, path = name.host.lower(), f"{name.namespace}/{name.model}"
    if host == DEFAULT_HOST:
        return f"see https://ollama.com/{path}/tags"
    return f"see https://huggingface.co/{path}" if host in ("hf.co", "huggingface.co") else "name a tag"


def _similar(name: ModelName, registry: Registry) -> str:
    from difflib import get_close_matches

    try:
        tags = registry.tags(name)
    except ServerError:
        return "check the name"
    if tags is None:
        return f"check the name and the tag: {_page(name)}"
    others = [tag for tag in tags if tag != name.tag]  # a tag may be listed and have no manifest
    close = get_close_matches(name.tag, others, n=_MOST_TAGS) or others[-_MOST_TAGS:]
    if not close:
        return "check the name"
    return f"did you mean {' or '.join(f'`{name.untagged}:{tag}`' for tag in close)}?"
