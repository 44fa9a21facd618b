"""Paths, sizes, bounded reads, and atomic writes."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from errno import EISDIR, ENOSPC, ENXIO
from io import FileIO
from pathlib import Path
from typing import Final, Protocol, TypeAlias

from modelfile.errors import InputError, cannot_read, cannot_write

Stat: TypeAlias = Callable[[Path], os.stat_result]
"""Returns the state of a file, following symlinks, as Path.stat."""
_KILO: Final = 1000
_UNITS: Final = ("kB", "MB", "GB", "TB", "PB", "EB")


def real_path(path: Path) -> Path:
    """Return the absolute path of a file without symlinks; a loop or a chain that is too long stays as it is.

    Raises:
        InputError: No file can have this path, or it is relative and the current folder was deleted.
    """
    try:
        return Path(os.path.realpath(path))
    except RecursionError:  # by 1,000 symlinks; the system follows 40
        return absolute_path(path)
    except (OSError, ValueError) as error:
        raise _unresolved(path, error) from error


def absolute_path(path: Path) -> Path:
    """Return the absolute path of a file, without `..` and without a look at the disk.

    Raises:
        InputError: It is relative, and the current folder was deleted.
    """
    return Path(absolute_text(path))


def absolute_text(path: Path) -> str:
    """Return the text of an absolute path, as `absolute_path`: as a key, it is quicker to make and to hash.

    Raises:
        InputError: It is relative, and the current folder was deleted.
    """
    try:
        return os.path.abspath(path)  # noqa: PTH100  # Path.absolute keeps `..`
    except (OSError, ValueError) as error:
        raise _unresolved(path, error) from error


def _unresolved(path: Path, error: OSError | ValueError) -> InputError:
    if isinstance(error, FileNotFoundError):  # only the current folder is asked for
        return InputError("the current folder does not exist any more", hint="change to another folder")
    return cannot_read(path, error)


def home_folder() -> Path | None:
    """Return the user's home folder; None where there is none, as for some users in containers."""
    home = Path(os.path.expanduser("~"))  # noqa: PTH111  # Path.expanduser raises an error
    return home if home.is_absolute() else None


def relative_to(path: Path, folder: Path) -> str:
    """Return the path of a file from a folder, with `/`, whether or not it is below."""
    return Path(os.path.relpath(real_path(path), real_path(folder))).as_posix()


def expand(text: str, folder: Path) -> Path:
    """Expand a path as Ollama does: `~` is the home folder, and a relative path starts at the Modelfile's folder.

    `a/../b` becomes `b`, even if there is no `a`.

    Raises:
        InputError: It names the home folder of an unknown user.
    """
    return Path(expand_text(text, folder))


def expand_text(text: str, folder: Path) -> str:
    """Return the text of an expanded path, as `expand`: it is quicker to make."""
    try:
        path = Path(text).expanduser() if text.startswith("~") else os.path.join(folder, text)  # noqa: PTH118  # one Path
    except RuntimeError:
        raise InputError(f"no such user: `{text}`") from None
    return os.path.normpath(path)


MAX_TEXT: Final = 10_000_000
"""Largest size, in bytes, of a file that people write: a Modelfile or a configuration."""
MAX_JSON: Final = 32_000_000
"""Largest size, in bytes, of a file that programs write: a lock, a plan, an index of weights."""
_READ: Final = os.O_RDONLY | sum(getattr(os, flag, 0) for flag in ("O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY"))
_NONBLOCKING: Final = getattr(os, "O_NONBLOCK", 0)
_WRITE: Final = os.O_WRONLY | _NONBLOCKING | sum(getattr(os, flag, 0) for flag in ("O_CLOEXEC", "O_NOCTTY", "O_BINARY"))
_DESCRIPTOR: Final = r"/dev/(?:std(out|err)|fd/([0-9]{1,9}))|/proc/self/fd/([0-9]{1,9})"
"""A path that means an open descriptor of this process."""
_TEMPORARY: Final = ".mf-"
"""Start of the names of temporary files; short, because a name that grew with the file's could be too long."""
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
            _reject_irregular(path, os.stat(path))  # noqa: PTH116  # quicker than a Path
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


def changed_while_read(path: Path | str) -> InputError:
    """Return the error for a file that another program changes or truncates while it is read."""
    return InputError(
        f"`{path}` changed while it was read", hint="wait until it is complete, then run the command again"
    )


def changed_since_read(path: Path) -> InputError:
    """Return the error for a file that another program changed after it was read, and that is not overwritten."""
    return InputError(f"`{path}` changed since it was read", hint="run the command again")


_PIECE: Final = 1 << 18
"""Bytes read at a time."""


def write_atomic(
    path: Path,
    data: bytes | Iterable[bytes],
    *,
    expected: bytes | None = None,
    create: Callable[[Path], tuple[int, str]] | None = None,
) -> None:
    """Replace a file's content in one step: readers see the old or the new content, even after a crash.

    Symlinks are followed. The file keeps its mode, its owner and group as far as this user may set them (root may), and
    its extended attributes, such as access control lists. It becomes a file of its own: other hard links to it keep the
    old content, so that nothing outside of its folder changes. A device, a pipe or an open descriptor, such as
    /dev/stdout, is written to directly.

    Args:
        path: The file.
        data: The new content, or its parts.
        expected: The content that is replaced; None for any. It is compared just before the file is replaced; a program
            that writes between these two calls of the system is not noticed.
        create: Creates the temporary file in a folder, and returns its descriptor and path; default: `mkstemp`.

    Raises:
        InputError: It cannot be written, it has not the expected content, or it is a pipe without a reader; the file is
            unchanged, and no temporary file remains.
    """
    import tempfile  # 3 ms that only a write needs

    real, parts = real_path(path), [data] if isinstance(data, bytes) else data
    try:
        if (stream := _open_stream(path)) is not None:
            with os.fdopen(stream, "wb") as file:
                file.writelines(parts)
            return
        descriptor, temporary = create(real.parent) if create else tempfile.mkstemp(dir=real.parent, prefix=_TEMPORARY)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.writelines(parts)
                file.flush()
                _copy_metadata(real, Path(temporary), descriptor)
                os.fsync(descriptor)
            _reject_change(path, expected)
            Path(temporary).replace(real)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
            raise
    except OSError as error:
        hint = "it is unchanged; free some disk space, then run the command again" if error.errno == ENOSPC else None
        raise cannot_write(path, error, hint=hint) from error


def write_new(path: Path, data: bytes) -> None:
    """Create a file in one step: it is there with its whole content, or not at all, even after a crash.

    Raises:
        InputError: There is something at the path, which is unchanged; or it cannot be written.
    """
    import tempfile

    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=_TEMPORARY)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            Path(temporary).chmod(0o666 & ~_umask())
            place_new(Path(temporary), path)
        finally:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
    except OSError as error:
        hint = (
            "nothing was written; free some disk space, then run the command again" if error.errno == ENOSPC else None
        )
        raise cannot_write(path, error, hint=hint) from error


def place_new(temporary: Path, path: Path) -> None:
    """Give a complete file its name, unless something else has it; its temporary name may remain.

    Raises:
        InputError: There is something at the path, or the file cannot be named so.
    """
    try:
        try:
            path.hardlink_to(temporary)  # which fails if there is something, unlike a rename
        except FileExistsError:
            raise
        except OSError:
            if os.path.lexists(path):
                raise
            temporary.rename(path)  # on a file system without hard links
    except FileExistsError as error:
        raise InputError(f"`{path}` exists already", hint="remove it, or name another file") from error
    except OSError as error:
        raise cannot_write(path, error) from error


def _reject_change(path: Path, expected: bytes | None) -> None:
    if expected is not None and read_file(path, limit=max(MAX_TEXT, len(expected))) != expected:
        raise changed_since_read(path)


def _open_stream(path: Path) -> int | None:
    """Open a device, a pipe or an open descriptor for writing, and never wait for a reader; None for other files."""
    if found := re.fullmatch(_DESCRIPTOR, str(path)):
        name, *numbers = found.groups()
        return os.dup(("out", "err").index(name) + 1 if name else int(numbers[0] or numbers[1]))
    if not path.exists() or path.is_file():
        return None
    try:
        descriptor = os.open(path, _WRITE)
    except OSError as error:
        if error.errno == ENXIO and path.is_fifo():
            hint = "start the program that reads from it first"
            raise InputError(f"cannot write `{path}`: no program reads from this pipe", hint=hint) from error
        raise
    if _NONBLOCKING:
        os.set_blocking(descriptor, True)  # a reader that is there may be slow
    return descriptor


def _copy_metadata(old: Path, new: Path, descriptor: int) -> None:
    """Give a new file the owner, the group, the mode and the extended attributes of the file that it replaces.

    Where it cannot have the owner or the group, it gets no setuid and setgid bits: they would run it as somebody else.
    """
    if not old.exists():
        new.chmod(0o666 & ~_umask())
        return
    state, mode = old.stat(), 0o7777
    if hasattr(os, "fchown"):
        for owner, group, bit in ((state.st_uid, -1, stat.S_ISUID), (-1, state.st_gid, stat.S_ISGID)):
            try:
                os.fchown(descriptor, owner, group)
            except OSError:
                mode &= ~bit
    if hasattr(os, "listxattr"):
        with contextlib.suppress(OSError):  # a file system without them
            for name in {*os.listxattr(old)} - {"security.capability"}:  # which a change of the content revokes
                with contextlib.suppress(OSError):
                    os.setxattr(descriptor, name, os.getxattr(old, name))
    new.chmod(stat.S_IMODE(state.st_mode) & mode)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def format_size(count: int) -> str:
    """Return a number of bytes in the largest decimal unit.

    >>> format_size(1), format_size(999), format_size(4_920_753_328)
    ('1 byte', '999 bytes', '4.9 GB')
    """
    if count < _KILO:
        return f"{count} byte{'s' * (count != 1)}"
    power = min((len(str(count)) - 1) // 3, len(_UNITS))
    return f"{count / _KILO**power:,.1f} {_UNITS[power - 1]}"
