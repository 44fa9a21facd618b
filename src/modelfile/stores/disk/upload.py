"""Pushes of a model from a store to its registry: its layers in parallel, each once, and the manifest last."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import TYPE_CHECKING, Final

from modelfile.errors import InputError, NotFound
from modelfile.events import Events, Progress
from modelfile.manifest import Layer
from modelfile.names import ModelName, registry_host, shorten_digest
from modelfile.stores.disk.layout import Layout
from modelfile.stores.protocol import Registry
from modelfile.stores.uploads import Stopped, run_in_parallel

if TYPE_CHECKING:
    from modelfile.stores.disk.store import FolderStore

_DIGEST: Final = re.compile("sha256:[0-9a-f]{64}")
_MOST_SOURCES: Final = 3
"""Models from which mounting a layer is tried."""


def push_model(name: ModelName, store: FolderStore, registry: Registry, events: Events) -> None:
    """Push a model of a store to the registry of its name.

    Raises:
        NotFound: The store has no such model.
        InputError: A blob is missing or damaged.
        ServerError: The registry cannot be reached, denies access, or rejects a layer; layers that it has are not sent
            again by the next push.
        UsageError: The configuration does not allow the registry.
    """
    if (manifest := store.manifest(name)) is None:
        raise NotFound(f"{store.location} refused: model {name} not found")
    blobs = store.blobs
    layers = {layer.digest: layer for layer in (*manifest.layers, manifest.config)}
    for layer in layers.values():
        if blobs.size(layer.digest) != layer.size:
            what = "missing" if blobs.size(layer.digest) is None else "truncated"
            message = f"cannot push {name}: blob {shorten_digest(layer.digest)} is {what} in {store.location}"
            raise InputError(message, hint="run `mf store check --repair` to restore it")
    sources = _sources(name, layers, store.layout)
    counter = _PushProgress(name, layers.values(), events)

    def upload(layer: Layer) -> None:
        report = counter.of_layer(layer)
        registry.upload(name, layer, blobs.path(layer.digest), report, mount_from=sources.get(layer.digest, ()))
        counter.complete(layer)

    def stop() -> None:
        counter.stop()
        registry.interrupt()

    counter.report()
    run_in_parallel([partial(upload, layer) for layer in layers.values()], stop=stop)
    registry.publish(name, manifest.text)
    events(Progress(status="success"))


def _sources(name: ModelName, wanted: Collection[str], layout: Layout) -> dict[str, list[ModelName]]:
    """Return models of the same registry that have layers here, and therefore perhaps there, by digest."""
    found: dict[str, list[ModelName]] = {}
    for other, path in layout.manifests():
        if other and registry_host(other.host) == registry_host(name.host) and not other.same_model_as(name):
            try:
                digests = {*_DIGEST.findall(path.read_text(errors="replace"))}
            except OSError:
                continue
            for digest in digests & {*wanted}:
                sources = found.setdefault(digest, [])
                if len(sources) < _MOST_SOURCES and not any(other.same_model_as(source) for source in sources):
                    sources.append(other)
    return found


class _PushProgress:
    """The bytes of all layers that the registry has, of a push with several threads."""

    def __init__(self, name: ModelName, layers: Iterable[Layer], events: Events) -> None:
        self._status = f"pushing {name}"
        self._sent = {layer.digest: 0 for layer in layers}
        self._total = sum(layer.size for layer in layers)
        self._events = events
        self._lock = threading.Lock()
        self._stopped = False

    def of_layer(self, layer: Layer) -> Callable[[int], None]:
        """Return the callback that counts the bytes of a layer."""

        def count(length: int) -> None:
            with self._lock:
                if self._stopped:
                    raise Stopped
                self._sent[layer.digest] += length
            self.report()

        return count

    def complete(self, layer: Layer) -> None:
        """Count a layer as a whole, also one that was there already."""
        with self._lock:
            self._sent[layer.digest] = layer.size
        self.report()

    def report(self) -> None:
        """Report the progress."""
        self._events(Progress(status=self._status, total=self._total, completed=sum(self._sent.values())))

    def stop(self) -> None:
        """Stop every upload at its next chunk."""
        with self._lock:
            self._stopped = True
