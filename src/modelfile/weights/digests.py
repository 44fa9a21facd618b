"""Local weights and adapters: their digests, and what is no weights at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from io import FileIO
from pathlib import Path
from threading import Lock, Thread
from typing import IO, Final

from modelfile.errors import InputError
from modelfile.events import Events, Progress, ignore
from modelfile.filesystem import cache_folder, read_entry, write_entry

_GGUF_MAGICS: Final = (b"GGUF", b"FUGG")
_LFS_POINTER: Final = b"version https://git-lfs"
_CHUNK: Final = 1 << 22
"""In bytes: so many that other threads hardly slow it down, which it has to stop for between two of them."""
_MOMENT: Final = 0.01
"""In seconds, as all times are."""
_TURN: Final = 0.0001
"""So long the program has to wait for its turn beside the hashing, and the hashing for its: 5 ms else."""


class _Ahead(Thread):
    """Files that are hashed while something else is done."""

    def __init__(self, paths: Iterable[Path]) -> None:
        super().__init__(daemon=True)
        self.digests: dict[Path, tuple[str, os.stat_result]] = {}
        self._paths = tuple(paths)
        self._now: Progress | None = None

    def run(self) -> None:
        usual = sys.getswitchinterval()
        sys.setswitchinterval(_TURN)
        try:
            for path in self._paths:
                self.digests[path] = _digest(path, self._hear)
        except InputError:
            pass  # who asks for it meets it too
        finally:
            sys.setswitchinterval(usual)

    def _hear(self, now: Progress) -> None:
        self._now = now

    def wait(self, path: Path, events: Events) -> None:
        """Wait until a file is hashed, or cannot be."""
        while self.is_alive() and path not in self.digests:
            if self._now:
                events(self._now)
            self.join(_MOMENT)


_AHEAD: Final[dict[Path, _Ahead]] = {}


def are_known(files: Iterable[Path]) -> bool:
    """Whether the digests of all files are known without reading them."""
    try:
        return all(recall_digest(path, path.stat()) for path in files)
    except OSError:
        return False


def hash_ahead(paths: Collection[Path]) -> None:
    """Begin to hash files of which `digests_of` will be asked."""
    if not paths:
        return
    ahead = _Ahead(paths)
    _AHEAD.update(dict.fromkeys(paths, ahead))
    ahead.start()


def digests_of(files: Iterable[Path], events: Events = ignore) -> Mapping[Path, str]:
    """`sha256:…` of every file.

    Raises:
        InputError: One cannot be read, changes meanwhile, or is a GGUF by its name and none by its bytes.
    """
    return {path: _ahead(path, events) or _digest(path, events)[0] for path in files}


def _ahead(path: Path, events: Events) -> str | None:
    if ahead := _AHEAD.pop(path, None):
        ahead.wait(path, events)
        with contextlib.suppress(KeyError, OSError):
            digest, state = ahead.digests[path]
            return digest if unchanged(state, path.stat()) else None
    return None


_LOCKS: Final[defaultdict[Path, Lock]] = defaultdict(Lock)


def _digest(path: Path, events: Events) -> tuple[str, os.stat_result]:
    with _LOCKS[path]:  # of models built side by side, several may be FROM one file: what the first finds is remembered
        return _read(path, events)


def _read(path: Path, events: Events) -> tuple[str, os.stat_result]:
    try:
        with path.open("rb", buffering=0) as file:
            _refuse_what_is_no_weights(path, file)
            state = os.fstat(file.fileno())
            if known := recall_digest(path, state):
                return known, state
            file.seek(0)
            digest = f"sha256:{_hash(file, Progress(status=f'hashing {path.name}', total=state.st_size), events)}"
            if not unchanged(state, os.fstat(file.fileno())) or not unchanged(state, path.stat()):
                raise InputError(
                    f"`{path}` has changed while it was read", hint="wait until it is whole, then try again"
                )
    except OSError as error:
        raise _unreadable(path, error) from error
    remember_digest(path, state, digest)
    return digest, state


def unchanged(before: os.stat_result, after: os.stat_result) -> bool:
    """Whether a file is the same, with the same content, as far as its size and time tell."""
    return (before.st_ino, before.st_size, before.st_mtime_ns) == (after.st_ino, after.st_size, after.st_mtime_ns)


def size_of(path: Path) -> int:
    """How many bytes a file has.

    Raises:
        InputError: It cannot be read.
    """
    try:
        return path.stat().st_size
    except OSError as error:
        raise _unreadable(path, error) from error


def _refuse_what_is_no_weights(path: Path, file: IO[bytes]) -> None:
    head = file.read(len(_LFS_POINTER))
    if head == _LFS_POINTER:
        raise InputError(f"`{path}` is a git-lfs pointer, not the weights", hint="run `git lfs pull`")
    if path.suffix == ".gguf" and not head.startswith(_GGUF_MAGICS):
        raise InputError(f"`{path}` is not a GGUF file", hint="was it downloaded whole? Ollama would refuse it")


def _hash(file: FileIO, start: Progress, events: Events) -> str:
    digest = hashlib.sha256()
    completed = 0
    buffer = memoryview(bytearray(_CHUNK))
    while length := file.readinto(buffer):
        digest.update(buffer[:length])
        completed += length
        events(Progress(status=start.status, total=start.total, completed=completed))
    return digest.hexdigest()


def _unreadable(path: Path, error: OSError) -> InputError:
    return InputError(f"`{path}` cannot be read: {error.strerror or error}")


_RACY: Final = 2_000_000_000
"""In nanoseconds: the coarsest clock of a file system in use (FAT's)."""


def recall_digest(path: Path, state: os.stat_result) -> str | None:
    """The digest that a file in this state was found to have."""
    entry = _entry(path)
    if entry is None:
        return None
    try:
        kept = read_entry(entry).decode("ascii")
    except (OSError, ValueError):
        return None
    digest = kept.partition(" ")[0]
    return digest if kept == _line(state, digest) else None


def remember_digest(path: Path, state: os.stat_result, digest: str, *, now: int | None = None) -> None:
    """Keep a digest for the next time; `now` is in nanoseconds, as times of files are.

    A file that has changed only just is not remembered: it may change again within the same tick of its clock.
    """
    now = time.time_ns() if now is None else now
    if any(abs(now - changed) < _RACY for changed in (state.st_mtime_ns, state.st_ctime_ns)):
        return
    if entry := _entry(path):
        write_entry(entry, _line(state, digest))


def forget_digest(path: Path) -> None:
    """Drop what is known of a file."""
    if entry := _entry(path):
        with contextlib.suppress(OSError):
            entry.unlink()


def _entry(path: Path) -> Path | None:
    folder = cache_folder()
    return folder / "digests" / hashlib.sha256(os.fsencode(path.absolute())).hexdigest() if folder else None


def _line(state: os.stat_result, digest: str) -> str:
    """An entry: the digest, the state it belongs to, and a checksum.

    The time of the last change of the inode is in it because the time of the content can be set: unpacked archives all
    have one, and a new file may get the number of a deleted one.
    """
    line = f"{digest} {state.st_size} {state.st_mtime_ns} {state.st_ctime_ns} {state.st_ino}"
    return f"{line} {hashlib.sha256(line.encode()).hexdigest()[:16]}\n"
