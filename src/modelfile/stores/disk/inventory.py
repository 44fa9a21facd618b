"""An inventory of a model store: its manifests, its blobs, and all other files among the blobs.

Source of the temporary names: server/download.go, server/create.go and server/layer.go of Ollama v0.9.3 to v0.33.0-rc2,
and x/transfer for the downloads of tensor models.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Final

from modelfile.errors import InputError, reason_of
from modelfile.filesystem import reading
from modelfile.immutable import record
from modelfile.manifest import Manifest
from modelfile.names import ModelName
from modelfile.stores.disk.layout import BLOBS, Layout
from modelfile.stores.disk.manifests import read_manifest

DANGLING: Final = "it is a dangling symlink"
"""The problem of a manifest because of which an Ollama server can list no model at all."""
_BLOCK: Final = 512
"""Unit of `st_blocks`, in bytes."""
_HEX: Final = "[0-9a-f]{64}"
_QUANTIZED: Final = r"(?:COPY|projector-metadata|split-copy|I?Q\d_[A-Z0-9]+(?:_[A-Z]+)?|B?F16|F32|TQ\d_\d|MXFP4)"
"""Start of the names of files that a server quantizes into: the name of a type, or of what it does."""


class FileKind(StrEnum):
    """The kinds of files among the blobs that are no whole blobs."""

    PARTIAL = "partial"
    """A part of a download that can be resumed."""
    TEMPORARY = "temporary"
    """A file that another program writes, or wrote until it was killed."""
    OWN_TEMPORARY = "own-temporary"
    """A file that we write, or wrote until we were killed."""
    OLD_NAME = "old-name"
    """A blob with a colon in its name, as old versions of Ollama wrote it; a starting server renames it."""
    FOREIGN = "foreign"
    """A file of another program."""


_KINDS: Final = (
    (FileKind.PARTIAL, re.compile(rf"sha256-{_HEX}(?:-partial(?:-\d+)?|\.tmp)")),
    (FileKind.OLD_NAME, re.compile(rf"sha256:{_HEX}")),
    (FileKind.TEMPORARY, re.compile(rf"sha256-\d{{1,10}}|{_QUANTIZED}\d{{1,10}}")),
    (FileKind.OWN_TEMPORARY, re.compile(r"mf-(?:[0-9]{1,10}-[0-9a-f]{16}|removed-[0-9a-f]{64})")),
)
_FOLDERS: Final = {BLOBS: re.compile(r"split-gguf-\d{1,10}"), "": re.compile(r"ollama-safetensors\d+")}
"""Temporary folders of a server, among the blobs and in the root of the store."""


@record(kw_only=True)
class StoredManifest:
    """A file at the depth of manifests."""

    path: Path
    name: ModelName | None
    """None if its path is not that of a valid name: no Ollama lists it."""
    manifest: Manifest | None
    """None if it cannot be read."""
    problem: str = ""
    """Why it cannot be read, to be put after a colon."""
    modified: float = 0
    """Time of its last change, in seconds since 1970."""


@record(kw_only=True)
class StoredFile:
    """A file among the blobs, or a temporary one in the root of the store."""

    path: Path
    size: int
    """In bytes: of a whole blob its length, of any other file the disk space that it takes."""
    modified: float
    """Time of its last change, in seconds since 1970."""


@record(kw_only=True, slots=False)
class Inventory:
    """The files of a store at one moment."""

    manifests: tuple[StoredManifest, ...]
    blobs: Mapping[str, StoredFile]
    """The whole blobs by digest."""
    dangling: Mapping[str, Path]
    """Dangling symlinks with the name of a blob, by digest."""
    others: Mapping[FileKind, tuple[StoredFile, ...]]
    """All other files, by their kind."""

    @cached_property
    def named(self) -> Mapping[str, tuple[StoredManifest, ...]]:
        """The manifests that name a digest, by digest; the blob may be missing."""
        found: dict[str, list[StoredManifest]] = {}
        for stored in self.manifests:
            for digest in digests_of(stored.manifest) if stored.manifest else ():
                found.setdefault(digest, []).append(stored)
        return {digest: tuple(stored) for digest, stored in found.items()}

    @property
    def models(self) -> tuple[tuple[ModelName, Manifest], ...]:
        """The names of models with their manifests, as far as these can be read."""
        return tuple(
            (stored.name, stored.manifest) for stored in self.manifests if stored.name and stored.manifest is not None
        )

    @property
    def unnamed(self) -> Mapping[str, StoredFile]:
        """The blobs that no manifest names, by digest; an unreadable manifest may name any of them."""
        return {digest: blob for digest, blob in self.blobs.items() if digest not in self.named}

    @property
    def unreadable(self) -> tuple[StoredManifest, ...]:
        """The manifests that cannot be read."""
        return tuple(stored for stored in self.manifests if stored.manifest is None)


def digests_of(manifest: Manifest) -> tuple[str, ...]:
    """Return the digests of the blobs that a manifest names, each once."""
    return tuple(dict.fromkeys(layer.digest for layer in manifest.blobs))


def take_inventory(layout: Layout) -> Inventory:
    """Return the files of a store; no blob is opened.

    Raises:
        InputError: A folder cannot be read.
    """
    blobs: dict[str, StoredFile] = {}
    dangling: dict[str, Path] = {}
    for digest, path in layout.blobs():
        if found := _file(path, whole=True):
            blobs[digest] = found
        elif path.is_symlink():
            dangling[digest] = path
    known = {path.name for path in (*(blob.path for blob in blobs.values()), *dangling.values())}
    others: dict[FileKind, list[StoredFile]] = {kind: [] for kind in FileKind}
    for path in _entries(layout.root / BLOBS):
        if path.name not in known and (found := _file(path)):
            others[_kind(path, _FOLDERS[BLOBS])].append(found)
    for path in _entries(layout.root):
        kind = _kind(path, _FOLDERS[""])
        if (kind is FileKind.OWN_TEMPORARY or _FOLDERS[""].fullmatch(path.name)) and (found := _file(path)):
            others[kind].append(found)
    manifests = (inspect_manifest(name, path) for name, path in layout.manifests())
    return Inventory(
        manifests=tuple(filter(None, manifests)),
        blobs=blobs,
        dangling=dangling,
        others={kind: tuple(files) for kind, files in others.items()},
    )


def inspect_manifest(name: ModelName | None, path: Path) -> StoredManifest | None:
    """Return a manifest, or why it cannot be read; None if the file is gone."""
    modified, manifest, problem = 0.0, None, ""
    try:
        modified = path.stat().st_mtime
        manifest = Manifest.parse(read_manifest(path)[0], "it")
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not path.is_symlink():
            return None
        problem = DANGLING if path.is_symlink() else reason_of(error)
    except InputError as error:
        if not os.path.lexists(path):
            return None
        problem = error.message.partition(": ")[2] or error.message
    return StoredManifest(path=path, name=name, manifest=manifest, problem=problem, modified=modified)


def _entries(folder: Path) -> Iterator[Path]:
    with reading(folder):
        yield from map(folder.joinpath, sorted(os.listdir(folder)))  # noqa: PTH208  # names are enough


def _file(path: Path, *, whole: bool = False) -> StoredFile | None:
    """Return a file; None if it is gone, or a dangling symlink that is to be a whole blob."""
    try:
        state = path.stat() if whole else path.lstat()
    except OSError:
        return None
    size = state.st_size if whole else _space(path, state)
    return StoredFile(path=path, size=size, modified=state.st_mtime)


def _space(path: Path, state: os.stat_result) -> int:
    """Return the disk space of a file, or of all files in a folder, in bytes."""
    if not stat.S_ISDIR(state.st_mode):
        return min(getattr(state, "st_blocks", state.st_size) * _BLOCK, state.st_size)
    with contextlib.suppress(OSError):  # it is being removed, or not ours to read
        return sum(_space(inner, inner.lstat()) for inner in path.iterdir())
    return 0


def _kind(path: Path, folders: re.Pattern[str]) -> FileKind:
    if path.is_dir() and not path.is_symlink():
        return FileKind.TEMPORARY if folders.fullmatch(path.name) else FileKind.FOREIGN
    return next((kind for kind, pattern in _KINDS if pattern.fullmatch(path.name)), FileKind.FOREIGN)
