"""Weights in registries: a header takes few ranges, and none twice."""

from collections.abc import Callable
from pathlib import Path

import pytest

from modelfile.errors import InvalidRegistryAnswer
from modelfile.library.published_weights import LayerFile, published_weights
from modelfile.manifest import Layer
from modelfile.names import ModelName
from modelfile.recipe.model import Model
from modelfile.stores.memory import MemoryRegistry

NAME = ModelName.parse("bot:v1")


class Ranges(MemoryRegistry):
    """A registry that has one layer, and records the ranges that are downloaded."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.content = content
        self.ranges: list[tuple[int, int]] = []

    def download(self, name: ModelName, layer: Layer, start: int, end: int, on_chunk: Callable[[bytes], None]) -> None:
        """Send a range in two pieces."""
        del name, layer
        self.ranges.append((start, end))
        middle = (start + end) // 2
        on_chunk(self.content[start:middle])
        on_chunk(self.content[middle:end])


def layer_file(registry: Ranges) -> LayerFile:
    return LayerFile(NAME, Layer(media_type="x.model", digest="sha256:0", size=len(registry.content)), registry)


def test_ranges_grow_and_are_not_downloaded_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelfile.library.published_weights._LONGEST", 1 << 20)
    registry = Ranges(bytes(range(256)) * (5 << 12))
    file = layer_file(registry)
    assert file.seek(0, 2) == len(registry.content)
    assert file.seek(0) == 0
    for at in range(0, len(registry.content), 1 << 18):
        assert file.read(1 << 18) == registry.content[at : at + (1 << 18)]
    assert file.read(10) == b""
    lengths = [end - start for start, end in registry.ranges]
    assert lengths == [1 << 18, 1 << 19, 1 << 20, 1 << 20, 1 << 20, 1 << 20, 1 << 18]
    file.seek(5)
    assert file.read(3) == bytes((5, 6, 7))
    assert len(registry.ranges) == len(lengths)


def test_header_of_a_published_model(tiny: Path) -> None:
    registry = Ranges(tiny.read_bytes())
    manifest = registry.push(NAME, Model(weights=("sha256:" + "0" * 64,)))
    registry.content = registry.content.ljust(manifest.layers[0].size)
    layer = Layer(media_type="application/vnd.ollama.image.model", digest="sha256:0", size=len(registry.content))
    file = LayerFile(NAME, layer, registry)
    file.seek(0)
    assert file.read(4) == b"GGUF"


def test_model_without_weights_is_rejected() -> None:
    registry = MemoryRegistry()
    registry.push(ModelName.parse("cloud:v1"), Model())
    with pytest.raises(InvalidRegistryAnswer, match=r"cloud:v1 of https://registry\.ollama\.ai has no weights"):
        published_weights("cloud:v1", registry)
