"""The user's cache: digests of weights and fingerprints of models, which save time and are never needed.

Its entries are JSON, and count only if nobody else can have written them: the folder and the entry belong to this user,
others cannot write to them, and neither is a symlink. Several processes share it, and anything in it may disappear.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from pathlib import Path
from typing import Any, Final

from modelfile.filesystem import MAX_JSON, home_folder

_DAY: Final = 86_400
"""In seconds."""
_MAX_UNUSED: Final = 90 * _DAY
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_READ: Final = os.O_RDONLY | sum(getattr(os, flag, 0) for flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"))


class _Switch:
    """Switch of the entries of this process."""

    enabled = True


def enable(*, enabled: bool) -> None:
    """Turn the entries of the cache on or off, for `--no-cache`; all threads see it."""
    _Switch.enabled = enabled


def cache_folder() -> Path | None:
    """Return the user's cache folder, created if needed, or None if there cannot be a private one."""
    folder = _location()
    return folder if folder and make_private(folder) is None else None


def cache_problem() -> str | None:
    """Return why there is no cache folder, or None if there is one."""
    folder = _location()
    return make_private(folder) if folder else "there is no home folder"


def _location() -> Path | None:
    """Return the place of the cache. Relative paths in variables do not count: a foreign folder would be the cache."""
    if (folder := Path(os.environ.get("MF_CACHE_DIR", ""))).is_absolute():
        return folder
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        if (caches := Path(os.environ.get(name, ""))).is_absolute():
            return caches / "modelfile"
    home = home_folder()
    return home / ".cache" / "modelfile" if home else None


def make_private(folder: Path) -> str | None:
    """Create a folder that only this user can write to, if there is none; return what is wrong with it, or None."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
    except (OSError, ValueError) as error:
        return f"`{folder}` cannot be created: {getattr(error, 'strerror', None) or error}"
    return _problem(folder)


def _problem(folder: Path) -> str | None:
    """Return what is wrong with a folder, or None."""
    try:
        state, parent = folder.lstat(), folder.parent.stat()
    except (OSError, ValueError) as error:
        return f"`{folder}` cannot be read: {getattr(error, 'strerror', None) or error}"
    if not stat.S_ISDIR(state.st_mode):
        return f"`{folder}` is a symlink or a file"
    if not _is_private(state):
        return f"`{folder}` belongs to another user, or others can write to it"
    if parent.st_mode & stat.S_IWOTH and not parent.st_mode & stat.S_ISVTX:
        return f"others can replace `{folder}`, because they can write to `{folder.parent}`"
    if not os.access(folder, os.W_OK):
        return f"`{folder}` cannot be written to"
    return None


def _is_private(state: os.stat_result) -> bool:
    """Return whether a file or folder belongs to this user, and others cannot write to it; always true on Windows."""
    return not hasattr(os, "getuid") or (state.st_uid == os.getuid() and not state.st_mode & _OTHERS_WRITE)


def _folder_of(kind: str) -> Path | None:
    """Return the folder of a kind of entries; None if it is missing or not private, or entries are off."""
    folder = _location() if _Switch.enabled else None
    return folder / kind if folder and _problem(folder) is None and _problem(folder / kind) is None else None


def read_entry(kind: str, key: str) -> Any:
    """Return the value in an entry, or None; its modification time records its last use, to the day.

    Args:
        kind: The kind of entry, the name of a folder.
        key: Its key, which is also its file name.
    """
    folder = _folder_of(kind)
    if folder is None:
        return None
    import json

    try:
        content = json.loads(_read(folder / key))
        if content["key"] != key or content["checksum"] != _checksum(content["value"]):
            return None
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    return content["value"]


def _read(entry: Path) -> bytes:
    descriptor = os.open(entry, _READ)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode) or not _is_private(state) or state.st_size > MAX_JSON:
            return b""
        content = file.read(MAX_JSON)
        if time.time() - state.st_mtime > _DAY:
            with contextlib.suppress(OSError):
                os.utime(entry, follow_symlinks=False)
    return content


def write_entry(kind: str, key: str, value: Any) -> None:
    """Write an entry if possible, in one step, and evict entries of its kind that were not used for 90 days."""
    folder = cache_folder() if _Switch.enabled else None
    if folder is None or make_private(folder / kind) is not None:
        return
    folder /= kind
    import json
    from tempfile import mkstemp  # 3 ms that only a write needs

    text = json.dumps({"key": key, "checksum": _checksum(value), "value": value})
    with contextlib.suppress(OSError):
        descriptor, temporary = mkstemp(dir=folder, prefix=".")
        try:
            with os.fdopen(descriptor, "wb", buffering=0) as file:
                file.write(text.encode("ascii"))
            Path(temporary).replace(folder / key)
        except OSError:
            Path(temporary).unlink()
            raise
        _evict(folder)


def _evict(folder: Path) -> None:
    oldest = time.time() - _MAX_UNUSED
    with os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):  # another process may have evicted it
                if entry.stat(follow_symlinks=False).st_mtime < oldest:
                    Path(entry).unlink()


def remove_entry(kind: str, key: str) -> None:
    """Remove an entry if there is one."""
    if folder := _folder_of(kind):
        with contextlib.suppress(OSError):
            (folder / key).unlink()


def _checksum(value: Any) -> str:
    """Return the checksum of a value, against damage on the disk."""
    import hashlib
    import json

    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]
