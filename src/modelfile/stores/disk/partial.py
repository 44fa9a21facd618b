"""Partial downloads of layers: Ollama's own files, so that each can go on where the other has stopped.

`sha256-<hex>-partial` is as long as the layer, and a file `-partial-<N>` for each part says how much of it is there
(server/download.go, v0.9.3 to v0.33.0-rc2; measured on 0.9.3).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from errno import EDQUOT, ENOSPC
from io import FileIO
from pathlib import Path
from typing import Any, Final

from modelfile.errors import DiskFull, InputError
from modelfile.filesystem import read_file
from modelfile.manifest import Layer
from modelfile.stores.disk.blobs import Blobs
from modelfile.stores.disk.files import lock, open_own, writing_to
from modelfile.stores.disk.layout import give_owner

_SAVED: Final = 16_000_000
"""Bytes of a part after which its progress is saved: so many are lost at most if the process is killed."""
_LARGEST_PART_FILE: Final = 1000
"""In bytes."""
_PARTIAL: Final = re.compile(r"(sha256-[0-9a-f]{64})-partial(?:-[0-9]{1,9})?")


@contextmanager
def writing_part(path: Path) -> Iterator[None]:
    """Translate the errors of the system while a partial download is written.

    Raises:
        DiskFull: The disk is full.
        InputError: It cannot be written.
    """
    try:
        with writing_to(path):
            yield
    except InputError as error:
        if isinstance(error.__cause__, OSError) and error.__cause__.errno in (ENOSPC, EDQUOT):
            hint = "free some disk space, then run the command again: it goes on where it has ended"
            raise DiskFull(error.message, hint=hint) from error
        raise


@contextmanager
def locked_part(path: Path) -> Iterator[None]:
    """Hold a lock (`flock`) of a partial download, which says that a download is under way; nobody is waited for."""
    with ExitStack() as stack:
        with suppress(OSError):  # it vanished, which is reported when it is written
            lock(stack.enter_context(open_own(path)))
        yield


class Part:
    """A part of a partial download."""

    def __init__(self, path: Path, number: int, offset: int, size: int, completed: int = 0) -> None:
        self.offset = offset
        self.size = size
        self.completed = completed
        """Bytes that are there."""
        self._path = path
        self._number = number
        self._saved = completed

    @classmethod
    def load(cls, path: Path) -> Part:
        """Return the part that a file describes.

        Raises:
            InputError: It cannot be read.
            ValueError, KeyError, TypeError: It describes none.
        """
        value: Any = json.loads(read_file(path, limit=_LARGEST_PART_FILE))
        numbers = [value[key] for key in ("N", "Offset", "Size", "Completed")]
        if not all(type(number) is int and number >= 0 for number in numbers) or numbers[3] > numbers[2]:
            raise ValueError("not a part of a download")
        return cls(path, *numbers)

    @property
    def position(self) -> int:
        """The end of what is there, from the beginning of the layer."""
        return self.offset + self.completed

    @property
    def is_complete(self) -> bool:
        """True if nothing is missing."""
        return self.completed == self.size

    def add(self, length: int) -> None:
        """Count bytes that were written, and save the progress now and then."""
        self.completed += length
        if self.is_complete or self.completed - self._saved >= _SAVED:
            self.save()

    def save(self, *, create: bool = False) -> None:
        """Write the file: in one piece, and never shorter than it was, so that it is whole at any moment."""
        self._saved = self.completed
        fields = {"N": self._number, "Offset": self.offset, "Size": self.size, "Completed": self.completed}
        text = json.dumps(fields, separators=(",", ":")) + "\n"
        with writing_part(self._path), _opened(self._path, os.O_TRUNC if create else None) as file:
            file.write(text.encode())


def _opened(path: Path, new: int | None) -> FileIO:
    """Open a file; a new one, with these flags, so that a server of the owner of its folder can go on with it."""
    if new is None:
        return open_own(path)
    file = open_own(path, os.O_CREAT | new)
    give_owner(file.fileno(), path.parent)
    return file


def partial_files(folder: Path) -> dict[str, list[Path]]:
    """Return the files of partial downloads by the name of the blob; the folder, of any size, is read once."""
    found: dict[str, list[Path]] = {}
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if match := _PARTIAL.fullmatch(entry.name):
                found.setdefault(match[1], []).append(Path(entry.path))
    return found


def remove_files(paths: Iterable[Path]) -> None:
    """Remove what a process that was killed has left of a partial download whose blob is there."""
    for path in paths:
        with suppress(OSError):
            path.unlink()


class PartialBlob:
    """The partial download of a layer; its files are those of Ollama."""

    def __init__(self, layer: Layer, target: Path, files: Iterable[Path], *, single: bool) -> None:
        """Read what an earlier download has left, or begin anew.

        Args:
            layer: The layer.
            target: The file that will be its blob.
            files: What there is of its partial download, by `partial_files`.
            single: Whether the registry knows no ranges, so that there is one part, which cannot be resumed.
        """
        self.layer = layer
        self.path = target.with_name(f"{target.name}-partial")
        self._files = {*files} - {self.path}
        """The files of parts."""
        self.parts = self._load()
        self.was_resumed = any(part.completed for part in self.parts)
        """True if a part of it was there before."""
        if not self.parts or (single and self.completed < layer.size):
            self.discard()
            self.was_resumed = False
            self.parts = self._create(max(layer.size, 1) if single else layer.part_size)

    @property
    def completed(self) -> int:
        """The bytes that are there."""
        return sum(part.completed for part in self.parts)

    @property
    def contiguous(self) -> int:
        """The bytes that are there before the first gap."""
        return next((part.position for part in self.parts if not part.is_complete), self.layer.size)

    def save(self) -> None:
        """Save how much there is of each part."""
        for part in self.parts:
            part.save()

    def discard(self) -> None:
        """Remove all files."""
        for path in (self.path, *self._files):
            with writing_part(path):
                path.unlink(missing_ok=True)

    def adopt(self, blobs: Blobs) -> None:
        """Make it a blob, which was compared with its digest."""
        try:
            blobs.adopt(self.path, self.layer.digest, self.layer.size)
        except InputError:
            if blobs.size(self.layer.digest) != self.layer.size:  # unless another program was faster
                raise
        remove_files(self._files)

    def _load(self) -> list[Part]:
        """Return the parts that an earlier download has left; none if they are not those of this layer."""
        try:
            if self.path.lstat().st_size != self.layer.size or self.path.is_symlink():
                return []
            parts = sorted(map(Part.load, self._files), key=lambda part: part.offset)
        except (OSError, InputError, ValueError, KeyError, TypeError, RecursionError):
            return []
        ends = [part.offset + part.size for part in parts]
        return parts if [part.offset for part in parts] == [0, *ends[:-1]] and ends[-1:] == [self.layer.size] else []

    def _create(self, size: int) -> list[Part]:
        with writing_part(self.path), _opened(self.path, os.O_EXCL) as file:
            file.truncate(self.layer.size)
        parts = []
        for number, offset in enumerate(range(0, self.layer.size, size)):
            path = self.path.with_name(f"{self.path.name}-{number}")
            parts.append(Part(path, number, offset, min(size, self.layer.size - offset)))
            parts[-1].save(create=True)
            self._files.add(path)
        return parts
