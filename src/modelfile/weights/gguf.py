"""The header of a GGUF file: what it says of itself, and how long it has to be.

Reads what the header fills and none of the weights; no number in a file makes it read, keep or loop over more. The
layout is ggml's docs/gguf.md; a tensor is as long as Ollama takes it to be (v0.33.0-rc2 fs/ggml/gguf.go).
"""

from __future__ import annotations

import mmap
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeAlias

from modelfile.errors import InputError

MAGICS: Final = (b"GGUF", b"FUGG")
_LONGEST: Final = 128 << 20
"""No header is longer: a quarter of a million tokens with their merges need 15 MB."""
_LONGEST_STRING: Final = 10 << 20
_MOST_DIMENSIONS: Final = 8
_DEEPEST: Final = 4
_STRING: Final = 8
_ARRAY: Final = 9
_BLOCK: Final = re.compile(r"(?:^|\.)blk\.([0-9]+)\.")
_SCALARS: Final = dict(zip((*range(8), 10, 11, 12), "BbHhIif?Qqd", strict=True))

Scalar: TypeAlias = int | float | bool | str


@dataclass(frozen=True, slots=True, kw_only=True)
class GGUFHeader:
    """What a GGUF file says of itself."""

    metadata: Mapping[str, Scalar]
    """All but the arrays."""
    size: int
    """How many bytes the file has."""
    needed: int
    """How many bytes the file has to have at least for its tensors."""
    blocks: int
    """Of how many blocks, as `blk.0` is one, the file has tensors."""

    @property
    def architecture(self) -> str:
        """Of the model, such as `llama`."""
        return self.text("general.architecture")

    @property
    def file_type(self) -> str:
        """What the weights mostly are, `Q4_K_M`; as in Ollama, a file that says 0, F32, says nothing."""
        number = self.number("general.file_type")
        return FILE_TYPES.get(number, "unknown") if number else "unknown"

    def text(self, key: str) -> str:
        """The text of a key, or an empty one."""
        value = self.metadata.get(key)
        return value if isinstance(value, str) else ""

    def number(self, key: str) -> int:
        """The number of a key or, as Ollama looks for it too, of that key of the architecture; or 0."""
        value = self.metadata.get(key, self.metadata.get(f"{self.architecture}.{key}"))
        return value if isinstance(value, int) else 0


def read_header(path: Path) -> GGUFHeader:
    """Read the header of a GGUF file.

    Raises:
        InputError: It cannot be read, is none, or ends before its header does.
    """
    try:
        with path.open("rb") as file:
            if file.read(4) not in MAGICS:
                raise InputError(f"`{path}` is not a GGUF file", hint="was it downloaded whole? Ollama would refuse it")
            size = file.seek(0, 2)
            with mmap.mmap(file.fileno(), min(size, _LONGEST), access=mmap.ACCESS_READ) as data:
                return _Cursor(data).header(size)
    except OSError as error:
        raise InputError(f"`{path}` cannot be read: {error.strerror or error}") from error
    except (struct.error, OverflowError) as error:
        if size <= _LONGEST:
            message = f"`{path}` is cut short: it has {size:,} bytes, and its header alone goes on behind them"
            raise InputError(message, hint="download it again") from error
        raise InputError(f"`{path}` has a header of more than {_LONGEST:,} bytes, as no model has") from error
    except ValueError as error:
        raise InputError(f"`{path}` is a damaged GGUF file: {error}", hint="download it again") from error


class _Cursor:
    """A place in a header. What is not there is a struct.error or OverflowError, what cannot be a ValueError."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._at = 4
        big = data[:4] == b"FUGG" or data[4:6] == b"\0\0"  # a small number whose low bytes come last
        self._order = ">" if big else "<"
        self._size = "I" if self._number("I") == 1 else "Q"

    def header(self, size: int) -> GGUFHeader:
        tensors, pairs = self._number(self._size), self._number(self._size)
        metadata = dict(self._pair() for _ in range(pairs))
        blocks: set[str] = set()
        needed = max((self._tensor(blocks) for _ in range(tensors)), default=None)
        alignment = metadata.get("general.alignment", 32)
        if not isinstance(alignment, int) or alignment < 1:
            raise ValueError("its alignment is no number above 0")
        start = -(-self._at // alignment) * alignment
        scalars = {key: value for key, value in metadata.items() if value is not None}
        end = self._at if needed is None else start + needed
        return GGUFHeader(metadata=scalars, size=size, needed=end, blocks=len(blocks))

    def _number(self, code: str) -> int:
        (number,) = struct.unpack_from(self._order + code, self._data, self._at)
        self._at += struct.calcsize(code)
        return int(number)

    def _string(self) -> str:
        length = self._number(self._size)
        if length > _LONGEST_STRING:
            raise ValueError(f"a text of {length:,} bytes")
        (text,) = struct.unpack_from(f"{length}s", self._data, self._at)
        self._at += length
        return str(text, "utf-8", "replace")

    def _pair(self) -> tuple[str, Scalar | None]:
        return self._string(), self._value(self._number("I"))

    def _value(self, kind: int, depth: int = 0) -> Scalar | None:
        if kind == _STRING:
            return self._string()
        if kind == _ARRAY:
            self._skip_array(depth + 1)
            return None
        if kind not in _SCALARS:
            raise ValueError(f"a value of type {kind}")
        (value,) = struct.unpack_from(self._order + _SCALARS[kind], self._data, self._at)
        self._at += struct.calcsize(_SCALARS[kind])
        return value if isinstance(value, int | float) else None

    def _skip_array(self, depth: int) -> None:
        kind, count = self._number("I"), self._number(self._size)
        if kind in _SCALARS:
            self._at += count * struct.calcsize(_SCALARS[kind])
        elif kind == _STRING:
            self._skip_strings(count)
        elif depth >= _DEEPEST:
            raise ValueError("arrays in arrays in arrays")
        else:
            for _ in range(count):
                self._value(kind, depth)
        if self._at > len(self._data):
            raise struct.error

    def _skip_strings(self, count: int) -> None:
        length = struct.Struct(self._order + self._size)
        unpack, width, data, at = length.unpack_from, length.size, self._data, self._at
        for _ in range(count):  # a quarter of a million tokens: every look-up counts
            at += unpack(data, at)[0] + width
        self._at = at

    def _tensor(self, blocks: set[str]) -> int:
        """Where a tensor ends, counted from where the tensors begin; its block is added to those that were seen."""
        if block := _BLOCK.search(self._string()):
            blocks.add(block[1])
        dimensions = self._number("I")
        if dimensions > _MOST_DIMENSIONS:
            raise ValueError(f"a tensor of {dimensions:,} dimensions")
        shape = [self._number(self._size) for _ in range(dimensions)]
        kind, offset = self._number("I"), self._number("Q")
        elements, size = BLOCKS.get(kind, (1, 0))  # of a type that is not known, no more than its place
        return offset + prod(shape) // elements * size


# The numbers of GGUF's types are from ggml.h and llama.h (v0.33.0-rc2 fs/ggml/{ggml,type}.go).

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
"""Of a tensor's type: how many elements a block has, and how many bytes."""

FILE_TYPES: Final[Mapping[int, str]] = MappingProxyType(
    {
        **dict(enumerate(("F32", "F16", "Q4_0", "Q4_1"))),
        **dict(enumerate(("Q8_0", "Q5_0", "Q5_1", "Q2_K", "Q3_K_S", "Q3_K_M", "Q3_K_L", "Q4_K_S", "Q4_K_M"), 7)),
        **dict(enumerate(("Q5_K_S", "Q5_K_M", "Q6_K", "IQ2_XXS", "IQ2_XS", "Q2_K_S", "IQ3_XS", "IQ3_XXS"), 16)),
        **dict(enumerate(("IQ1_S", "IQ4_NL", "IQ3_S", "IQ3_M", "IQ2_S", "IQ2_M", "IQ4_XS", "IQ1_M", "BF16"), 24)),
        **dict(enumerate(("TQ1_0", "TQ2_0", "MXFP4_MOE", "NVFP4", "Q1_0"), 36)),
    }
)
"""What `general.file_type` says the weights mostly are."""
