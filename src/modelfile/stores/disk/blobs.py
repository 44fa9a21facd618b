"""Blobs of a model store: each appears whole, under the name of its digest, or not at all.

A blob is written to a temporary file in the same folder, flushed to the disk, compared with its size and digest, and
renamed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from collections.abc import Callable, Collection, Iterator
from errno import EDQUOT, EIO, ENOSPC, ENXIO
from io import FileIO
from pathlib import Path
from typing import Final

from modelfile.errors import InputError, VerificationError
from modelfile.filesystem import changed_while_read, open_regular, read_up_to
from modelfile.manifest import Layer
from modelfile.names import shorten_digest
from modelfile.stores.disk.files import sync, sync_folder, temporary_file, write_all, writing_to
from modelfile.stores.disk.layout import BLOBS, Layout, give_owner
from modelfile.weights.digests import recall_digest, unchanged

_CHUNK: Final = 1 << 20
"""Bytes copied at a time."""
_PIECE: Final = 16 << 20
"""Bytes that the system copies at a time."""
_BLOCK: Final = 512
"""Size in bytes of the blocks that `stat` counts."""
_ASIDE: Final = "mf-removed-"
"""Start of the names of blobs that are about to be removed; the digits of their digests follow."""
_BLOB_MODE: Final = 0o644
"""Mode of every blob that Ollama writes, whatever the umask (measured on 0.9.3)."""
_FICLONE: Final = 0x40049409
"""Number of Linux's call that lets a file share the blocks of another (include/uapi/linux/fs.h)."""
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
        """Append a file, and hash it."""
        self._reject_full_disk(source)
        buffer = memoryview(bytearray(_CHUNK))
        while length := source.readinto(buffer):
            on_sent(self.write(buffer[:length]))

    def copy_unhashed(self, source: FileIO, on_sent: Callable[[int], None]) -> bool:
        """Append a file within the system, without its holes; return False, with nothing written, where it cannot."""
        if sys.platform != "linux":
            return False
        self._reject_full_disk(source)
        with writing_to(self._target):
            try:
                for start, end in _extents(source):
                    _copy_range(source, self._file, start, end, on_sent)
                self._file.truncate(os.fstat(source.fileno()).st_size)
            except OSError as error:
                if error.errno in (ENOSPC, EDQUOT, EIO):
                    raise
                self._file.truncate(0)
                return False
        return True

    def _reject_full_disk(self, source: FileIO) -> None:
        if not hasattr(os, "fstatvfs"):
            return
        state = os.fstat(source.fileno())
        with writing_to(self._target):
            disk = os.fstatvfs(self._file.fileno())
            if disk.f_bavail * disk.f_frsize < min(state.st_size, state.st_blocks * _BLOCK):
                raise OSError(ENOSPC, os.strerror(ENOSPC))

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
        path = self._layout.blob(digest)
        for each in (path, path.with_name(digest)):
            with contextlib.suppress(OSError):
                return each.stat().st_size
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
        if self.size(digest) != len(content) or not self._contains(digest, content):
            with self.writing(digest, len(content)) as writer:
                writer.write(content)
        return digest, len(content)

    def _contains(self, digest: str, content: bytes) -> bool:
        try:
            return self.path(digest).read_bytes() == content
        except OSError:  # removed since
            return False

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
        copied. It is hashed unless its digest is known: that of the cache, for a file in the same state.

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
            is_known = recall_digest(path, state) == digest
            with self._writing(digest) as writer:
                if writer.clone(source):
                    writer.hash_clone(on_sent) if not is_known else on_sent(state.st_size)
                elif not is_known or not writer.copy_unhashed(source, on_sent):
                    is_known = False
                    source.seek(0)
                    writer.copy(source, on_sent)
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

    def remove(self, digests: Collection[str], named: Callable[[], Collection[str] | None]) -> None:
        """Remove blobs that no manifest names.

        Each is renamed first, and gets its name back if a manifest names it by then: a server that runs on the same
        folder may have written one. If the process is killed in between, `settle` does that. To be called while the
        lock of the store is held.

        Args:
            digests: Their digests.
            named: Returns the digests that manifests name; None if nobody knows.

        Raises:
            InputError: One cannot be removed.
        """
        for digest in sorted(digests):
            path = self.path(digest)
            with writing_to(path), contextlib.suppress(FileNotFoundError):
                path.rename(self._folder / f"{_ASIDE}{digest.removeprefix('sha256:')}")
        self.settle(named)

    def settle(self, named: Callable[[], Collection[str] | None]) -> None:
        """Remove the blobs that were renamed to be removed, but for those that a manifest names.

        Args:
            named: Returns the digests that manifests name; None if nobody knows.

        Raises:
            InputError: One cannot be removed.
        """
        if not (aside := sorted(self._folder.glob(f"{_ASIDE}*"))):
            return
        found = named()
        for path in aside:
            digest = f"sha256:{path.name.removeprefix(_ASIDE)}"
            with writing_to(path), contextlib.suppress(FileNotFoundError):
                if (found is None or digest in found) and self.size(digest) is None:
                    path.rename(self._layout.blob(digest))
                else:
                    path.unlink()

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


def _extents(file: FileIO) -> Iterator[tuple[int, int]]:
    """Yield start and end of each part of a file that is no hole, where the file system tells; else of all."""
    end, at = os.fstat(file.fileno()).st_size, 0
    while at < end:
        try:
            at = os.lseek(file.fileno(), at, os.SEEK_DATA)
            hole = os.lseek(file.fileno(), at, os.SEEK_HOLE)
        except OSError as error:
            if error.errno == ENXIO:  # a hole up to the end
                return
            hole = end
        yield at, min(hole, end)
        at = hole


def _copy_range(source: FileIO, target: FileIO, start: int, end: int, on_sent: Callable[[int], None]) -> None:
    while start < end:
        length = os.copy_file_range(source.fileno(), target.fileno(), min(end - start, _PIECE), start, start)
        if not length:  # the file was truncated
            return
        on_sent(length)
        start += length
