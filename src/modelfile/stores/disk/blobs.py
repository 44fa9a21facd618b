"""Blobs of a model store: each appears whole, under the name of its digest, or not at all.

A blob is written to a temporary file in the same folder, flushed to the disk, compared with its size and digest, and
renamed. Ollama ignores the names of temporary files. While a file is written, its writer has its lock (`flock`); a file
without a lock was left by a process that was killed, and the next writer removes it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from errno import EDQUOT, EINVAL, ENOSPC, ENOTSUP, EROFS
from io import FileIO
from pathlib import Path
from secrets import token_hex
from typing import Final

from modelfile.errors import InputError, VerificationError, cannot_write
from modelfile.filesystem import changed_while_read, open_regular, read_up_to
from modelfile.manifest import Layer
from modelfile.names import shorten_digest
from modelfile.stores.disk.layout import BLOBS, Layout, give_owner
from modelfile.weights.digests import recall_digest, unchanged

_CHUNK: Final = 1 << 20
"""Bytes copied at a time."""
_BLOB_MODE: Final = 0o644
"""Mode of every blob that Ollama writes, whatever the umask (measured on 0.9.3)."""
_TEMPORARY: Final = re.compile(r"mf-[0-9]{1,10}-[0-9a-f]{16}")
_LOCKLESS_AGE: Final = 86_400
"""Age in seconds after which a temporary file counts as abandoned where files have no locks."""
_FICLONE: Final = 0x40049409
"""Number of Linux's call that lets a file share the blocks of another (include/uapi/linux/fs.h)."""
_FREE_SPACE: Final = "nothing was left behind; free some disk space, then run the command again"
_READ_ONLY: Final = "mount it for writing, or use another folder"
_CHECK: Final = "run `mf store check --repair` to restore it"


class BlobWriter:
    """A blob that is being written."""

    def __init__(self, file: FileIO, target: Path) -> None:
        self.size = 0
        """Bytes written so far."""
        self._file = file
        self._target = target
        self._hash = hashlib.sha256()

    @property
    def digest(self) -> str:
        """The digest of the bytes written so far."""
        return f"sha256:{self._hash.hexdigest()}"

    def write(self, data: bytes | memoryview) -> int:
        """Append bytes, and return their number.

        Raises:
            InputError: They cannot be written, as on a full disk.
        """
        self._hash.update(data)
        with writing_to(self._target):
            write_all(self._file, data)
        self.size += len(data)
        return len(data)

    def clone(self, source: FileIO) -> bool:
        """Share the blocks of another file; return False, with nothing written, where the file system cannot."""
        if sys.platform != "linux":
            return False
        from fcntl import ioctl

        try:
            ioctl(self._file.fileno(), _FICLONE, source.fileno())
        except OSError:
            return False
        return True

    def copy(self, source: FileIO, on_sent: Callable[[int], None]) -> None:
        """Append the rest of a file."""
        buffer = memoryview(bytearray(_CHUNK))
        while length := source.readinto(buffer):
            on_sent(self.write(buffer[:length]))

    def hash_clone(self, on_sent: Callable[[int], None]) -> None:
        """Hash the file that shares its blocks with another."""
        buffer = memoryview(bytearray(_CHUNK))
        while length := self._file.readinto(buffer):
            self._hash.update(buffer[:length])
            on_sent(length)


class Blobs:
    """The blobs of a store; several threads and processes may use them at once."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._folder = layout.root / BLOBS

    def size(self, digest: str) -> int | None:
        """Return the size of a blob in bytes; None if the store does not have it, or it is a dangling symlink."""
        try:
            return self.path(digest).stat().st_size
        except OSError:
            return None

    def path(self, digest: str) -> Path:
        """Return the file of a blob, which may not exist; in a store of an old Ollama, `sha256:<hex>`."""
        path = self._layout.blob(digest)
        return old if not path.exists() and (old := path.with_name(digest)).exists() else path

    def put(self, content: bytes) -> tuple[str, int]:
        """Write bytes, unless the store has them, and return their digest and size.

        Raises:
            InputError: They cannot be written.
        """
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        if self.size(digest) != len(content):
            with self.writing(digest, len(content)) as writer:
                writer.write(content)
        return digest, len(content)

    @contextlib.contextmanager
    def writing(self, digest: str, size: int | None = None) -> Iterator[BlobWriter]:
        """Write a blob piece by piece; it appears at the end of the context.

        Args:
            digest: The digest that it must have.
            size: The size that it must have, in bytes; None for any.

        Raises:
            VerificationError: It has another size or digest; nothing remains of it.
            InputError: It cannot be written; nothing remains of it.
        """
        with self._writing(digest) as writer:
            yield writer
            if size is not None and writer.size != size:
                raise VerificationError(f"{shorten_digest(digest)} has {writer.size:,} bytes instead of {size:,}")
            if writer.digest != digest:
                raise VerificationError(f"{shorten_digest(digest)} has another digest: {shorten_digest(writer.digest)}")

    def place(self, path: Path, digest: str, on_sent: Callable[[int], None]) -> None:
        """Make a blob of a local file, unless the store has it.

        Where the file system can, both share their blocks (reflink), so that no disk space is taken; else the file is
        copied while it is hashed.

        Args:
            path: The file.
            digest: Its digest.
            on_sent: Called with the number of bytes after each piece.

        Raises:
            InputError: The file cannot be read, or is not what the digest says; or the blob cannot be written.
        """
        with open_regular(path) as source:
            state = os.fstat(source.fileno())
            if self.size(digest) == state.st_size:
                on_sent(state.st_size)
                return
            is_known = False
            with self._writing(digest) as writer:
                if not writer.clone(source):
                    writer.copy(source, on_sent)
                elif is_known := recall_digest(path, state) == digest:
                    on_sent(state.st_size)
                else:
                    writer.hash_clone(on_sent)
                if not unchanged(state, os.fstat(source.fileno())):
                    raise changed_while_read(path)
                if not is_known and writer.digest != digest:
                    hint = "run the command again"
                    raise InputError(f"`{path}` has changed since its digest was computed", hint=hint)

    def read(self, layer: Layer) -> bytes:
        """Return a small blob.

        Raises:
            InputError: It is missing, or has another size or digest than in its manifest.
        """
        path, what = self.path(layer.digest), f"blob {shorten_digest(layer.digest)}"
        if not path.exists():
            raise InputError(f"{what} is missing in `{self._layout.root}`", hint=_CHECK)
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size != layer.size:
                raise InputError(f"{what} is damaged: it has {size:,} bytes instead of {layer.size:,}", hint=_CHECK)
            content = read_up_to(layer.size, file, path)
        if f"sha256:{hashlib.sha256(content).hexdigest()}" != layer.digest:
            raise InputError(f"{what} is damaged: its content has another digest", hint=_CHECK)
        return content

    def adopt(self, temporary: Path, digest: str, size: int) -> None:
        """Make a blob of a complete file in the folder of blobs that was hashed already, such as a download.

        Raises:
            VerificationError: It has another size.
            InputError: It cannot be made one.
        """
        with writing_to(self._layout.blob(digest)), temporary.open("r+b", buffering=0) as file:
            if (found := os.fstat(file.fileno()).st_size) != size:
                raise VerificationError(f"{shorten_digest(digest)} has {found:,} bytes instead of {size:,}")
            self._commit(file, temporary, digest)

    @contextlib.contextmanager
    def _writing(self, digest: str) -> Iterator[BlobWriter]:
        with temporary_file(self._folder) as (file, path):
            yield BlobWriter(file, self._layout.blob(digest))
            with writing_to(self._layout.blob(digest)):
                self._commit(file, path, digest)

    def _commit(self, file: FileIO, temporary: Path, digest: str) -> None:
        if hasattr(os, "fchmod"):
            os.fchmod(file.fileno(), _BLOB_MODE)
        give_owner(temporary, self._folder)
        sync(file)
        temporary.replace(self._layout.blob(digest))
        sync_folder(self._folder)


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
        hint = {ENOSPC: _FREE_SPACE, EDQUOT: _FREE_SPACE, EROFS: _READ_ONLY}.get(error.errno or 0)
        raise cannot_write(path, error, hint=hint) from error


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


@contextlib.contextmanager
def temporary_file(folder: Path, mode: int = 0o600) -> Iterator[tuple[FileIO, Path]]:
    """Create a locked temporary file, which is removed at the end of the context unless it was renamed.

    The files of this kind that killed processes have left are removed before.

    Args:
        folder: The folder of the file.
        mode: The mode of the file, less the umask.

    Raises:
        InputError: It cannot be created.
    """
    remove_abandoned(folder)
    with writing_to(folder):
        file, path = _create(folder, mode)
    with file:
        try:
            yield file, path
        finally:
            with contextlib.suppress(OSError):
                path.unlink()


def _create(folder: Path, mode: int) -> tuple[FileIO, Path]:
    while True:
        path = folder / f"mf-{os.getpid()}-{token_hex(8)}"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        file = FileIO(os.open(path, flags, mode), "r+")
        if _lock(file) is not False and os.fstat(file.fileno()).st_nlink:
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
                locked, state = _lock(file), os.fstat(file.fileno())
                if locked or (locked is None and time.time() - state.st_mtime > _LOCKLESS_AGE):
                    if remove:  # while it is locked, so that it is not that of a new writer
                        (folder / name).unlink()
                    yield folder / name, state.st_size


def remove_abandoned(folder: Path) -> None:
    """Remove the temporary files in a folder whose writers were killed."""
    for _ in abandoned(folder, remove=True):
        pass


def _lock(file: FileIO) -> bool | None:
    """Lock a file; return False if another process has locked it, and None where files have no such locks."""
    try:
        from fcntl import LOCK_EX, LOCK_NB, flock

        flock(file.fileno(), LOCK_EX | LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        return None
    return True
