"""Manifests of a model store: read with their time, replaced by rename, removed with the folders that become empty."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from modelfile.errors import InputError
from modelfile.filesystem import read_file, reading
from modelfile.manifest import MAX_MANIFEST, Manifest, digest_of
from modelfile.stores.disk.files import sync, sync_folder, temporary_file, write_all, writing_to
from modelfile.stores.disk.layout import MANIFESTS, Layout, give_owner, make_folders

EMPTY: Final = "it is empty"
"""The problem of a manifest without a byte, as a power failure leaves it."""
_FIRST_READ: Final = 512
"""Bytes that Go's JSON decoder reads first, and keeps free in its buffer (encoding/json/stream.go)."""
_RACY: Final = 2_000_000_000
"""Age in nanoseconds below which a file may change again without a change of its times (as in `weights.digests`)."""
_NEW: Final = 1.0
"""Age in seconds below which a manifest may be being written."""
_PAUSES: Final = (0.005, 0.01, 0.02, 0.04, 0.08)
"""Seconds to wait before such a manifest is read again."""
_TRIES: Final = 10
"""Tries to write a manifest into a folder that others remove while it is empty."""
_MODE: Final = 0o666
"""Mode of a manifest, less the umask."""


class References:
    """The digests that the manifests of a store name; one that has not changed since is not read again."""

    def __init__(self, layout: Layout, on_damage: Callable[[str], None]) -> None:
        """Read nothing yet.

        Args:
            layout: The store.
            on_damage: Called with a warning about a manifest that cannot be read.
        """
        self._layout = layout
        self._on_damage = on_damage
        self._read: dict[Path, tuple[tuple[int, ...], frozenset[str]]] = {}

    def digests(self) -> set[str] | None:
        """Return the digests; None if a manifest cannot be read, and nobody knows what it names."""
        named = set[str]()
        for _, path in self._layout.manifests():
            try:
                named |= self._digests(path)
            except InputError:
                if os.path.lexists(path):  # not removed in between
                    self._on_damage(f"`{path}` is damaged: no blobs are removed, as they may be its own")
                    return None
        return named

    def _digests(self, path: Path) -> frozenset[str]:
        with reading(path):
            state = path.stat()
        key = (state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
        known, digests = self._read.get(path, (None, frozenset()))
        if known != key:
            digests = frozenset(layer.digest for layer in Manifest.parse(read_manifest(path)[0], "it").blobs)
            if time.time_ns() - max(state.st_mtime_ns, state.st_ctime_ns) > _RACY:
                self._read[path] = key, digests
        return digests


def listed_digest(content: bytes) -> str:
    """Return the digest that `/api/tags` has for a manifest: that of the bytes that Go's decoder reads.

    It ends where its buffer ends that has the end of the JSON value: the newline after one of 512 bytes is not read
    (measured on 0.9.3).
    """
    end, read = _end_of_json(content), _FIRST_READ
    while read < end:
        read = 2 * read + _FIRST_READ
    return digest_of(content[:read])


def _end_of_json(content: bytes) -> int:
    text = content.decode(errors="replace")
    start = len(text) - len(text.lstrip(" \t\r\n"))
    try:
        _, end = json.JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError):
        return len(content)
    return len(text[:end].encode())


def read_manifest(path: Path) -> tuple[bytes, datetime]:
    """Return content and time of change of a manifest, in whole microseconds: a float would be rounded up.

    A server truncates the file of a manifest before it writes it (measured on 0.9.3), so one that is not whole, and was
    changed just now, is read again.

    Raises:
        InputError: It cannot be read, or is empty.
    """
    content, modified = _read(path)
    for pause in _PAUSES:
        if time.time() - modified.timestamp() >= _NEW or _is_whole(content):
            break
        time.sleep(pause)
        content, modified = _read(path)
    if not content:
        raise InputError(EMPTY)
    return content, modified


def _read(path: Path) -> tuple[bytes, datetime]:
    content = read_file(path, limit=MAX_MANIFEST)
    try:
        seconds, rest = divmod(path.stat().st_mtime_ns, 10**9)
        return content, datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)
    except (OSError, ValueError, OverflowError) as error:
        raise InputError("its time of change cannot be read") from error


def _is_whole(content: bytes) -> bool:
    try:
        Manifest.parse(content, "it")
    except InputError:
        return False
    return True


def replace_manifest(root: Path, path: Path, content: bytes) -> None:
    """Write a manifest: readers see the old or the new one.

    The temporary file is in the root, where Ollama ignores it: beside the manifest, it would be listed as a model.

    Args:
        root: The folder of the store.
        path: The file of the manifest.
        content: Its bytes.

    Raises:
        InputError: It cannot be written.
    """
    with temporary_file(root, _MODE) as (file, temporary), writing_to(path):
        write_all(file, content)
        give_owner(file.fileno(), root)
        sync(file)
        for tries in range(_TRIES):
            try:
                make_folders(path.parent)
                temporary.replace(path)
                break
            except FileNotFoundError:  # the folder was empty, and another program removed it
                if tries == _TRIES - 1:
                    raise
    sync_folder(path.parent)


def remove_manifest(root: Path, path: Path) -> None:
    """Remove a manifest, and the folders that become empty, as Ollama does.

    Raises:
        InputError: It cannot be removed.
    """
    manifests, folder = root / MANIFESTS, path.parent
    with writing_to(path):
        path.unlink()
    sync_folder(folder)
    with contextlib.suppress(OSError):  # it is not empty
        while folder != manifests and folder.is_relative_to(manifests):
            folder.rmdir()
            folder = folder.parent
