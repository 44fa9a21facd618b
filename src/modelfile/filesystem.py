"""Paths, bounded reads, atomic writes, the cache folder, and machine-wide locks."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Callable, Iterator
from errno import EISDIR, ENOSPC
from io import FileIO
from pathlib import Path
from typing import Final, Protocol, TypeAlias

from modelfile.errors import InputError, cannot_read, cannot_write
from modelfile.events import Events, Progress

Stat: TypeAlias = Callable[[Path], os.stat_result]
"""Returns the state of a file, following symlinks, as Path.stat."""


def real_path(path: Path) -> Path:
    """Return the absolute path of a file without symlinks; a loop of symlinks stays as it is.

    Raises:
        InputError: No file can have this path, or it is relative and the current folder was deleted.
    """
    try:
        return Path(os.path.realpath(path))
    except FileNotFoundError as error:
        raise InputError("the current folder does not exist any more", hint="change to another folder") from error
    except (OSError, ValueError) as error:
        raise cannot_read(path, error) from error


def relative_to(path: Path, folder: Path) -> str:
    """Return the path of a file from a folder, with `/`, whether or not it is below."""
    return Path(os.path.relpath(real_path(path), real_path(folder))).as_posix()


def expand(text: str, folder: Path) -> Path:
    """Expand a path as Ollama does: `~` is the home folder, and a relative path starts at the Modelfile's folder.

    `a/../b` becomes `b`, even if there is no `a`.

    Raises:
        InputError: It names the home folder of an unknown user.
    """
    try:
        path = Path(text).expanduser() if text.startswith("~") else folder / text
    except RuntimeError:
        raise InputError(f"no such user: `{text}`") from None
    return Path(os.path.normpath(path))


MAX_TEXT: Final = 10_000_000
"""Largest size, in bytes, of a file that people write: a Modelfile or a configuration."""
MAX_JSON: Final = 32_000_000
"""Largest size, in bytes, of a file that programs write: a lock, a plan, an index of weights."""
_READ: Final = os.O_RDONLY | sum(getattr(os, flag, 0) for flag in ("O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY"))
_KINDS: Final = ((stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"))


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes | None: ...


@contextlib.contextmanager
def reading(path: Path | str) -> Iterator[None]:
    """Translate the errors of the system while a file is read.

    Raises:
        InputError: The system cannot read the file.
    """
    try:
        yield
    except OSError as error:
        raise cannot_read(path, error) from error


@contextlib.contextmanager
def open_regular(path: Path | str) -> Iterator[FileIO]:
    """Open a regular file for unbuffered reading, and never wait: to open a pipe would wait for its writer.

    The file is looked at before it is opened, because to open some devices has an effect, and after it, because it
    may have been replaced in between.

    Raises:
        InputError: It cannot be read, now or in the context; or it is a folder, a pipe, a socket or a device.
    """
    with reading(path):
        try:
            _reject_irregular(path, Path(path).stat())
        except ValueError as error:  # no file can have this path
            raise cannot_read(path, error) from error
        descriptor = os.open(path, _READ)
        try:
            _reject_irregular(path, os.fstat(descriptor))
        except BaseException:
            os.close(descriptor)
            raise
        with FileIO(descriptor) as file:
            yield file


def _reject_irregular(path: Path | str, state: os.stat_result) -> None:
    if stat.S_ISDIR(state.st_mode):
        raise IsADirectoryError(EISDIR, os.strerror(EISDIR))
    if not stat.S_ISREG(state.st_mode):
        kind = next((kind for is_kind, kind in _KINDS if is_kind(state.st_mode)), "a device")
        raise InputError(f"cannot read `{path}`: it is {kind}, not a file")


def read_file(path: Path | str, *, limit: int = MAX_TEXT) -> bytes:
    """Return the content of a regular file, without waiting and without reading more than the limit.

    Args:
        path: The file; symlinks are followed.
        limit: Largest size, in bytes.

    Raises:
        InputError: It cannot be read, is not a regular file, or is larger than the limit.
    """
    with open_regular(path) as file:
        return read_up_to(limit, file, path)


def read_up_to(limit: int, file: _Readable, path: Path | str, head: bytes = b"") -> bytes:
    """Return the content of an open file, of which `head` was read already.

    Raises:
        InputError: It has more bytes than the limit.
    """
    pieces, left = [head], limit - len(head)
    while piece := file.read(min(left + 1, _PIECE)):
        pieces.append(piece)
        left -= len(piece)
        if left < 0:
            raise InputError(f"cannot read `{path}`: it has more than {limit:,} bytes, the limit for such a file")
    return b"".join(pieces)


def changed_while_read(path: Path) -> InputError:
    """Return the error for a file that another program changes or truncates while it is read."""
    return InputError(
        f"`{path}` changed while it was read", hint="wait until it is complete, then run the command again"
    )


_PIECE: Final = 1 << 18
"""Bytes read at a time."""


def write_atomic(path: Path, data: bytes) -> None:
    """Replace a file's content in one step: readers see the old or the new content, even after a crash.

    A device or a pipe is written to directly.

    Raises:
        InputError: It cannot be written; the file is unchanged, and no temporary file remains.
    """
    import tempfile  # 3 ms that only a write needs

    real = real_path(path)
    try:
        if real.exists() and not real.is_file():
            real.write_bytes(data)
            return
        descriptor, temporary = tempfile.mkstemp(dir=real.parent, prefix=f".{real.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).chmod(real.stat().st_mode & 0o777 if real.exists() else 0o666 & ~_umask())
            Path(temporary).replace(real)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
            raise
    except OSError as error:
        hint = "it is unchanged; free some disk space, then run the command again" if error.errno == ENOSPC else None
        raise cannot_write(path, error, hint=hint) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


_DAY: Final = 86_400
"""In seconds."""
_MAX_UNUSED: Final = 90 * _DAY


def cache_folder() -> Path | None:
    """Return the user's cache folder, created if needed, or None if it cannot be created.

    Several processes share it, and anything in it may disappear at any time.
    """
    caches = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    try:
        folder = Path(caches) / "modelfile" if caches else Path.home() / ".cache" / "modelfile"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return None
    return folder


def read_entry(entry: Path) -> bytes:
    """Return the content of a cache entry; its modification time records its last use, to the day.

    Raises:
        OSError: There is no such entry.
    """
    with entry.open("rb") as file:
        used = os.fstat(file.fileno()).st_mtime
        content = file.read()
    if time.time() - used > _DAY:
        with contextlib.suppress(OSError):
            os.utime(entry)
    return content


def write_entry(entry: Path, text: str) -> None:
    """Write a cache entry if possible, and evict entries of the same folder that were not used for 90 days."""
    with contextlib.suppress(OSError):
        entry.parent.mkdir(exist_ok=True)
        entry.write_text(text, encoding="ascii")
        oldest = time.time() - _MAX_UNUSED
        with os.scandir(entry.parent) as entries:
            for other in entries:
                with contextlib.suppress(OSError):  # another process may have evicted it
                    if other.stat(follow_symlinks=False).st_mtime < oldest:
                        Path(other).unlink()


_REPORT_INTERVAL: Final = 1.0
"""Interval, in seconds, of events that report waiting for a lock."""


@contextlib.contextmanager
def name_lock(name: str, location: str, events: Events, task: str) -> Iterator[None]:
    """Hold the machine-wide lock of a model name, waiting for other processes of this user.

    The lock belongs to the process: the system releases it even if the process is killed. Where no folder is writable,
    as in some containers, there is no lock and no waiting.

    Args:
        name: The name under which the model is created (the staging tag, not its final name), with all its parts.
        location: The server's URL.
        events: Receives a progress event every second while another process has the lock.
        task: A description for these events, such as `build of bot:v1`.
    """
    import hashlib
    import re

    from filelock import FileLock, Timeout  # 10 ms that a build with nothing to do does not need

    server = re.sub(r"//(localhost|127\.0\.0\.1|\[::1\]):", "//loopback:", location)
    key = hashlib.sha256(f"{server} {name.lower()}".encode()).hexdigest()
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
    """Return the folder of locks, in the cache or else among temporary files, or None if neither is writable."""
    from tempfile import gettempdir

    with contextlib.suppress(OSError):
        user_folder = f"modelfile-{os.getuid()}" if hasattr(os, "getuid") else "modelfile"  # users share /tmp
        for parent in filter(None, (cache_folder(), Path(gettempdir(), user_folder))):
            folder = parent / "locks"
            with contextlib.suppress(OSError):
                folder.mkdir(parents=True, exist_ok=True)
            if os.access(folder, os.W_OK):
                return folder
    return None


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
