"""The user's cache folder: what is in it can be lost at any time, and belongs to several processes at once."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from errno import ENOSPC
from pathlib import Path
from typing import Final

from modelfile.errors import InputError
from modelfile.events import Events, Progress

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


def expand(text: str, folder: Path) -> Path:
    """A path as Ollama reads it: `~` is the home folder, what is not absolute is relative to the Modelfile's folder.

    `a/../b` is `b`, whether there is an `a` or not.
    """
    try:
        path = Path(text).expanduser() if text.startswith("~") else folder / text
    except RuntimeError:
        raise InputError(f"no such user: `{text}`") from None
    return Path(os.path.normpath(path))


_PATIENCE: Final = 1.0
"""In seconds: so often it is told that another is waited for."""


@contextlib.contextmanager
def name_lock(name: str, place: str, events: Events, what: str) -> Iterator[None]:
    """Wait until nothing else of this user on this machine makes a model under a name at a place.

    The lock belongs to the process: the system releases it however that ends. Where nothing can be written, as in some
    containers, nobody is waited for.

    Args:
        name: The name under which it is made, with every part, not the one that it takes in the end.
        place: The server's URL.
        events: Is told who is waited for.
        what: What is done under the name, as in `build of bot:v1`.
    """
    import hashlib
    import re

    from filelock import FileLock, Timeout  # 10 ms that what has nothing to do does not need

    at = re.sub(r"//(localhost|127\.0\.0\.1|\[::1\]):", "//loopback:", place)
    key = hashlib.sha256(f"{at} {name.lower()}".encode()).hexdigest()
    folder = _folder()
    if folder is None:
        yield
        return
    lock = FileLock(folder / f"{key}.lock")
    patience = 0.0
    while True:
        try:
            lock.acquire(timeout=patience)
            break
        except Timeout:
            patience = _PATIENCE
            events(Progress(status=f"waiting for another {what} on this machine"))
        except OSError:  # the disk is full
            break
    try:
        yield
    finally:
        lock.release()


def _folder() -> Path | None:
    """Where the locks are: in the cache, else among the temporary files; None where neither can be written."""
    from tempfile import gettempdir

    with contextlib.suppress(OSError):
        mine = f"modelfile-{os.getuid()}" if hasattr(os, "getuid") else "modelfile"  # users share /tmp
        for parent in filter(None, (cache_folder(), Path(gettempdir(), mine))):
            folder = parent / "locks"
            with contextlib.suppress(OSError):
                folder.mkdir(parents=True, exist_ok=True)
            if os.access(folder, os.W_OK):
                return folder
    return None


def write_atomic(path: Path, data: bytes) -> None:
    """Replace a file's content in one step: who reads it, or pulls the plug, has the old or the new.

    A device or a pipe, which has none, is written to.

    Raises:
        InputError: It cannot be written; nothing is left of the attempt.
    """
    import tempfile  # 3 ms that only a write pays

    real = path.resolve()
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
        hint = "it is as it was; make room on the disk, then run the command again" if error.errno == ENOSPC else None
        raise InputError(f"`{path}` cannot be written: {error.strerror or error}", hint=hint) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
