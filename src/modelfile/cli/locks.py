"""The lock file that a Modelfile belongs to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from modelfile.lockfile import NAME, find_lock, find_repository, key_in
from modelfile.project.config import find_config
from modelfile.report.terminal import print_warning

if TYPE_CHECKING:
    from modelfile.lock.schema import Lock, Pin


def lock_to_write(folder: Path) -> Path:
    """Where the lock is or is to be: at the root of the repository, else by the configuration, else in the folder."""
    if lock := find_lock(folder):
        return lock
    root = find_repository(folder)
    if root is None:
        configured = find_config(folder)
        root = configured.parent if configured else folder.resolve()
    return root / NAME


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
    return load_lock(lock).modelfiles.get(key_in(lock, modelfile)) if lock else None
