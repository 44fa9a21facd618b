"""Digests of local weights and adapters, computed once and cached."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from io import FileIO
from pathlib import Path
from threading import Lock, Thread
from typing import IO, Final

from modelfile.cache import read_entry, remove_entry, write_entry
from modelfile.errors import InputError, cannot_read
from modelfile.events import Events, Progress, ignore
from modelfile.filesystem import Stat, changed_while_read, open_regular
from modelfile.weights.content_type import HEAD, MAGICS, reject_content

_CHUNK: Final = 1 << 22
"""Bytes read at a time: large, because hashing competes with other threads only between two chunks."""
_ENTRIES: Final = "digests"
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


def digests_of(files: Iterable[Path], events: Events = ignore, stat: Stat = Path.stat) -> Mapping[Path, str]:
    """Return `sha256:…` of every file.

    Args:
        files: The files.
        events: Receives progress.
        stat: Returns the state of a file; one whose digest in this state is cached is not opened.

    Raises:
        InputError: A file cannot be read, changes while it is read, or is named `.gguf` and is not a GGUF file.
    """
    return {path: _hashed_ahead(path, events) or _cached(path, stat) or _digest(path, events)[0] for path in files}


def hash_ahead(files: Iterable[Path], stat: Stat = Path.stat) -> None:
    """Hash files that are not cached in a background thread, for a later call of `digests_of`; each once."""
    if paths := [path for path in files if path not in _AHEAD and not _cached(path, stat)]:
        ahead = _Ahead(paths)
        _AHEAD.update(dict.fromkeys(paths, ahead))
        ahead.start()


def are_cached(files: Iterable[Path], stat: Stat = Path.stat) -> bool:
    """Return whether the digests of all files are in the cache."""
    return all(_cached(path, stat) for path in files)


def _cached(path: Path, stat: Stat) -> str | None:
    try:
        return recall_digest(path, stat(path))
    except OSError:  # reported when it is hashed
        return None


def size_of(path: Path) -> int:
    """Return the size of a file, in bytes.

    Raises:
        InputError: It cannot be read.
    """
    try:
        return path.stat().st_size
    except OSError as error:
        raise cannot_read(path, error) from error


def unchanged(before: os.stat_result, after: os.stat_result) -> bool:
    """Return whether a file has the same inode, size and modification time as before."""
    return (before.st_ino, before.st_size, before.st_mtime_ns) == (after.st_ino, after.st_size, after.st_mtime_ns)


def is_same(before: os.stat_result, after: os.stat_result) -> bool:
    """Return whether two states are one to the cache of digests, which also records changes of the inode."""
    return _recorded(before) == _recorded(after)


_POLL: Final = 0.01
"""Interval, in seconds, of progress events while waiting for the background thread."""
_SWITCH_INTERVAL: Final = 0.0001
"""Interval, in seconds, at which threads take turns during hashing; Python's default is 5 ms."""


class _Ahead(Thread):
    """A background thread that hashes files."""

    def __init__(self, paths: Iterable[Path]) -> None:
        super().__init__(daemon=True)
        self.digests: dict[Path, tuple[str, os.stat_result]] = {}
        self._paths = tuple(paths)
        self._latest: Progress | None = None

    def run(self) -> None:
        default = sys.getswitchinterval()
        sys.setswitchinterval(_SWITCH_INTERVAL)
        try:
            for path in self._paths:
                self.digests[path] = _digest(path, self._record)
        except InputError:
            pass  # `digests_of` meets the same error and raises it
        finally:
            sys.setswitchinterval(default)

    def _record(self, progress: Progress) -> None:
        self._latest = progress

    def wait(self, path: Path, events: Events) -> None:
        """Wait until a file is hashed or has failed."""
        while self.is_alive() and path not in self.digests:
            if self._latest:
                events(self._latest)
            self.join(_POLL)


_AHEAD: Final[dict[Path, _Ahead]] = {}


def _hashed_ahead(path: Path, events: Events) -> str | None:
    if ahead := _AHEAD.pop(path, None):
        ahead.wait(path, events)
        with contextlib.suppress(KeyError, OSError):
            digest, state = ahead.digests[path]
            return digest if unchanged(state, path.stat()) else None
    return None


_LOCKS: Final[defaultdict[Path, Lock]] = defaultdict(Lock)


def _digest(path: Path, events: Events) -> tuple[str, os.stat_result]:
    with _LOCKS[path]:  # models built in parallel may share a file: the first hashes it, the others read the cache
        return _read(path, events)


def _read(path: Path, events: Events) -> tuple[str, os.stat_result]:
    with open_regular(path) as file:
        reject_other_files(path, file)
        state = os.fstat(file.fileno())
        if cached := recall_digest(path, state):
            return cached, state
        file.seek(0)
        digest = f"sha256:{_hash(file, Progress(status=f'hashing {path.name}', total=state.st_size), events)}"
        if not unchanged(state, os.fstat(file.fileno())) or not unchanged(state, path.stat()):
            raise changed_while_read(path)
    remember_digest(path, state, digest)
    return digest, state


def reject_other_files(path: Path, file: IO[bytes]) -> None:
    """Reject a file that is certainly not the weights that its name says, by its first bytes.

    Raises:
        InputError: As `content_type.reject_content`.
    """
    if not (head := file.read(HEAD)).startswith(MAGICS):
        reject_content(path, head)


def _hash(file: FileIO, start: Progress, events: Events) -> str:
    digest = hashlib.sha256()
    completed = 0
    buffer = memoryview(bytearray(_CHUNK))
    while length := file.readinto(buffer):
        digest.update(buffer[:length])
        completed += length
        events(Progress(status=start.status, total=start.total, completed=completed))
    return digest.hexdigest()


_RACY: Final = 2_000_000_000
"""Age, in nanoseconds, below which a timestamp is racy: the resolution of the coarsest file system in use (FAT)."""


def recall_digest(path: Path, state: os.stat_result) -> str | None:
    """Return the cached digest of a file in this state, or None."""
    match read_entry(_ENTRIES, _key(path)):
        case {"digest": str(digest), "state": recorded} if recorded == _recorded(state) and _DIGEST.fullmatch(digest):
            return digest
        case _:
            return None


def remember_digest(path: Path, state: os.stat_result, digest: str, *, now: int | None = None) -> None:
    """Cache a digest.

    A file with a racy timestamp is not cached: it may change again without a change of its timestamp.

    Args:
        path: The file.
        state: Its state when it was hashed.
        digest: Its digest.
        now: The time in nanoseconds since the epoch (default: the clock).
    """
    now = time.time_ns() if now is None else now
    if any(abs(now - changed) < _RACY for changed in (state.st_mtime_ns, state.st_ctime_ns)):
        return
    write_entry(_ENTRIES, _key(path), {"digest": digest, "state": _recorded(state)})


def forget_digest(path: Path) -> None:
    """Evict a file's digest from the cache."""
    remove_entry(_ENTRIES, _key(path))


def _key(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path.absolute())).hexdigest()


def _recorded(state: os.stat_result) -> list[int]:
    """Return what a cache entry records of a file's state.

    That includes the inode's change time (ctime), because the modification time can be set: all files of an unpacked
    archive may have the same, and a new file may reuse the inode number of a deleted one.
    """
    return [state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino]
