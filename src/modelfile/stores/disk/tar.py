"""Tar archives as streams, in the strict subset that an archive of models needs: regular files and folders.

Python's own module reads the extended header of an entry into memory whatever its size, and takes a truncated archive
for a complete one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import IOBase
from typing import Final, Protocol

from modelfile.errors import InputError
from modelfile.immutable import record

BLOCK: Final = 512
END: Final = bytes(2 * BLOCK)
"""The end of an archive: two blocks of zeros."""
CHUNK: Final = 1 << 20
"""Most bytes read at a time."""
_LARGEST_OCTAL: Final = 8**11 - 1
"""Largest size that a header has room for; of a larger file it is in an extended header."""
_MAX_EXTENDED: Final = 1 << 16
"""Largest extended header that is read, in bytes."""
_MAX_PADDING: Final = 1 << 20
"""Most bytes of zeros after the end: GNU tar pads to 10 kB."""
_MAX_ENTRIES: Final = 100_000
_CHECKSUM: Final = slice(148, 156)
_FOLDER, _EXTENDED = b"5", b"x"
_REGULAR: Final = (b"0", b"\0")
_UNWANTED: Final = {
    b"1": "a hard link",
    b"2": "a symlink",
    b"3": "a device",
    b"4": "a device",
    b"6": "a pipe",
    b"S": "a sparse file",
}
_COMPRESSED: Final = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"\xfd7zXZ": "xz", b"BZh": "bzip2"}
"""Programs by the start of the files that they write."""
_SIZE: Final = re.compile(r"[0-9]{1,20}")
_RECORD: Final = re.compile(rb"(\d{1,6}) ([^=\n]+)=")


class Readable(Protocol):
    """A binary stream, or a file."""

    def read(self, size: int, /) -> bytes | None:
        """Return at most `size` bytes; empty at the end."""


@record()
class Entry:
    """A file or folder of an archive."""

    name: str
    """Its path, without `./` in front and `/` at the end."""
    size: int
    """In bytes; 0 for a folder."""
    is_folder: bool
    offset: int
    """Position of its contents in the archive, in bytes."""


class TarReader:
    """The entries of an archive, and their contents, in order."""

    def __init__(self, stream: Readable, length: int | None = None) -> None:
        """Read from a stream; with a length, in bytes, it is a file in which contents are skipped without reading."""
        self._stream = stream
        self._length = length
        self._position = 0
        self._name = ""
        self._left = 0  # bytes of the current entry that were not read yet, with its padding

    def entries(self) -> Iterator[Entry]:
        """Yield the entries; read each one's contents before the next.

        Raises:
            InputError: The archive is damaged or truncated, or an entry is something else than a file or a folder below
                the archive's root, or is there twice; the message is a reason, to be put after a colon.
        """
        seen: set[str] = set()
        while (entry := self._next()) is not None:
            if entry.name in seen:
                raise InputError(f"it has two entries `{entry.name}`")
            if len(seen) >= _MAX_ENTRIES:
                raise InputError(f"it has more than {_MAX_ENTRIES:,} entries")
            seen.add(entry.name)
            self._name, self._left = entry.name, entry.size + -entry.size % BLOCK
            yield entry
            self._skip()
            self._name = ""
        self._check_end()

    def chunks(self, entry: Entry) -> Iterator[bytes]:
        """Yield the contents of the current entry in pieces.

        Raises:
            InputError: The archive is truncated.
        """
        left = entry.size
        while left:
            piece = self._read(min(left, CHUNK))
            left -= len(piece)
            self._left -= len(piece)
            yield piece

    def _skip(self) -> None:
        if self._length is not None and isinstance(self._stream, IOBase) and self._left:
            self._position += self._left
            if self._position > self._length:
                raise self._truncated()
            self._stream.seek(self._position)
            self._left = 0
        while self._left:
            self._left -= len(self._read(min(self._left, CHUNK)))

    def _next(self) -> Entry | None:
        header = self._read_exactly(BLOCK)
        if header == END[:BLOCK]:
            return None
        if self._position == BLOCK and (program := next(filter(header.startswith, _COMPRESSED), None)):
            raise InputError(f"it is compressed with {_COMPRESSED[program]}", hint="decompress it first")
        name, size, kind = _fields(header)
        if kind == _EXTENDED:
            extended = self._extended(size)
            name, size, kind = _fields(self._read_exactly(BLOCK))
            name = extended.get("path", name)
            size = _size(extended["size"]) if "size" in extended else size
        return Entry(_checked(name, size, kind), size, kind == _FOLDER, self._position)

    def _extended(self, size: int) -> dict[str, str]:
        """Return the records of an extended header (pax): each is its length, a key and a value."""
        if size > _MAX_EXTENDED:
            raise InputError(f"an extended header has more than {_MAX_EXTENDED:,} bytes")
        content, found, at = self._read_exactly(size + -size % BLOCK)[:size], dict[str, str](), 0
        while at < size:
            record = _RECORD.match(content, at)
            end = at + int(record[1]) if record else 0
            if not record or not record.end() < end <= size:
                raise InputError("an extended header is damaged")
            found[record[2].decode(errors="replace")] = content[record.end() : end - 1].decode(errors="replace")
            at = end
        if any(key.startswith("GNU.sparse") for key in found):
            raise InputError("it has a sparse file")
        return found

    def _check_end(self) -> None:
        length = 0
        while piece := self._stream.read(CHUNK):
            length += len(piece)
            if piece.strip(b"\0"):
                raise InputError("there is something after its end")
            if length > _MAX_PADDING:
                raise InputError(f"there are more than {_MAX_PADDING:,} zeros after its end")
        if length < BLOCK:
            raise self._truncated()

    def _read_exactly(self, size: int) -> bytes:
        pieces = []
        while size:
            pieces.append(self._read(size))
            size -= len(pieces[-1])
        return b"".join(pieces)

    def _read(self, size: int) -> bytes:
        if not (piece := self._stream.read(size)):
            raise self._truncated()
        self._position += len(piece)
        return piece

    def _truncated(self) -> InputError:
        if self._position < BLOCK:
            return InputError("it is truncated, or no tar archive" if self._position else "it is empty")
        where = f"in the middle of `{self._name}`" if self._name else "before its end"
        return InputError(f"it is truncated: it stops {where}")


def _size(text: str) -> int:
    if not _SIZE.fullmatch(text):
        raise InputError("an extended header has an invalid size")
    return int(text)


def _checked(name: str, size: int, kind: bytes) -> str:
    """Return the path of an entry without `./`, if it is a file or folder below the root of the archive."""
    if kind not in (*_REGULAR, _FOLDER):
        raise InputError(f"entry `{name}` is {_UNWANTED.get(kind, 'neither a file nor a folder')}")
    if name.startswith("/"):
        raise InputError(f"entry `{name}` has an absolute path")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise InputError(f"entry `{name}` leads outside of the archive")
    if kind == _FOLDER and size:
        raise InputError(f"folder `{'/'.join(parts)}` has contents")
    return "/".join(parts)


def header(name: str, size: int) -> bytes:
    """Return the header of a regular file; the same for the same arguments on each machine and at any time."""
    if size <= _LARGEST_OCTAL:
        return _header(name, size, b"0")
    text = f" size={size}\n"
    length = next(number for number in range(len(text), BLOCK) if number == len(text) + len(str(number)))
    record = f"{length}{text}".encode()
    return _header("PaxHeader", len(record), _EXTENDED) + record + padding(len(record)) + _header(name, 0, b"0")


def padding(size: int) -> bytes:
    """Return the zeros that follow the contents of a file."""
    return bytes(-size % BLOCK)


def _header(name: str, size: int, kind: bytes) -> bytes:
    fields = (
        name.encode().ljust(100, b"\0"),
        b"0000644\0",
        b"0000000\0",  # user
        b"0000000\0",  # group
        f"{size:011o}\0".encode(),
        b"00000000000\0",  # time: 1970
        b" " * 8,  # checksum
        kind,
        bytes(100),
        b"ustar\00000",
        bytes(BLOCK - 265),
    )
    block = bytearray(b"".join(fields))
    block[_CHECKSUM] = f"{sum(block):06o}\0 ".encode()
    return bytes(block)


def _fields(block: bytes) -> tuple[str, int, bytes]:
    """Return path, size and kind of a header."""
    if _number(block[_CHECKSUM]) != sum(block) - sum(block[_CHECKSUM]) + 8 * ord(" "):
        raise InputError("it is no tar archive, or damaged: a header has a wrong checksum")
    name, folder = _text(block[:100]), _text(block[345:500]) if block[257:263] == b"ustar\0" else ""
    return f"{folder}/{name}" if folder else name, _number(block[124:136]), block[156:157]


def _number(field: bytes) -> int:
    """Return a number of a header: octal digits, or as GNU tar writes large ones, in base 256."""
    if field[0] == 0x80:  # noqa: PLR2004  # the mark of base 256
        return int.from_bytes(field[1:])
    digits = field.strip(b" \0") or b"0"
    if not re.fullmatch(rb"[0-7]+", digits):
        raise InputError("it is no tar archive, or damaged: a header has an invalid number")
    return int(digits, 8)


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode(errors="replace")
