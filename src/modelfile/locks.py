"""Locks on this machine: of model names, and of folders whose files change."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from modelfile.cache import cache_folder, make_private
from modelfile.errors import InputError
from modelfile.events import Events, Progress
from modelfile.filesystem import real_path

_REPORT_INTERVAL: Final = 1.0
"""Interval, in seconds, of events that report waiting for a lock."""


@contextlib.contextmanager
def name_lock(name: str, location: str, events: Events, task: str) -> Iterator[None]:
    """Hold the machine-wide lock of a model name, waiting for other processes of this user.

    The lock belongs to the process: the system releases it even if the process is killed. Where no folder is writable,
    as in some containers, there is no lock and no waiting.

    Args:
        name: The name under which the model is created (the staging tag, not its final name), with all its parts.
        location: The server's URL, or the path of a folder, which symlinks may lead to.
        events: Receives a progress event every second while another process has the lock.
        task: A description for these events, such as `build of bot:v1`.
    """
    import hashlib
    import re

    from filelock import FileLock, Timeout  # 10 ms that a build with nothing to do does not need

    server = re.sub(r"//(localhost|127\.0\.0\.1|\[::1\]):", "//loopback:", location)
    if Path(location).is_absolute():
        server = str(real_path(Path(location)))
    key = hashlib.sha256(os.fsencode(f"{server} {name.lower()}")).hexdigest()
    folder = _lock_folder()
    if folder is None:
        yield
        return
    lock = FileLock(folder / f"{key}.lock")
    timeout = 0.0
    while True:
        try:
            lock.acquire(timeout=timeout)
            break
        except Timeout:
            timeout = _REPORT_INTERVAL
            events(Progress(status=f"waiting for another {task} on this machine"))
        except OSError:  # the disk is full
            break
    try:
        yield
    finally:
        lock.release()


def _lock_folder() -> Path | None:
    """Return the folder of locks, in the cache or else among temporary files, or None if neither is private."""
    for parent in _lock_parents():
        if make_private(parent) is None and make_private(parent / "locks") is None:
            return parent / "locks"
    return None


def _lock_parents() -> Iterator[Path]:
    from tempfile import gettempdir

    if cache := cache_folder():
        yield cache
    user_folder = f"modelfile-{os.getuid()}" if hasattr(os, "getuid") else "modelfile"  # users share /tmp
    with contextlib.suppress(FileNotFoundError):  # on a full disk there is none
        yield Path(gettempdir(), user_folder)


_LOCK_TIMEOUT: Final = 60.0
"""Seconds to wait for another process that changes files of the same folder, which takes it milliseconds."""
_LOCK_POLL: Final = 0.02
"""Interval, in seconds, of tries to lock a folder."""


@contextlib.contextmanager
def folder_lock(folder: Path, events: Events, task: str) -> Iterator[None]:
    """Hold the lock of a folder while its files are read, changed and written.

    The open folder itself is locked (`flock`), which leaves no file behind, needs no cache, and holds against processes
    of other users and in other containers on this machine. Where a folder cannot be locked, as on Windows and on some
    network file systems, the lock is that of the folder's name, for the processes of this user.

    Args:
        folder: The folder.
        events: Receives a progress event every second while another process has the lock.
        task: A description for these events, such as `change of mf.lock`.

    Raises:
        InputError: Another process has had the lock for 60 seconds.
    """
    try:
        import fcntl

        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except (ImportError, OSError):
        with name_lock(str(folder), "", events, task):
            yield
        return
    try:
        lockable = _wait_for(lambda: fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB), folder, events, task)
        with contextlib.nullcontext() if lockable else name_lock(str(folder), "", events, task):
            yield
    finally:
        os.close(descriptor)  # which releases it


def _wait_for(acquire: Callable[[], None], folder: Path, events: Events, task: str) -> bool:
    """Acquire the lock of a folder, waiting for others; return False if the file system has no such locks."""
    began = reported = time.monotonic()
    while True:
        try:
            acquire()
        except BlockingIOError:
            now = time.monotonic()
            if now - began > _LOCK_TIMEOUT:
                message = f"another process has locked `{folder}` for {_LOCK_TIMEOUT:.0f} seconds"
                raise InputError(message, hint="end it, then run the command again") from None
            if now - reported > _REPORT_INTERVAL:
                reported = now
                events(Progress(status=f"waiting for another {task} on this machine"))
            time.sleep(_LOCK_POLL)
        except OSError:
            return False
        else:
            return True
