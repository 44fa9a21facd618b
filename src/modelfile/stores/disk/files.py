"""Files of a model store: temporary ones until they are complete, and errors of the disk as errors of ours.

While a temporary file is written, its writer has its lock (`flock`); one without a lock was left by a process that was
killed, and the next writer removes it. Ollama ignores the names of these files.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Iterator
from errno import EDQUOT, EINVAL, ENOSPC, ENOTSUP, EROFS
from io import FileIO
from pathlib import Path
from typing import Final

from modelfile.errors import DiskFull, cannot_write

_TEMPORARY: Final = re.compile(r"\.?mf-[0-9]{1,10}-[0-9a-f]{16}")
_LOCKLESS_AGE: Final = 86_400
"""Age in seconds after which a temporary file counts as abandoned where files have no locks."""
_FREE_SPACE: Final = "free some disk space, then run the command again; blobs that are whole are used then"
_FREE_INODES: Final = "the disk has space, but no inodes left: remove files of it, then run the command again"
_READ_ONLY: Final = "mount it for writing, or use another folder"


def temporary_path(folder: Path, prefix: str = "") -> Path:
    """Return a new path for a temporary file in a folder."""
    return folder / f"{prefix}mf-{os.getpid()}-{os.urandom(8).hex()}"


def write_all(file: FileIO, data: bytes | memoryview) -> None:
    """Write all bytes to an unbuffered file, which may take less at a time."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


@contextlib.contextmanager
def writing_to(path: Path) -> Iterator[None]:
    """Translate the errors of the system while a file of the store is written.

    Raises:
        InputError: It cannot be written.
    """
    try:
        yield
    except OSError as error:
        full = _FREE_INODES if error.errno == ENOSPC and _lacks_inodes(path.parent) else _FREE_SPACE
        hint = {ENOSPC: full, EDQUOT: full, EROFS: _READ_ONLY}.get(error.errno or 0)
        raise cannot_write(path, error, hint=hint) from error


def _lacks_inodes(folder: Path) -> bool:
    with contextlib.suppress(OSError, AttributeError):  # Windows has no such call
        disk = os.statvfs(folder)
        return disk.f_files > 0 == disk.f_favail  # some file systems count none
    return False


def check_space(folder: Path, needed: int, task: str) -> None:
    """Check that the disk of a store has the space for what is to be written.

    Args:
        folder: A folder of the store.
        needed: The space in bytes.
        task: What it is needed for, as in `pull bot:v1`.

    Raises:
        DiskFull: It has less.
    """
    with writing_to(folder):
        free = shutil.disk_usage(folder).free
    if needed > free:
        message = f"cannot {task}: it needs {needed:,} bytes, and the disk of `{folder}` has {free:,} free"
        raise DiskFull(message, hint="free some space, or use another folder; nothing was written")


def sync(file: FileIO) -> None:
    """Flush a file to the disk; where the file system has no such call, it is as safe as that makes it."""
    try:
        os.fsync(file.fileno())
    except OSError as error:
        if error.errno not in (EINVAL, ENOTSUP, EROFS):
            raise


def sync_folder(folder: Path) -> None:
    """Flush the names in a folder to the disk; where the file system cannot, they are as safe as it makes them."""
    if os.name != "posix":
        return
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def open_own(path: Path, flags: int = 0, mode: int = 0o666) -> FileIO:
    """Open a file of a store for reading and writing; what a symlink leads to is not its own.

    Args:
        path: The file.
        flags: Further flags of `os.open`, as for a new file.
        mode: The mode of a new file, less the umask.

    Raises:
        OSError: It cannot be opened, or is a symlink.
    """
    flags |= os.O_RDWR | sum(getattr(os, flag, 0) for flag in ("O_NOFOLLOW", "O_BINARY", "O_CLOEXEC"))
    return FileIO(os.open(path, flags, mode), "r+")


@contextlib.contextmanager
def temporary_file(folder: Path, mode: int = 0o600) -> Iterator[tuple[FileIO, Path]]:
    """Create a locked temporary file, which is removed at the end of the context unless it was renamed.

    Args:
        folder: The folder of the file.
        mode: The mode of the file, less the umask.

    Raises:
        InputError: It cannot be created.
    """
    with writing_to(folder):
        file, path = _create(folder, mode)
    with file:
        try:
            yield file, path
        finally:
            with contextlib.suppress(OSError):
                path.unlink()


def create_temporary(folder: Path) -> tuple[int, str]:
    """Create a hidden, locked temporary file for a large file outside of a store, and return its descriptor and path.

    What killed processes left in the folder is removed before: it may be as large.
    """
    remove_abandoned(folder)
    file, path = _create(folder, 0o600, ".")
    with file:
        return os.dup(file.fileno()), str(path)  # which keeps the lock


def _create(folder: Path, mode: int, prefix: str = "") -> tuple[FileIO, Path]:
    while True:
        path = temporary_path(folder, prefix)
        file = open_own(path, os.O_CREAT | os.O_EXCL, mode)
        if lock(file) is not False and os.fstat(file.fileno()).st_nlink:
            return file, path
        file.close()  # another process took it for abandoned, before it was locked
        path.unlink(missing_ok=True)


def abandoned(folder: Path, *, remove: bool = False) -> Iterator[tuple[Path, int]]:
    """Yield the temporary files in a folder whose writers were killed, with their sizes in bytes."""
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208  # a store has hundreds of blobs: no Path for each
    except OSError:
        return
    for name in names:
        if _TEMPORARY.fullmatch(name):
            with contextlib.suppress(OSError), (folder / name).open("rb", buffering=0) as file:
                locked, state = lock(file), os.fstat(file.fileno())
                if locked or (locked is None and time.time() - state.st_mtime > _LOCKLESS_AGE):
                    if remove:  # while it is locked, so that it is not that of a new writer
                        (folder / name).unlink()
                    yield folder / name, state.st_size


def remove_abandoned(folder: Path) -> None:
    """Remove the temporary files in a folder whose writers were killed."""
    for _ in abandoned(folder, remove=True):
        pass


def is_locked(path: Path) -> bool:
    """Return whether a process has the lock of a file, and so is writing it."""
    with contextlib.suppress(OSError), path.open("rb", buffering=0) as file:
        return lock(file) is False
    return False


def lock(file: FileIO) -> bool | None:
    """Lock a file; return False if another process has locked it, and None where files have no such locks."""
    try:
        from fcntl import LOCK_EX, LOCK_NB, flock

        flock(file.fileno(), LOCK_EX | LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        return None
    return True
