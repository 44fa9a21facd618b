"""The weights of a model in a registry, of which only the header is downloaded."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from modelfile.errors import InputError, InvalidRegistryAnswer
from modelfile.library.published import resolve_published
from modelfile.names import ModelName
from modelfile.weights.facts import facts_of
from modelfile.weights.gguf import read_header, read_tensors
from modelfile.weights.reading import Weights

if TYPE_CHECKING:
    from modelfile.manifest import Layer
    from modelfile.stores.protocol import Registry

_FIRST: Final = 1 << 18
"""Bytes of the first range; each further one has twice as many, up to a limit."""
_LONGEST: Final = 1 << 23
_KINDS: Final = ("model", "projector", "adapter")


def published_weights(name: str, registry: Registry) -> tuple[Weights, ...]:
    """Return the weights of a model in a registry by their headers, which a few ranges of the layers contain.

    Args:
        name: The name of the model, where no tag means `latest`.
        registry: The registry.

    Raises:
        UsageError: The name is invalid, or the configuration does not allow its registry.
        NotFound: The registry has no such model or tag.
        InvalidRegistryAnswer: The model has no weights, as cloud models, or they are no GGUF file.
        ServerError: The registry cannot be reached, rejects the request, or gives an invalid answer.
    """
    parsed = ModelName.parse(name)
    manifest = resolve_published(parsed, registry)
    layers = [layer for layer in manifest.layers if layer.kind in _KINDS]
    if not layers:
        raise InvalidRegistryAnswer(f"{parsed} of {registry.url(parsed)} has no weights", hint="is it a cloud model?")
    return tuple(_read(parsed, layer, registry) for layer in layers)


def _read(name: ModelName, layer: Layer, registry: Registry) -> Weights:
    what = f"the {layer.kind} of {name}"
    file = LayerFile(name, layer, registry)
    try:
        header = read_header(file, what)
    except InputError as error:
        raise InvalidRegistryAnswer(f"{registry.url(name)}: {error.message}", hint=error.hint) from error
    tensors = partial(read_tensors, file, header, what)
    return Weights(name=str(name), facts=facts_of(header), header=header, digests=(layer.digest,), list_tensors=tensors)


class LayerFile:
    """A layer of a registry as a file for reading; what is read in order takes few requests, each twice as long."""

    def __init__(self, name: ModelName, layer: Layer, registry: Registry) -> None:
        self._name = name
        self._layer = layer
        self._registry = registry
        self._at = 0
        self._ranges: list[tuple[int, bytes]] = []
        self._next = _FIRST

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Move to an offset, or to the end, and return the position, in bytes."""
        self._at = self._layer.size + offset if whence else offset
        return self._at

    def read(self, size: int, /) -> bytes:
        """Return the next bytes; fewer only at the end."""
        end = min(self._at + size, self._layer.size)
        for start, content in self._ranges:
            if start <= self._at and end <= start + len(content):
                piece = content[self._at - start : end - start]
                break
        else:
            piece = self._download(self._at, end)[: end - self._at]
        self._at += len(piece)
        return piece

    def _download(self, start: int, end: int) -> bytes:
        content = bytearray()
        end = min(max(end, start + self._next), self._layer.size)
        self._next = min(self._next * 2, _LONGEST)
        if start < end:
            self._registry.download(self._name, self._layer, start, end, content.extend)
        self._ranges.append((start, bytes(content)))
        return bytes(content)
