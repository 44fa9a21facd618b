"""A server's models, first looked at in haste: what is there already is found without opening the store in earnest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any

from modelfile.errors import UsageError
from modelfile.events import Progress
from modelfile.names import ModelName
from modelfile.stores.ollama.transport import Glance
from modelfile.stores.protocol import ListedModel, Store, StoredModel, newest_first


class QuickStore:
    """A store that asks a glance as long as that is answered, and opens the one behind it when it is not."""

    def __init__(self, place: str, open_store: Callable[[], Store]) -> None:
        """Look at the server at `place`, and at what `open_store` opens once that is not enough."""
        self.place = place
        self._open_store = open_store
        self._store: Store | None = None
        self._glance: Glance | None = Glance(place)
        self._version: str | None = None
        self._opening = Lock()
        self.answered = False
        """Whether a server was seen to be there."""

    def close(self) -> None:
        """Look no more; what was opened is closed by who opened it."""
        if self._glance:
            self.answered = self._glance.answered
            self._glance.close()
            self._glance = None

    def _earnest(self) -> Store:
        with self._opening:  # several uploads begin at once
            self.close()
            self._store = self._store or self._open_store()
            return self._store

    def version(self) -> str:
        """The version of the Ollama that keeps it."""
        if self._version is None:
            match self._glance and self._glance.get("/api/version"):
                case {"version": str(version)}:
                    self._version = version
                case _:
                    self._version = self._earnest().version()
        return self._version

    def list(self) -> tuple[ListedModel, ...]:
        """The models that are here, the newest first."""
        listed = _read(self._glance and self._glance.get("/api/tags"))
        return self._earnest().list() if listed is None else listed

    def has_blob(self, digest: str) -> bool:
        """Whether these bytes are here."""
        there = self._glance.head(f"/api/blobs/{digest}") if self._glance else None
        return self._earnest().has_blob(digest) if there is None else there

    def find(self, name: ModelName) -> StoredModel | None:
        """The model of that name, if it is here."""
        return self._earnest().find(name)

    def put_blob(self, digest: str, path: Path, on_sent: Callable[[int], None]) -> None:
        """Take a file's bytes."""
        self._earnest().put_blob(digest, path, on_sent)

    def create(self, name: ModelName, request: Mapping[str, Any]) -> Iterator[Progress]:
        """Make a model."""
        return self._earnest().create(name, request)

    def fetch(self, name: ModelName) -> Iterator[Progress]:
        """Get a model from its registry."""
        return self._earnest().fetch(name)

    def copy(self, source: ModelName, destination: ModelName) -> None:
        """Give a model another name."""
        self._earnest().copy(source, destination)

    def remove(self, name: ModelName) -> None:
        """Take a name away."""
        self._earnest().remove(name)


def _read(tags: Any) -> tuple[ListedModel, ...] | None:
    """What GET /api/tags says, if it is as it should be."""
    try:
        listed = [
            ListedModel(
                name=ModelName.parse(tag["name"]),
                digest=f"sha256:{tag['digest']}",
                size=int(tag["size"]),
                modified=datetime.fromisoformat(tag["modified_at"]),
            )
            for tag in tags["models"] or ()
        ]
        return newest_first(listed) if all(model.modified.tzinfo for model in listed) else None
    except (TypeError, KeyError, ValueError, AttributeError, UsageError):
        return None
