"""Changes of a store under its lock: manifests are written and removed, and blobs that no manifest names go.

A blob is there before the manifest that names it, and is checked once more after: another program may have removed it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path

from modelfile.errors import InputError, VerificationError
from modelfile.events import ignore
from modelfile.filesystem import real_path
from modelfile.locks import folder_lock
from modelfile.manifest import Layer, Manifest
from modelfile.names import ModelName, shorten_digest
from modelfile.stores.disk.blobs import Blobs
from modelfile.stores.disk.files import abandoned, remove_abandoned
from modelfile.stores.disk.layout import BLOBS, Layout
from modelfile.stores.disk.manifests import read_manifest, remove_manifest, replace_manifest
from modelfile.stores.protocol import StoreLocation


class Changes:
    """Changes of one store; but for `damage`, to be made while its lock is held."""

    def __init__(self, layout: Layout, blobs: Blobs, named: Callable[[], set[str] | None]) -> None:
        """Change nothing yet.

        Args:
            layout: The store.
            blobs: Its blobs.
            named: Returns the digests that its manifests name; None if nobody knows.
        """
        self._layout = layout
        self._blobs = blobs
        self._named = named
        self._where = StoreLocation(url=str(layout.root)).where

    def locked(self, task: str) -> contextlib.AbstractContextManager[None]:
        """Hold the lock of the store, for changes of manifests and removals of blobs.

        Args:
            task: What is done, for others that wait.
        """
        return folder_lock(self._lockable, ignore, task)

    @contextlib.contextmanager
    def begun(self) -> Iterator[None]:
        """Hold the lock of the store for one change, before which the files that killed processes left are removed."""
        with self.locked("change of a store"):
            for folder in (self._layout.root, self._layout.root / BLOBS):
                remove_abandoned(folder)
            self._blobs.settle(self._named)
            yield

    def tidy(self) -> None:
        """Remove what killed processes left, if there is anything; the next change reports why it cannot be removed."""
        folders = (self._layout.root, self._layout.root / BLOBS)
        if self._blobs.aside() or any(any(abandoned(folder)) for folder in folders):
            with contextlib.suppress(InputError), self.begun():
                pass

    @cached_property
    def _lockable(self) -> Path:
        return real_path(self._layout.root / BLOBS)

    def delete(self, name: ModelName, path: Path) -> None:
        """Remove the manifest of a name, then the blobs that no manifest names any more."""
        former = None
        with contextlib.suppress(InputError):
            former = Manifest.parse(read_manifest(path)[0], f"the manifest of {name}")
        remove_manifest(self._layout.root, path)
        if former:
            self.remove_unnamed(former)

    def put(self, name: ModelName, manifest: Manifest, *, former_goes: bool) -> None:
        """Write a manifest under the lock of the store; in a copy, what the source lacks may be missing, too."""
        needed = [layer for layer in manifest.blobs if former_goes or self._has(layer)]
        self._require(needed, name)
        path = self._layout.manifest(name)
        before = None
        with contextlib.suppress(InputError):
            before, _ = read_manifest(path)
        for layer in needed:
            self._touch(layer)
        replace_manifest(self._layout.root, path, manifest.text.encode())
        try:
            self._require(needed, name)
        except VerificationError:
            if before is None:
                remove_manifest(self._layout.root, path)
            else:
                replace_manifest(self._layout.root, path, before)
            raise
        if former_goes and before:
            with contextlib.suppress(InputError):  # the manifest is damaged, or a blob cannot be removed: it may stay
                self.remove_unnamed(Manifest.parse(before, "it"))

    def _require(self, layers: Iterable[Layer], name: ModelName) -> None:
        for layer in layers:
            if not self._has(layer):
                message = f"cannot make {name} {self._where}: {self.damage(layer)}"
                raise VerificationError(message, hint="run the command again")

    def _touch(self, layer: Layer) -> None:
        """Make a blob new, so that a starting server does not remove it, which since 0.21 spares new ones for an hour.

        Neither what a symlink leads to is touched, nor a file with another name outside of the store.
        """
        path = self._blobs.path(layer.digest)
        with contextlib.suppress(OSError):
            if path.lstat().st_nlink == 1:
                os.utime(path, follow_symlinks=False)

    def remove_unnamed(self, former: Manifest) -> None:
        """Remove the blobs of a former manifest that none names now; none if a manifest cannot be read."""
        if (named := self._named()) is not None:
            self._blobs.remove({layer.digest for layer in former.blobs} - named, self._named)

    def damage(self, layer: Layer) -> str:
        """Return what is wrong with a blob that is not as its manifest says."""
        found, what = self._blobs.size(layer.digest), f"blob {shorten_digest(layer.digest)} ({layer.kind})"
        return f"{what} is missing" if found is None else f"{what} has {found:,} bytes instead of {layer.size:,}"

    def _has(self, layer: Layer) -> bool:
        return self._blobs.size(layer.digest) == layer.size
