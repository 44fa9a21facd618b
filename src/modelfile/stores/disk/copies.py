"""Copies of local files into a store: by shared blocks where the disk can, else by the system, else byte by byte.

A copy can be made in the background while the file is hashed, so that the file is read from the disk once.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from errno import EDQUOT, EIO, ENOSPC, ENXIO
from io import FileIO
from pathlib import Path
from threading import Thread
from typing import Final

from modelfile.errors import DiskFull, InputError
from modelfile.filesystem import open_regular
from modelfile.stores.disk.files import check_space, sync, temporary_file, write_all, writing_to
from modelfile.weights.digests import unchanged

_CHUNK: Final = 1 << 20
"""Bytes copied at a time."""
_PIECE: Final = 16 << 20
"""Bytes that the system copies at a time."""
_BLOCK: Final = 512
"""Size in bytes of the blocks that `stat` counts."""
_FICLONE: Final = 0x40049409
"""Number of Linux's call that lets a file share the blocks of another (include/uapi/linux/fs.h)."""
_POLL: Final = 0.1
"""Interval, in seconds, of reports while waiting for a copy."""


class Hasher:
    """The digest and the size of bytes that are written to it."""

    def __init__(self) -> None:
        self.size = 0
        """Bytes written so far."""
        self._hash = hashlib.sha256()

    @property
    def digest(self) -> str:
        """The digest of the bytes written so far."""
        return f"sha256:{self._hash.hexdigest()}"

    def write(self, data: bytes | memoryview) -> int:
        """Add bytes, and return their number."""
        self._hash.update(data)
        self.size += len(data)
        return len(data)


class BlobWriter(Hasher):
    """A blob that is being written."""

    def __init__(self, file: FileIO, target: Path) -> None:
        super().__init__()
        self._file = file
        self._target = target

    def write(self, data: bytes | memoryview) -> int:
        """Append bytes, and return their number.

        Raises:
            InputError: They cannot be written, as on a full disk.
        """
        with writing_to(self._target):
            write_all(self._file, data)
        return super().write(data)

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
        buffer = memoryview(bytearray(_CHUNK))
        while length := source.readinto(buffer):
            on_sent(self.write(buffer[:length]))

    def copy_unhashed(self, source: FileIO, on_sent: Callable[[int], None]) -> bool:
        """Append a file within the system, without its holes; return False, with nothing written, where it cannot."""
        if sys.platform != "linux":
            return False
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

    def hash_clone(self, on_sent: Callable[[int], None]) -> None:
        """Hash the file that shares its blocks with another."""
        buffer = memoryview(bytearray(_CHUNK))
        while length := self._file.readinto(buffer):
            self._hash.update(buffer[:length])
            on_sent(length)


def check_copy(path: Path, state: os.stat_result, folder: Path) -> None:
    """Check that the disk of a folder has the space for a copy of a file, in which holes take none.

    Raises:
        DiskFull: It has less.
    """
    allocated = getattr(state, "st_blocks", state.st_size) * _BLOCK
    check_space(folder, min(state.st_size, allocated), f"copy `{path}`")


class BackgroundCopy:
    """A copy of a file that is made in a thread, into a temporary file, which goes unless it is renamed."""

    def __init__(self, path: Path, folder: Path) -> None:
        """Begin.

        Args:
            path: The file.
            folder: The folder of the copy.

        Raises:
            InputError: The file cannot be read, or the copy cannot be created.
        """
        self._path = path
        with ExitStack() as stack:
            self._source = stack.enter_context(open_regular(path))
            self.file, self.temporary = stack.enter_context(temporary_file(folder))
            self.state = os.fstat(self._source.fileno())
            """The state of the file when it was begun."""
            self._stack = stack.pop_all()
        self._copied = 0
        self._is_complete = self._is_stopped = False
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def wait(self, on_sent: Callable[[int], None]) -> bool:
        """Wait for its end; return whether it is complete, and its source has not changed since it began."""
        reported = 0
        while self._thread.is_alive():
            self._thread.join(_POLL)
            on_sent(self._copied - reported)
            reported = self._copied
        on_sent(self.state.st_size - reported if self._is_complete else -reported)
        return self._is_complete and unchanged(self.state, os.fstat(self._source.fileno()))

    def close(self) -> None:
        """Stop, and remove the temporary file unless it was renamed."""
        self._is_stopped = True
        self._thread.join()
        self._stack.close()

    def _run(self) -> None:
        writer = BlobWriter(self.file, self.temporary)
        with suppress(DiskFull, InputError, OSError, _Stopped):  # it is copied once more, which tells what is wrong
            if not writer.clone(self._source):
                check_copy(self._path, self.state, self.temporary.parent)
                if not writer.copy_unhashed(self._source, self._count):
                    return
            sync(self.file)
            self._is_complete = True

    def _count(self, length: int) -> None:
        self._copied += length
        if self._is_stopped:
            raise _Stopped


class _Stopped(Exception):
    """Nobody needs the copy."""


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
        os.posix_fadvise(target.fileno(), start, length, os.POSIX_FADV_DONTNEED)  # Linux begins to write it to the disk
        on_sent(length)
        start += length
