"""Digests of files, remembered: a file that is as it was need not be read again.

An entry is a file of its own in the user's cache, named after the path and written at one stroke: nothing to lock or
to repair. One that is missing, of another state of the file, cut short or damaged tells nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from pathlib import Path
from typing import Final

from modelfile.cache import cache_folder, read_entry, write_entry

_RACY: Final = 2_000_000_000
"""In nanoseconds: the coarsest clock of a file system in use (FAT's)."""


def recall(path: Path, state: os.stat_result) -> str | None:
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


def remember(path: Path, state: os.stat_result, digest: str, *, now: int | None = None) -> None:
    """Keep a digest for the next time; `now` is in nanoseconds, as times of files are.

    A file that has changed only just is not remembered: it may change again within the same tick of its clock.
    """
    now = time.time_ns() if now is None else now
    if any(abs(now - changed) < _RACY for changed in (state.st_mtime_ns, state.st_ctime_ns)):
        return
    if entry := _entry(path):
        write_entry(entry, _line(state, digest))


def forget(path: Path) -> None:
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
