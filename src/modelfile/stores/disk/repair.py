"""Repair what a check of a store has found: from registries by digest, or in the store itself.

A good blob takes the place of a damaged one by a rename, so that nothing is lost before the good one is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, assert_never

from modelfile.errors import InputError, ModelfileError, NotFound, ServerError, UsageError, VerificationError
from modelfile.events import Events, Progress, ignore
from modelfile.filesystem import read_file
from modelfile.immutable import record
from modelfile.manifest import MAX_MANIFEST, Layer
from modelfile.names import ModelName, shorten_digest
from modelfile.stores.backups import aliased_digest
from modelfile.stores.disk.damage import (
    Damage,
    FetchBlob,
    FetchManifest,
    RemoveFile,
    RenameFile,
    SetMode,
    WriteCopy,
)
from modelfile.stores.disk.download import download_layers
from modelfile.stores.disk.files import sync_folder, writing_to
from modelfile.stores.disk.inventory import inspect_manifest
from modelfile.stores.disk.layout import reject_foreign, rename_old_blob
from modelfile.stores.disk.manifests import remove_manifest, replace_manifest
from modelfile.stores.disk.store import FolderStore
from modelfile.stores.protocol import Registry

_TASK: Final = "repair of a store"
_ORDER: Final = (SetMode, RenameFile, WriteCopy, FetchManifest, FetchBlob, RemoveFile)
"""Order of repairs: what makes files readable, then manifests, which say which blobs are needed."""


@record(kw_only=True)
class Repaired:
    """The outcome of a repair."""

    damage: Damage
    done: str | None
    """How it was repaired, to be put after a colon; None if it was not."""
    error: ModelfileError | None = None
    """Why it was not; None if a person has to decide."""


def repair(
    damages: Iterable[Damage], store: FolderStore, registry: Registry, events: Events = ignore
) -> Iterator[Repaired]:
    """Repair damages one by one; if one cannot be repaired, the others still are.

    >>> import tempfile
    >>> import modelfile
    >>> with (
    ...     tempfile.TemporaryDirectory() as folder,
    ...     modelfile.open_folder(Path(folder)) as store,
    ...     modelfile.open_registry() as registry,
    ... ):
    ...     [*modelfile.repair(modelfile.find_damage(store), store, registry)]
    []

    Args:
        damages: What a check has found.
        store: The store that was checked.
        registry: The registries that may have what is damaged.
        events: Receives progress.

    Yields:
        The outcome of each.

    Raises:
        InputError: The store belongs to another user.
    """
    reject_foreign(store.layout.root)
    with store.locked(_TASK):
        store.blobs.settle(store.named_blobs)
    repairs = _Repairs(store, registry, events)
    for damage in sorted(damages, key=lambda one: _ORDER.index(type(one.repair)) if one.repair else len(_ORDER)):
        try:
            yield Repaired(damage=damage, done=repairs.apply(damage))
        except ModelfileError as error:
            yield Repaired(damage=damage, done=None, error=error)


class _Repairs:
    """The repairs of a store."""

    def __init__(self, store: FolderStore, registry: Registry, events: Events) -> None:
        self._store = store
        self._registry = registry
        self._events = events

    def apply(self, damage: Damage) -> str | None:
        """Repair a damage, and return how; None if a person has to decide."""
        with writing_to(damage.path):
            match damage.repair:
                case None:
                    return None
                case FetchBlob(layer=layer, names=names):
                    if damage.code == "missing-blob" and self._store.has_blob(layer.digest, layer.size):
                        return "it is there again"
                    return self._fetch_blob(layer, names)
                case FetchManifest(name=name, or_remove=or_remove):
                    return self._fetch_manifest(damage, name, or_remove=or_remove)
                case SetMode() | RemoveFile() | RenameFile() | WriteCopy() as change:
                    with self._store.locked(_TASK):
                        return self._change(damage.path, change)
                case _ as unreachable:
                    assert_never(unreachable)

    def _change(self, path: Path, change: SetMode | RemoveFile | RenameFile | WriteCopy) -> str:
        """Change a file of the store, which is locked, and return how."""
        match change:
            case SetMode(mode=mode):
                path.chmod(mode)
                return f"its mode is {mode:04o} now"
            case RemoveFile():
                named = self._store.named_blobs()
                if named is None or path.name.replace("-", ":", 1) in named:
                    raise InputError("a manifest may name it", hint="run `mf store check` again")
                path.unlink(missing_ok=True)
                return "removed"
            case WriteCopy():
                replace_manifest(self._store.layout.root, path, read_file(path, limit=MAX_MANIFEST))
                return "it is a file of its own now"
            case RenameFile(path=new):
                is_new = rename_old_blob(path, new)
                sync_folder(new.parent)
                return f"renamed to `{new.name}`" if is_new else f"removed: there is `{new.name}`"
            case _ as unreachable:
                assert_never(unreachable)

    def _fetch_blob(self, layer: Layer, names: Iterable[ModelName]) -> str:
        """Download a blob, and return from where; the repositories of all models that name it are tried.

        Raises:
            ModelfileError: None has it, or it cannot be written; the damaged one is still there.
        """
        errors: list[ModelfileError] = []
        for name in {one.untagged.lower(): one for one in names}.values():
            try:
                self._download(name, layer)
            except (ServerError, UsageError, VerificationError) as error:
                errors.append(error)
            else:
                return f"downloaded from {self._registry.url(name)}"
        raise errors[-1]

    def _download(self, name: ModelName, layer: Layer) -> None:
        """Download a blob in parts, so that it can be resumed; in one piece if the damaged one has its size."""
        store = self._store
        if store.blobs.size(layer.digest) != layer.size:
            download_layers(name, [layer], store.layout, store.blobs, self._registry, self._events)
            return
        with store.blobs.writing(layer.digest, layer.size) as writer:

            def write(chunk: bytes) -> None:
                writer.write(chunk)
                status = f"downloading {shorten_digest(layer.digest)}"
                self._events(Progress(status=status, total=layer.size, completed=writer.size))

            self._registry.download(name, layer, 0, layer.size, write)

    def _fetch_manifest(self, damage: Damage, name: ModelName, *, or_remove: bool) -> str:
        try:
            return self._pull(name)
        except (ServerError, UsageError, VerificationError):
            if not or_remove:
                raise
        with self._store.locked(_TASK):
            found = inspect_manifest(name, damage.path)
            if found is not None and found.manifest is None:
                remove_manifest(self._store.layout.root, damage.path)
        return "removed: no registry has the model"

    def _pull(self, name: ModelName) -> str:
        """Pull a model anew: an alias by its digest, any other by its tag, which may have moved."""
        digest = aliased_digest(name)
        manifest = self._registry.manifest(name, digest) if digest else self._registry.resolve(name)
        if manifest is None:
            raise NotFound(f"{name} not found on {self._registry.url(name)}")
        for layer in dict.fromkeys(manifest.blobs):
            if self._store.blobs.size(layer.digest) != layer.size:
                self._fetch_blob(layer, [name])
        self._store.write_manifest(name, manifest.text)
        return f"pulled from {self._registry.url(name)}" + ("" if digest else "; its tag may have moved since")
