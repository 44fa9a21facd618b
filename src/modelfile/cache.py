"""The user's cache folder: what is in it can be lost at any time, and belongs to several processes at once."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Final

_DAY: Final = 86_400
"""In seconds."""
_UNUSED: Final = 90 * _DAY


def cache_folder() -> Path | None:
    """The folder, made if need be; None where there is no place for it."""
    caches = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    try:
        folder = Path(caches) / "modelfile" if caches else Path.home() / ".cache" / "modelfile"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return None
    return folder


def read_entry(entry: Path) -> bytes:
    """What an entry holds; its time tells, to the day, when it was last of use.

    Raises:
        OSError: There is none.
    """
    with entry.open("rb") as file:
        used = os.fstat(file.fileno()).st_mtime
        kept = file.read()
    if time.time() - used > _DAY:
        with contextlib.suppress(OSError):
            os.utime(entry)
    return kept


def write_entry(entry: Path, text: str) -> None:
    """Keep an entry if there is room, and drop those of its folder that have been of no use for three months."""
    with contextlib.suppress(OSError):
        entry.parent.mkdir(exist_ok=True)
        entry.write_text(text, encoding="ascii")
        last = time.time() - _UNUSED
        with os.scandir(entry.parent) as entries:
            for other in entries:
                with contextlib.suppress(OSError):  # another process was first
                    if other.stat(follow_symlinks=False).st_mtime < last:
                        Path(other).unlink()
