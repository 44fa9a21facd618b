"""The project's lock file: where it is, and which Modelfile is which entry."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from modelfile.errors import UsageError

if TYPE_CHECKING:
    from modelfile.lock.schema import Lock, Pin

NAME: Final = "mf.lock"


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


def key_of(modelfile: Path, lock: Path) -> str:
    """A Modelfile's name in the lock.

    Raises:
        UsageError: It does not stand below the lock.
    """
    path = modelfile.resolve()
    if not path.is_relative_to(lock.parent):
        raise UsageError(f"`{modelfile}` is outside of the project of `{lock}`", hint="run the command in its project")
    return path.relative_to(lock.parent).as_posix()


def load_lock(path: Path) -> Lock:
    """Read a lock file; where there is none, an empty one.

    Raises:
        InputError: It is damaged, or of a later version.
    """
    from modelfile.lock.schema import Lock, loads  # pydantic: 50 ms that a lint does not need

    return loads(path.read_bytes(), str(path)) if path.exists() else Lock()


def find_pin(modelfile: Path) -> Pin | None:
    """What the lock has for a Modelfile, if anything.

    Raises:
        InputError: The lock is damaged, or of a later version.
    """
    lock = find_lock(modelfile.parent)
    if lock is None or not modelfile.resolve().is_relative_to(lock.parent):
        return None
    return load_lock(lock).modelfiles.get(key_of(modelfile, lock))
