"""Which lock file a Modelfile belongs to."""

from __future__ import annotations

from pathlib import Path

from modelfile.lock.header import NAME


def find_lock(folder: Path) -> Path | None:
    """The nearest `mf.lock`, from a folder upward to the root of its repository."""
    for above in (folder.resolve(), *folder.resolve().parents):
        if (above / NAME).is_file():
            return above / NAME
        if (above / ".git").exists():
            break
    return None


def find_repository(folder: Path) -> Path | None:
    """The root of the repository that a folder is in."""
    return next((above for above in (folder.resolve(), *folder.resolve().parents) if (above / ".git").exists()), None)


def key_in(lock: Path, modelfile: Path) -> str:
    """A Modelfile's name in a lock; one behind a link to elsewhere has none."""
    path = modelfile.resolve()
    return path.relative_to(lock.parent).as_posix() if path.is_relative_to(lock.parent) else ""
