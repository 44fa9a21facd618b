"""GGUF headers: the metadata of a file, and the size that its tensors require.

Only the header is read, never the weights, and no number in a file can make it read or loop over more than the header's
own bytes, or keep more than a small part of them. The file is read, not mapped into memory: access to a mapped page
that another program has cut off would kill the process.

The layout is ggml's docs/gguf.md; sizes of tensors are Ollama's (v0.33.0-rc2 fs/ggml/gguf.go).
"""

from __future__ import annotations

import re
import struct
import time
from collections.abc import Mapping
from io import FileIO
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeAlias

from modelfile.errors import InputError
from modelfile.filesystem import changed_while_read, open_regular, reading
from modelfile.immutable import field, record

MAGICS: Final = (b"GGUF", b"FUGG")
_MAX_HEADER: Final = 64 << 20
"""Maximum size of a header, in bytes; a quarter of a million tokens with their merges need 15 MB."""
_MAX_STRING: Final = 10 << 20
_MAX_TEXT: Final = 1 << 10
"""Size, in bytes, of the longest text that is kept, but for the chat template."""
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
_MAX_TENSORS: Final = 1 << 18
"""Maximum number of tensors; the largest known models have some thousands."""
_WINDOW: Final = 1 << 18
"""Bytes read at a time."""
_MAX_DIMENSIONS: Final = 8
_MAX_DEPTH: Final = 4
_MAX_ARRAYS: Final = 1 << 16
"""Maximum number of arrays, with those in arrays, which real files do not have."""
UINT32: Final = 4
BOOL: Final = 7
STRING: Final = 8
_ARRAY: Final = 9
_BLOCK: Final = re.compile(r"(?:^|\.)blk\.([0-9]+)\.")
_EMBEDDED: Final = ("a.", "mm.", "mtp.", "s.", "v.")
"""How names of tensors begin that are not of the model itself (`isEmbeddedCompatibilityTensor`, server/create.go)."""
_SCALARS: Final = dict(zip((*range(8), 10, 11, 12), "BbHhIif?Qqd", strict=True))

Scalar: TypeAlias = int | float | bool | str


@record(kw_only=True)
class GGUFHeader:
    """The header of a GGUF file."""

    metadata: Mapping[str, Scalar]
    """Its keys and values, without arrays and texts of more than 1,024 bytes."""
    size: int
    """Size of the file, in bytes."""
    needed: int
    """Size that its tensors require at least, in bytes."""
    blocks: int
    """Number of blocks (such as `blk.0`) that have tensors in the file."""
    chat_template: str = ""
    """Its chat template, in Jinja; empty if there is none, or only a list of several."""
    version: int = 3
    """The version of the format."""
    kinds: Mapping[str, int] = field(default_factory=dict)
    """The type of each value of the metadata, as GGUF numbers them."""
    parameters: int = 0
    """Number of the elements of all tensors."""
    embedded: bool = False
    """True if tensors of a projector, or of one that predicts several tokens, are among those of the model."""

    @property
    def architecture(self) -> str:
        """The model's architecture, such as `llama`."""
        return self.text("general.architecture")

    @property
    def file_type(self) -> str:
        """The type of most weights, such as `Q4_K_M`; as in Ollama, 0 (F32) counts as unknown."""
        number = self.number("general.file_type")
        return FILE_TYPES.get(number, "unknown") if number else "unknown"

    def text(self, key: str) -> str:
        """Return the text of a key, or an empty string."""
        value = self.metadata.get(key)
        return value if isinstance(value, str) else ""

    def number(self, key: str) -> int:
        """Return the number of a key, else of that key of the architecture (as Ollama does), else 0."""
        value = self.metadata.get(key, self.metadata.get(f"{self.architecture}.{key}"))
        return value if isinstance(value, int) else 0

    def typed(self, key: str, kind: int) -> Scalar | None:
        """Return the value of a key as Ollama looks it up (`keyValue` in fs/ggml/ggml.go, v0.7.0 to v0.33.0-rc2).

        Args:
            key: The key, without the architecture before it unless it begins with `general.` or `tokenizer.`.
            kind: The type that the value must have; with any other, the key counts as missing.
        """
        if not key.startswith(("general.", "tokenizer.")):
            architecture = self.typed("general.architecture", STRING)
            key = f"{'unknown' if architecture is None else architecture}.{key}"
        return self.metadata.get(key) if self.kinds.get(key) == kind else None


def read_header(path: Path) -> GGUFHeader:
    """Read the header of a GGUF file.

    Raises:
        InputError: It cannot be read, is not a GGUF file, is truncated within its header, or changes while it is read.
    """
    with open_regular(path) as file:
        if file.read(4) not in MAGICS:
            raise InputError(f"`{path}` is not a GGUF file", hint="download it again; Ollama would reject it")
        size = file.seek(0, 2)
        try:
            return _Cursor(path, file, min(size, _MAX_HEADER)).header(size)
        except EOFError as error:
            if size <= _MAX_HEADER:
                message = f"`{path}` is truncated: it has {size:,} bytes, its header alone is longer"
                raise InputError(message, hint="download it again") from error
            raise InputError(f"`{path}` has a header of more than {_MAX_HEADER:,} bytes") from error
        except ValueError as error:
            raise InputError(f"`{path}` is a corrupt GGUF file: {error}", hint="download it again") from error


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


@record(frozen=False)
class _Tensors:
    """The facts of the tensors that were read so far."""

    end: int = 0
    """Offset of the end of the last one from the start of all, in bytes."""
    elements: int = 0
    blocks: set[str] = field(default_factory=set)
    embedded: bool = False


class _Cursor:
    """A position in a header; raises EOFError beyond its end, and ValueError on invalid values."""

    def __init__(self, path: Path, file: FileIO, end: int) -> None:
        self._path = path
        self._file = file
        self._end = end
        self._at = 0
        self._window = b""
        self._start = 0
        self._arrays = 0
        head = self._bytes(8)
        self._at = 4
        big = head[:4] == b"FUGG" or head[4:6] == b"\0\0"  # version, a small number, is big-endian
        self._order = ">" if big else "<"
        self._version = self._number("I")
        self._size = "I" if self._version == 1 else "Q"
        self._width = struct.calcsize(self._size)

    def header(self, size: int) -> GGUFHeader:
        tensors, pairs = self._number(self._size), self._number(self._size)
        self._reject_count(pairs, self._width, _MAX_PAIRS, "keys")
        pairs_read = [self._pair() for _ in range(pairs)]
        metadata = {key: value for key, _, value in pairs_read}
        self._reject_count(tensors, self._width + 4, _MAX_TENSORS, "tensors")
        found = _Tensors()
        for _ in range(tensors):
            self._tensor(found)
        alignment = metadata.get("general.alignment", 32)
        if not isinstance(alignment, int) or alignment < 1:
            raise ValueError("its alignment is not a positive number")
        start = -(-self._at // alignment) * alignment
        template = metadata.pop(_CHAT_TEMPLATE, None)
        scalars = {key: value for key, value in metadata.items() if value is not None}
        return GGUFHeader(
            metadata=scalars,
            size=size,
            needed=start + found.end if tensors else self._at,
            blocks=len(found.blocks),
            chat_template=template if isinstance(template, str) else "",
            version=self._version,
            kinds={key: kind for key, kind, value in pairs_read if key in scalars},
            parameters=found.elements,
            embedded=found.embedded,
        )

    def _reject_count(self, count: int, smallest: int, limit: int = 1 << 64, what: str = "") -> None:
        """Reject a number of entries that cannot fit in the rest of the header, each of at least `smallest` bytes."""
        if count * smallest > self._end - self._at:
            raise EOFError
        if count > limit:
            raise ValueError(f"{count:,} {what}")

    def _look(self, length: int) -> int:
        """Return where the next bytes are in the window, read anew if they are not all in it."""
        if self._at + length > self._end:
            raise EOFError
        at = self._at - self._start
        if at + length > len(self._window):
            self._file.seek(self._at)
            self._window, self._start, at = self._file.read(max(length, _WINDOW)), self._at, 0
            if len(self._window) < length:
                raise changed_while_read(self._path)
        return at

    def _bytes(self, length: int) -> bytes:
        at = self._look(length)
        self._at += length
        return self._window[at : at + length]

    def _unpack(self, code: str) -> int | float | bool:
        (value,) = struct.unpack(self._order + code, self._bytes(struct.calcsize(self._order + code)))
        number: int | float | bool = value
        return number

    def _number(self, code: str) -> int:
        return int(self._unpack(code))

    def _string(self, longest: int = _MAX_TEXT) -> str | None:
        """Return a text; None if it is too long to be kept."""
        length = self._number(self._size)
        if length > _MAX_STRING:
            raise ValueError(f"a string of {length:,} bytes")
        if length > longest:
            self._skip(length)
            return None
        return str(self._bytes(length), "utf-8", "replace")

    def _skip(self, length: int) -> None:
        self._at += length
        if self._at > self._end:
            raise EOFError

    def _pair(self) -> tuple[str, int, Scalar | None]:
        key, kind = self._string() or "", self._number("I")
        if key == _CHAT_TEMPLATE and kind == STRING:
            return key, kind, self._string(_MAX_CHAT_TEMPLATE)
        return key, kind, self._value(kind)

    def _value(self, kind: int, depth: int = 0) -> Scalar | None:
        if kind == STRING:
            return self._string()
        if kind == _ARRAY:
            self._skip_array(depth + 1)
            return None
        if kind not in _SCALARS:
            raise ValueError(f"a value of type {kind}")
        return self._unpack(_SCALARS[kind])

    def _skip_array(self, depth: int) -> None:
        kind, count = self._number("I"), self._number(self._size)
        self._arrays += 1
        if self._arrays > _MAX_ARRAYS:
            raise ValueError(f"more than {_MAX_ARRAYS:,} arrays")
        if kind in _SCALARS:
            self._skip(count * struct.calcsize(self._order + _SCALARS[kind]))
        elif kind == STRING:
            self._skip_strings(count)
        elif depth >= _MAX_DEPTH:
            raise ValueError("arrays nested too deeply")
        elif kind != _ARRAY:
            raise ValueError(f"a value of type {kind}")
        else:
            self._reject_count(count, self._width + 4)
            for _ in range(count):
                self._value(kind, depth)

    def _skip_strings(self, count: int) -> None:
        self._reject_count(count, self._width)
        unpack, width = struct.Struct(self._order + self._size).unpack_from, self._width
        while count:
            at, window, done = self._look(width), self._window, 0
            try:
                for done in range(count):  # noqa: B007  # a quarter of a million tokens: counting would cost a tenth
                    at += unpack(window, at)[0] + width
                count = 0
            except (struct.error, OverflowError):  # the next one is beyond the window
                count -= done
            self._at = self._start + at
        self._skip(0)

    def _tensor(self, found: _Tensors) -> None:
        name = self._string() or ""
        found.embedded |= name.startswith(_EMBEDDED)
        if block := _BLOCK.search(name):
            found.blocks.add(block[1])
        dimensions = self._number("I")
        if dimensions > _MAX_DIMENSIONS:
            raise ValueError(f"a tensor of {dimensions:,} dimensions")
        count = prod(self._number(self._size) for _ in range(dimensions))
        kind, offset = self._number("I"), self._number("Q")
        elements, size = BLOCKS.get(kind, (1, 0))  # a tensor of an unknown type counts as empty
        found.elements += count
        found.end = max(found.end, offset + count // elements * size)


# Numbers of types, from ggml.h and llama.h (v0.33.0-rc2 fs/ggml/{ggml,type}.go).

BLOCKS: Final[Mapping[int, tuple[int, int]]] = MappingProxyType(
    {
        number: block
        for numbers, block in (
            ((0, 26), (1, 4)),  # F32, I32
            ((1, 25, 30), (1, 2)),  # F16, I16, BF16
            ((24,), (1, 1)),  # I8
            ((27, 28), (1, 8)),  # I64, F64
            ((2, 20), (32, 18)),  # Q4_0, IQ4_NL
            ((3,), (32, 20)),  # Q4_1
            ((6,), (32, 22)),  # Q5_0
            ((7,), (32, 24)),  # Q5_1
            ((8,), (32, 34)),  # Q8_0
            ((39,), (32, 17)),  # MXFP4
            ((10,), (256, 84)),  # Q2_K
            ((11, 21), (256, 110)),  # Q3_K, IQ3_S
            ((12,), (256, 144)),  # Q4_K
            ((13,), (256, 176)),  # Q5_K
            ((14,), (256, 210)),  # Q6_K
            ((15,), (256, 292)),  # Q8_K
            ((16, 35), (256, 66)),  # IQ2_XXS, TQ2_0
            ((17,), (256, 74)),  # IQ2_XS
            ((18,), (256, 98)),  # IQ3_XXS
            ((19,), (256, 50)),  # IQ1_S
            ((22,), (256, 82)),  # IQ2_S
            ((23,), (256, 136)),  # IQ4_XS
            ((29,), (256, 56)),  # IQ1_M
            ((34,), (256, 54)),  # TQ1_0
            ((40,), (64, 36)),  # NVFP4
            ((41,), (128, 18)),  # Q1_0
        )
        for number in numbers
    }
)
"""Elements and bytes of a block, by the number of the tensor's type."""

FILE_TYPES: Final[Mapping[int, str]] = MappingProxyType(
    {
        **dict(enumerate(("F32", "F16", "Q4_0", "Q4_1"))),
        **dict(enumerate(("Q8_0", "Q5_0", "Q5_1", "Q2_K", "Q3_K_S", "Q3_K_M", "Q3_K_L", "Q4_K_S", "Q4_K_M"), 7)),
        **dict(enumerate(("Q5_K_S", "Q5_K_M", "Q6_K", "IQ2_XXS", "IQ2_XS", "Q2_K_S", "IQ3_XS", "IQ3_XXS"), 16)),
        **dict(enumerate(("IQ1_S", "IQ4_NL", "IQ3_S", "IQ3_M", "IQ2_S", "IQ2_M", "IQ4_XS", "IQ1_M", "BF16"), 24)),
        **dict(enumerate(("TQ1_0", "TQ2_0", "MXFP4_MOE", "NVFP4", "Q1_0"), 36)),
    }
)
"""Names of the values of `general.file_type`, the type of most weights."""
