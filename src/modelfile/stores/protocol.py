"""What build, lock and diff ask of a place that keeps models."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from modelfile.events import Progress
from modelfile.names import ModelName
from modelfile.recipe.model import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredModel:
    """A model as a store has it."""

    name: ModelName
    digest: str
    """Ollama's own (`sha256:…`), of the manifest: not to be compared between machines."""
    model: Model
    quantization: str = ""
    """The type of its weights, as the store calls it; empty where it is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedModel:
    """A model as a store lists it."""

    name: ModelName
    digest: str
    """Ollama's own (`sha256:…`), as in Stored."""
    size: int
    """In bytes, of all its layers; other models may share them."""
    modified: datetime
    """When the name was given what it holds."""


def newest_first(listed: Iterable[ListedModel]) -> tuple[ListedModel, ...]:
    """Models in the order of a listing."""
    return tuple(sorted(listed, key=lambda model: (-model.modified.timestamp(), str(model.name))))


def held(name: ModelName, listed: Iterable[ListedModel]) -> ListedModel | None:
    """What is listed under a name."""
    return next((model for model in listed if model.name.same_as(name)), None)


class Store(Protocol):
    """An Ollama server, or what does as well."""

    @property
    def place(self) -> str:
        """Where it is, for messages."""

    def version(self) -> str:
        """The version of the Ollama that keeps it."""

    def list(self) -> tuple[ListedModel, ...]:
        """The models that are here, the newest first."""

    def find(self, name: ModelName) -> StoredModel | None:
        """The model of that name, if it is here."""

    def has_blob(self, digest: str) -> bool:
        """Whether these bytes are here."""

    def put_blob(self, digest: str, path: Path, on_sent: Callable[[int], None]) -> None:
        """Take a file's bytes; `on_sent` hears of every chunk's size, and, negative, of what has to be sent again."""

    def create(self, name: ModelName, request: Mapping[str, Any]) -> Iterator[Progress]:
        """Make a model of Ollama's create request; done when the iterator is."""

    def fetch(self, name: ModelName) -> Iterator[Progress]:
        """Get a model from its registry; done when the iterator is."""

    def copy(self, source: ModelName, destination: ModelName) -> None:
        """Give a model another name."""

    def remove(self, name: ModelName) -> None:
        """Take a name away."""
