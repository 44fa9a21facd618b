"""The lock file that a Modelfile belongs to."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from modelfile.lock.header import NAME, pinned_bases, read_content
from modelfile.report.text import print_warning

if TYPE_CHECKING:
    from modelfile.lock.schema import Lock, Pin


def find_lock(folder: Path) -> Path | None:
    """The nearest `mf.lock`, from a folder upward to the root of its repository."""
    for above in (folder.resolve(), *folder.resolve().parents):
        if (above / NAME).is_file():
            return above / NAME
        if (above / ".git").exists():
            break
    return None


def lock_to_write(folder: Path) -> Path:
    """Where the lock is or is to be: at the root of the repository, else in the folder itself."""
    folders = (folder.resolve(), *folder.resolve().parents)
    root = next((above for above in folders if (above / ".git").exists()), folder.resolve())
    return find_lock(folder) or root / NAME


def load_lock(path: Path) -> Lock:
    """Read a lock file; where there is none, an empty one.

    Raises:
        InputError: It is damaged, or of a later version.
    """
    from modelfile.lock.schema import Lock, loads  # pydantic: 50 ms that a lint does not need

    lock = loads(path.read_bytes(), str(path)) if path.exists() else Lock()
    if lock.newer:
        print_warning(f"`{path}` is of version {lock.version}, which may hold more than this program knows and writes")
    return lock


def find_pin(modelfile: Path) -> Pin | None:
    """What the lock has for a Modelfile, if anything.

    Raises:
        InputError: The lock is damaged, or of a later version.
    """
    lock = find_lock(modelfile.parent)
    return load_lock(lock).modelfiles.get(_key(modelfile, lock)) if lock else None


def find_pinned_base(modelfile: Path) -> str | None:
    """The base that the lock has for a Modelfile, as written; read without what a lint does not import.

    Raises:
        InputError: The lock is damaged, or of a later version.
    """
    lock = find_lock(modelfile.parent)
    return _pinned_bases(lock).get(_key(modelfile, lock)) if lock else None


@cache
def _pinned_bases(lock: Path) -> dict[str, str]:
    return pinned_bases(read_content(lock.read_bytes(), str(lock)))


def _key(modelfile: Path, lock: Path) -> str:
    """A Modelfile's name in the lock; one behind a link to elsewhere has none."""
    path = modelfile.resolve()
    return path.relative_to(lock.parent).as_posix() if path.is_relative_to(lock.parent) else ""
