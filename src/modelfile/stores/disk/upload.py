"""Pushes of a model from a store to its registry: its layers in parallel, each once, and the manifest last."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import partial
from typing import TYPE_CHECKING, Final

from modelfile.errors import InputError, NotFound
from modelfile.events import Events, Progress
from modelfile.manifest import Layer
from modelfile.names import ModelName, registry_host, shorten_digest
from modelfile.stores.disk.layout import Layout
from modelfile.stores.protocol import Registry
from modelfile.stores.uploads import UploadProgress, run_in_parallel

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
    progress = UploadProgress(f"pushing {name}", sum(layer.size for layer in layers.values()), events)

    def upload(layer: Layer) -> None:
        sent = 0

        def count(length: int) -> None:
            nonlocal sent
            progress.add(length)
            sent += length

        registry.upload(name, layer, blobs.path(layer.digest), count, mount_from=sources.get(layer.digest, ()))
        progress.add(layer.size - sent)  # it was there already, or mounted

    def stop() -> None:
        progress.stop()
        registry.interrupt()

    progress.add(0)
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
