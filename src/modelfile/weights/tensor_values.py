"""The values of tensors, dequantized piece by piece: not-a-numbers, infinities, and blocks that are all zero."""

from __future__ import annotations

from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import Any, Final

from modelfile.filesystem import changed_while_read
from modelfile.immutable import record
from modelfile.weights.header import Tensor
from modelfile.weights.types import TENSOR_TYPES

_PIECE: Final = 1 << 20
"""Bytes that are dequantized at a time, which takes up to 50 times as much memory."""
_PLAIN: Final = 32
"""Weights of a block of a type that is not quantized."""
_UNREAD: Final = frozenset({"I8", "I16", "I32", "I64", "F64", "Q8_K", "Q1_0"})
"""Types whose values are not read: integers, and those that the gguf package cannot dequantize."""


@record(kw_only=True)
class TensorValues:
    """Counts of the values of a tensor."""

    name: str
    type: str
    nan: int = 0
    infinite: int = 0
    dead: int = 0
    """Number of blocks whose weights are all zero."""
    blocks: int = 0
    skipped: bool = False
    """True if its values are not read: it has another type, is not whole in the file, or overlaps others."""


def count_values(
    path: Path, file: FileIO, tensor: Tensor, on_read: Callable[[int], None], *, is_big_endian: bool
) -> TensorValues:
    """Return the counts of a tensor's values.

    Args:
        path: The file, for messages.
        file: The same, open.
        tensor: The tensor.
        on_read: Called with the number of bytes after each piece.
        is_big_endian: Whether the file is big-endian, whose values are not read.

    Raises:
        InputError: The file is truncated while it is read.
    """
    name, elements, size = TENSOR_TYPES.get(tensor.kind, ("", 0, 0))
    if not size or name in _UNREAD or is_big_endian or tensor.offset + tensor.size > file.seek(0, 2):
        on_read(tensor.size)
        return TensorValues(name=tensor.name, type=tensor.type, skipped=True)
    import numpy as np  # with gguf, 270 ms that nothing else needs
    from gguf import GGMLQuantizationType
    from gguf.quants import dequantize

    kind, width = GGMLQuantizationType(tensor.kind), size if elements > 1 else size * _PLAIN
    step, rest = _PIECE // width * width, tensor.size
    nan = infinite = dead = blocks = 0
    file.seek(tensor.offset)
    while rest:
        piece = _read(path, file, min(step, rest))
        rest -= len(piece)
        whole = len(piece) // width * width
        for part, row in ((piece[:whole], width), (piece[whole:], len(piece) - whole)):
            if not part:
                continue
            with np.errstate(all="ignore"):
                values: Any = dequantize(np.frombuffer(part, np.uint8).reshape(-1, row), kind)
            nan += int(np.isnan(values).sum())
            infinite += int(np.isinf(values).sum())
            dead += int((~values.any(axis=1)).sum())
            blocks += len(values)
        on_read(len(piece))
    return TensorValues(name=tensor.name, type=tensor.type, nan=nan, infinite=infinite, dead=dead, blocks=blocks)


def _read(path: Path, file: FileIO, size: int) -> bytes:
    piece = file.read(size) or b""
    while len(piece) < size:
        if not (more := file.read(size - len(piece))):
            raise changed_while_read(path)
        piece += more
    return piece
