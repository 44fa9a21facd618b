"""GGUF files: their headers, the list of their tensors, and single arrays.

Only the header is read, never the weights, and no number in a file can make it read or loop over more than the header's
own bytes, or keep more than a small part of them. The file is read, not mapped into memory: access to a mapped page
that another program has cut off would kill the process.

The layout is ggml's docs/gguf.md; sizes of tensors are Ollama's (v0.33.0-rc2 fs/ggml/gguf.go).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from math import prod
from pathlib import Path
from struct import Struct, error
from typing import Final, Protocol

from modelfile.errors import InputError
from modelfile.filesystem import changed_while_read, open_regular, reading
from modelfile.weights.content_type import HEAD, MAGICS, reject_content
from modelfile.weights.header import (
    ARRAY,
    MAX_COUNT,
    STRING,
    GGUFArray,
    GGUFHeader,
    Scalar,
    Tensor,
    Totals,
    TypeTotal,
    format_count,
)
from modelfile.weights.types import TENSOR_TYPES

_MAX_HEADER: Final = 64 << 20
"""Maximum size of a header, in bytes; a quarter of a million tokens with their merges need 15 MB."""
_MAX_STRING: Final = 10 << 20
_MAX_TEXT: Final = 1 << 10
"""Size, in bytes, of the longest text that is kept, but for the chat template."""
_MAX_NAME: Final = (1 << 16) - 1
"""Size, in bytes, of the longest key (ggml's docs/gguf.md) and name of a tensor; longer ones count as empty."""
_MAX_TEXTS: Final = 8 << 20
"""Size, in bytes, of all texts that are kept."""
_MAX_CHAT_TEMPLATE: Final = 1 << 18
"""Size, in bytes, of the longest chat template that is kept; the longest known ones have 20 kB."""
_RACY: Final = 2_000_000_000
"""Age in nanoseconds below which a file may change again without a change of its times (as in `weights.digests`)."""
_MOST_HEADERS: Final = 64
"""Headers that are remembered; a build reads that of each of its files several times."""
_HEADERS: Final[dict[tuple[int, ...], GGUFHeader]] = {}
"""Headers that were read, by the states of their files."""
_CHAT_TEMPLATE: Final = "tokenizer.chat_template"
_MAX_PAIRS: Final = 1 << 16
_MAX_TENSORS: Final = 1 << 16
"""Maximum number of tensors; the largest known models have some thousands."""
_WINDOW: Final = 1 << 18
"""Bytes read at a time."""
_MAX_DIMENSIONS: Final = 8
_VERSION: Final = 3  # the newest
_MAX_DEPTH: Final = 4
_MAX_ARRAYS: Final = 1 << 16
"""Maximum number of arrays, with those in arrays, which real files do not have."""
_MAX_STRINGS: Final = 1 << 22
"""Maximum number of texts in arrays; the largest vocabularies have a quarter of a million, twice as many merges."""
_MAX_LIST: Final = 1 << 12
"""Elements of the longest array that is read with the header."""
_MAX_LISTS: Final = 1 << 18
"""Elements of all arrays that are read with the header."""
_MAX_READ: Final = 1 << 20
"""Elements of the longest array that is read at all."""
_SCALARS: Final = dict(zip((*range(8), 10, 11, 12), "BbHhIif?Qqd", strict=True))
_FORMS: Final = {order: {kind: Struct(order + code) for kind, code in _SCALARS.items()} for order in "<>"}


class SeekableFile(Protocol):
    """An open file, or a blob of a registry that is read by ranges."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Move to an offset, or to the end, and return the position, in bytes."""

    def read(self, size: int, /) -> bytes | None:
        """Return the next `size` bytes; fewer only at the end."""


def read_header(source: Path | SeekableFile, name: str = "") -> GGUFHeader:
    """Read the header of a GGUF file.

    Args:
        source: The path of the file, or the open file.
        name: The name of an open file, for messages.

    Raises:
        InputError: It cannot be read, is not a GGUF file, is truncated within its header, is corrupt, or changes while
            it is read.
    """
    with _opened(source, name) as cursor:
        return cursor.header()


def read_tensors(source: Path | SeekableFile, header: GGUFHeader, name: str = "") -> tuple[Tensor, ...]:
    """Read the list of the tensors of a GGUF file; arguments and errors are those of `read_header`."""
    with _opened(source, name) as cursor:
        return cursor.tensors(header)


def read_array(source: Path | SeekableFile, header: GGUFHeader, key: str, name: str = "") -> tuple[Scalar, ...]:
    """Read an array of numbers, bools or texts; texts of more than 1,024 bytes are empty, and arrays are rejected.

    Args:
        source: The path of the file, or the open file.
        header: Its header, which has the key among its `arrays`.
        key: The key of the array.
        name: The name of an open file, for messages.

    Raises:
        InputError: As `read_header`, or the array has more than a million elements.
    """
    with _opened(source, name) as cursor:
        return cursor.elements(header.arrays[key])


def recall_header(path: Path) -> GGUFHeader:
    """Return the header of a GGUF file, which is read once as long as the file stays in the same state.

    Raises:
        InputError: As `read_header`.
    """
    with reading(path):
        state = path.stat()
    key = (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
    if (known := _HEADERS.get(key)) is None:
        known = read_header(path)
        if time.time_ns() - max(state.st_mtime_ns, state.st_ctime_ns) > _RACY and len(_HEADERS) < _MOST_HEADERS:
            _HEADERS[key] = known
    return known


@contextmanager
def _opened(source: Path | SeekableFile, name: str) -> Iterator[_Cursor]:
    """Yield a cursor behind the version of a file; its errors become input errors."""
    if isinstance(source, Path):
        with open_regular(source) as file, _opened(file, str(source)) as cursor:
            yield cursor
        return
    source.seek(0)
    if source.read(4) not in MAGICS:
        source.seek(0)
        reject_content(Path(name), source.read(HEAD) or b"")
        raise InputError(f"`{name}` is not a GGUF file", hint="download it again", rule="not-gguf")
    size = source.seek(0, 2)
    try:
        yield _Cursor(name, source, size)
    except EOFError as failure:
        if size <= _MAX_HEADER:
            message = f"`{name}` is truncated: it has {size:,} bytes, its header alone is longer"
            raise InputError(message, hint="download it again", rule="truncated-weights") from failure
        message = f"`{name}` has a header of more than {_MAX_HEADER:,} bytes"
        raise InputError(message, rule="corrupt-gguf") from failure
    except ValueError as failure:
        message = f"`{name}` is a corrupt GGUF file: {failure}"
        raise InputError(message, hint="download it again", rule="corrupt-gguf") from failure


@cache
def _form_of_tensor(order: str, word: str, dimensions: int) -> Struct:
    """Return the format of what follows the number of dimensions of a tensor: these, its type and its offset."""
    return Struct(f"{order}{dimensions}{word}IQ")


class _Cursor:
    """A position in a header; raises EOFError beyond its end, and ValueError on invalid values."""

    def __init__(self, name: str, file: SeekableFile, size: int) -> None:
        self._name = name
        self._file = file
        self._size = size
        self._end = min(size, _MAX_HEADER)
        self._at = 0
        self._window = b""
        self._start = 0
        self._arrays = self._strings = self._listed = self._kept = 0
        head = self._bytes(8)
        self._at = 4
        is_big = head[:4] == b"FUGG" or head[4:6] == b"\0\0"  # version, a small number, is big-endian
        self._order = ">" if is_big else "<"
        self._scalars = _FORMS[self._order]
        self._uint32, self._uint64 = self._scalars[4], self._scalars[10]
        self._version = self._number(self._uint32)
        self._word = self._uint32 if self._version == 1 else self._uint64
        """The format of counts and lengths."""

    def header(self) -> GGUFHeader:
        tensors, pairs = self._number(self._word), self._number(self._word)
        self._reject_count(pairs, self._word.size, _MAX_PAIRS, "keys")
        metadata: dict[str, Scalar] = {}
        kinds: dict[str, int] = {}
        repeated = ""
        arrays: dict[str, GGUFArray] = {}
        lists: dict[str, tuple[Scalar, ...]] = {}
        for _ in range(pairs):
            key = self._text(_MAX_NAME) or ""
            repeated = repeated or (key if key in kinds else "")
            kinds[key] = kind = self._number(self._uint32)
            for values in (metadata, arrays, lists):
                values.pop(key, None)  # the last one counts
            if kind == ARRAY:
                arrays[key] = array = self._skip_array(1)
                if array.kind in self._scalars and array.length <= _MAX_LIST:
                    self._listed += array.length
                    if self._listed <= _MAX_LISTS:
                        lists[key] = self._numbers(array)
            else:
                value = self._scalar(kind, _MAX_CHAT_TEMPLATE if key == _CHAT_TEMPLATE else _MAX_TEXT)
                if value is not None:
                    metadata[key] = value
        self._reject_count(tensors, self._word.size + 4, _MAX_TENSORS, "tensors")
        alignment = metadata.get("general.alignment", 32)
        if not isinstance(alignment, int) or alignment < 1:
            raise ValueError("its alignment is not a positive number")
        tensors_at, totals = self._at, Totals(alignment=alignment, defect=self._defect(kinds, alignment, repeated))
        for _ in range(tensors):
            self._kept = 0  # nothing of it is kept
            totals.add(self._tensor(0))
        start = -(-self._at // alignment) * alignment
        template = metadata.pop(_CHAT_TEMPLATE, "")
        return GGUFHeader(
            metadata=metadata,
            size=self._size,
            needed=start + totals.end if tensors else self._at,
            blocks=len(totals.blocks),
            chat_template=template if isinstance(template, str) else "",
            version=self._version,
            kinds=kinds,
            parameters=sum(elements for _, elements, _ in totals.types.values()),
            embedded=totals.embedded,
            arrays=arrays,
            lists=lists,
            types={
                kind: TypeTotal(tensors=count, elements=elements, bytes=size)
                for kind, (count, elements, size) in totals.types.items()
            },
            tensors=tensors,
            tensors_at=tensors_at,
            data_at=start,
            big_endian=self._order == ">",
            defect=totals.defect,
        )

    def _defect(self, kinds: Mapping[str, int], alignment: int, repeated: str) -> str:
        """Return what Ollama rejects, or does not find, in the metadata."""
        if self._version == 1 or self._version > _VERSION:  # 0 is that of a file that is no more than a placeholder
            return f"it has version {self._version} of GGUF, which Ollama does not load"
        if repeated:
            return f"the key `{repeated}` is there twice"
        if alignment & (alignment - 1):
            return f"its alignment, {format_count(alignment)}, is no power of 2"
        return "" if kinds.get(_CHAT_TEMPLATE, STRING) == STRING else f"`{_CHAT_TEMPLATE}` is no text, and not used"

    def tensors(self, header: GGUFHeader) -> tuple[Tensor, ...]:
        self._at = header.tensors_at
        self._reject_count(header.tensors, self._word.size + 4, _MAX_TENSORS, "tensors")
        return tuple(self._tensor(header.data_at) for _ in range(header.tensors))

    def elements(self, array: GGUFArray) -> tuple[Scalar, ...]:
        self._at = array.offset
        if array.kind in self._scalars:
            return self._numbers(array)
        if array.kind != STRING:
            raise ValueError("an array of arrays")
        self._reject_count(array.length, self._word.size, _MAX_READ)
        return tuple(self._text() or "" for _ in range(array.length))

    def _reject_count(self, count: int, smallest: int, limit: int = _MAX_HEADER, what: str = "elements") -> None:
        """Reject a number of entries that cannot fit in the rest of the header, each of at least `smallest` bytes."""
        if count > limit:
            raise ValueError(f"{format_count(count)} {what}, over the limit of {limit:,}")
        if count * smallest > self._end - self._at:
            raise EOFError

    def _look(self, length: int) -> int:
        """Return where the next bytes are in the window, read anew if they are not all in it."""
        if self._at + length > self._end:
            raise EOFError
        at = self._at - self._start
        if at < 0 or at + length > len(self._window):
            self._file.seek(self._at)
            self._window, self._start, at = self._file.read(max(length, _WINDOW)) or b"", self._at, 0
            if len(self._window) < length:
                raise changed_while_read(self._name)
        return at

    def _bytes(self, length: int) -> bytes:
        at = self._look(length)
        self._at += length
        return self._window[at : at + length]

    def _number(self, form: Struct) -> int:
        at = self._look(form.size)
        self._at += form.size
        return int(form.unpack_from(self._window, at)[0])

    def _text(self, longest: int = _MAX_TEXT) -> str | None:
        """Return a text; None if it is too long to be kept."""
        length = self._number(self._word)
        if length > _MAX_STRING:
            raise ValueError(f"a text of {format_count(length)} bytes, over the limit of {_MAX_STRING:,}")
        if length > longest:
            self._skip(length)
            return None
        self._kept += length
        if self._kept > _MAX_TEXTS:
            raise ValueError(f"texts of more than {_MAX_TEXTS:,} bytes")
        return str(self._bytes(length), "utf-8", "replace")

    def _skip(self, length: int) -> None:
        self._at += length
        if self._at > self._end:
            raise EOFError

    def _scalar(self, kind: int, longest: int) -> Scalar | None:
        if kind == STRING:
            return self._text(longest)
        if kind not in self._scalars:
            raise ValueError(f"a value of type {kind}")
        form = self._scalars[kind]
        at = self._look(form.size)
        self._at += form.size
        value: Scalar = form.unpack_from(self._window, at)[0]
        return value

    def _skip_array(self, depth: int) -> GGUFArray:
        kind, count = self._number(self._uint32), self._number(self._word)
        array = GGUFArray(kind=kind, length=count, offset=self._at)
        self._arrays += 1
        if self._arrays > _MAX_ARRAYS:
            raise ValueError(f"more than {_MAX_ARRAYS:,} arrays")
        if kind in self._scalars:
            self._reject_count(count, self._scalars[kind].size)
            self._skip(count * self._scalars[kind].size)
        elif kind == STRING:
            self._skip_strings(count)
        elif depth >= _MAX_DEPTH:
            raise ValueError("arrays nested too deeply")
        elif kind != ARRAY:
            raise ValueError(f"a value of type {kind}")
        else:
            self._reject_count(count, self._word.size + 4)
            for _ in range(count):
                self._skip_array(depth + 1)
        return array

    def _numbers(self, array: GGUFArray) -> tuple[Scalar, ...]:
        """Return the elements of an array of numbers or bools."""
        code, size = _SCALARS[array.kind], self._scalars[array.kind].size
        self._at = array.offset
        self._reject_count(array.length, size, _MAX_READ)
        form = Struct(f"{self._order}{array.length}{code}")
        return form.unpack(self._bytes(form.size))

    def _skip_strings(self, count: int) -> None:
        self._strings += count
        if self._strings > _MAX_STRINGS:
            raise ValueError(f"{format_count(self._strings)} texts in arrays, over the limit of {_MAX_STRINGS:,}")
        self._reject_count(count, self._word.size)
        unpack, width = self._word.unpack_from, self._word.size
        while count:
            at, window, done = self._look(width), self._window, 0
            try:
                for done in range(count):  # noqa: B007  # a quarter of a million tokens: counting would cost a tenth
                    at += unpack(window, at)[0] + width
                count = 0
            except (error, OverflowError):  # the next one is beyond the window
                count -= done
            self._at = self._start + at
        self._skip(0)

    def _tensor(self, data_at: int) -> Tensor:
        name = self._text(_MAX_NAME) or ""
        dimensions = self._number(self._uint32)
        if dimensions > _MAX_DIMENSIONS:
            raise ValueError(f"a tensor of {dimensions:,} dimensions, over the limit of {_MAX_DIMENSIONS}")
        form = _form_of_tensor(self._order, self._word.format[-1], dimensions)
        *shape, kind, offset = form.unpack(self._bytes(form.size))
        _, elements, size = TENSOR_TYPES.get(kind, ("", 1, 0))  # a tensor of an unknown type counts as empty
        count = prod(shape)
        if max(count, offset) >= MAX_COUNT:
            raise ValueError(
                f"a tensor of {format_count(count)} elements at {format_count(offset)}, beyond the end of any file"
            )
        return Tensor(
            name=name,
            shape=tuple(shape),
            kind=kind,
            offset=data_at + offset,
            elements=count,
            size=count // elements * size,
        )
