"""A project with a pinned base, its registries and its server."""

import contextlib
import json
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.support.cli import Ran, StoppedClock, mf

from modelfile.errors import NotFound, RegistryUnreachable
from modelfile.manifest import Layer, Manifest
from modelfile.names import ModelName
from modelfile.recipe.model import Model
from modelfile.recipe.recipe import Message
from modelfile.stores.memory import MemoryRegistry, MemoryStore

NAME = ModelName.parse("llama3.2:3b")
BASE = Model(
    weights=(f"sha256:{'1' * 64}",),
    template="{{ .System }} {{ .Prompt }}",
    system="Be brief.",
    license="MIT",
    parameters={"temperature": 0.5, "stop": ("<e>",)},
    messages=(Message("user", "Hi"), Message("assistant", "Grüezi")),
)
MOVED = Model(weights=(f"sha256:{'2' * 64}",))


class Recording(MemoryRegistry):
    """Registries that record what they are asked, and have no network once that is `gone`.

    Attributes:
        lost: Contents of layers that they no longer have, and what they say then.
    """

    def __init__(self) -> None:
        super().__init__({NAME: BASE})
        self.lost: dict[bytes, str] = {}
        self.asked: list[str] = []
        self.gone = False
        self.cached: dict[str, bytes] = {}

    def resolve(self, name: ModelName) -> Manifest | None:
        """Return what a tag has."""
        self.asked.append(str(name))
        if self.gone:
            raise RegistryUnreachable(f"cannot connect to {name.host}")
        return super().resolve(name)

    def read(self, name: ModelName, layer: Layer) -> bytes:
        """Return a layer, from the cache if it was read before."""
        if layer.digest not in self.cached:
            if self.gone:
                raise RegistryUnreachable(f"cannot connect to {name.host}")
            content = super().read(name, layer)
            if content in self.lost:
                raise NotFound(self.lost[content])
            self.cached[layer.digest] = content
        return self.cached[layer.digest]


class Together(Recording):
    """Registries that say what a tag has once so many are asked at a time, and count how many are.

    Attributes:
        wanted: Questions at a time before which none is answered, for ten seconds at most.
    """

    def __init__(self) -> None:
        super().__init__()
        self.wanted = 1
        self.running = self.most = 0
        self._changed = threading.Condition()

    def resolve(self, name: ModelName) -> Manifest | None:
        """Return what a tag has."""
        with self._changed:
            self.running += 1
            self.most = max(self.most, self.running)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self.most >= self.wanted, timeout=10)
        found = super().resolve(name)
        with self._changed:
            self.running -= 1
        return found


class Clock(StoppedClock):
    """A clock that stands at noon of a day."""

    day = 1

    def now(self) -> datetime:
        """Return noon."""
        return datetime(2026, 11, self.day, 12, tzinfo=UTC)


class Scene:
    """A project with its registries and its server, which is out of reach unless `store` is set."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.registry = Recording()
        self.clock = Clock()
        self.store: MemoryStore | None = None

    def mf(self, *arguments: str) -> Ran:
        """Run `mf`; without a store, OLLAMA_HOST points nowhere."""
        store = self.store
        return mf(
            *arguments,
            open_store=(lambda _: contextlib.nullcontext(store)) if store else None,
            open_registry=lambda _: contextlib.nullcontext(self.registry),
            clock=self.clock,
        )

    @property
    def pins(self) -> Any:
        """The entries of the lock."""
        return json.loads((self.folder / "mf.lock").read_text())["modelfiles"]
