"""The memory of a model at several lengths of its context, and what fits into an amount of memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from modelfile.catalog.file_types import FILE_TYPES_BY_NAME, FileType
from modelfile.immutable import record, replace
from modelfile.weights.footprint import (
    CACHE_TYPES,
    DEFAULT_RUNNER,
    Exactness,
    Footprint,
    Runner,
    fits,
    footprint,
    largest_context,
)
from modelfile.weights.layers import count_of
from modelfile.weights.quantized_size import quantized_size

if TYPE_CHECKING:
    from modelfile.weights.header import GGUFHeader
    from modelfile.weights.reading import ListedTensor

_SHORTEST: Final = 2048
_LONGEST: Final = 131072
"""The longest context of the table, in tokens, if the header does not say what the model was trained on."""
_MAX_POWER: Final = 1 << 20
"""The longest context of the table but those that were asked for and trained on."""


@record(kw_only=True)
class Estimate:
    """The memory that a model needs, and whether it fits."""

    runner: Runner
    needed: Footprint
    """The memory at the context that was asked for."""
    table: tuple[tuple[Footprint, ...], ...]
    """The memory at growing contexts, by the types in CACHE_TYPES."""
    memory: int
    """The memory that it was compared with, in bytes."""
    fits: bool | None
    """None if it is not known."""
    largest_context: int | None
    """The longest context that fits, in tokens; 0 if none does, None if it is not known."""
    best_type: FileType | None
    """The largest of the usual quantizations in which the model would fit; None if none does, or it is not known."""
    best_size: int | None
    """The size of the weights in that type, in bytes."""
    best_exactness: Exactness
    """Exact if the tensors are known, and how llama.cpp chooses their types; otherwise by the mean of the type."""


def estimate(
    header: GGUFHeader,
    context: int,
    memory: int,
    runner: Runner = DEFAULT_RUNNER,
    beside: Sequence[GGUFHeader] = (),
    tensors: Iterable[ListedTensor] = (),
) -> Estimate:
    """Return the memory that a model needs, and whether it fits.

    Args:
        header: The header of its weights.
        context: Tokens of the context.
        memory: The memory that there is, in bytes.
        runner: The server's version and settings.
        beside: The headers of projectors and adapters that are loaded with it.
        tensors: Its tensors, for its size in other quantizations; empty if they are not known.
    """
    needed = footprint(header, context, runner, beside)
    best = _best_type(header, tuple(tensors), needed, memory)
    return Estimate(
        runner=runner,
        needed=needed,
        table=tuple(
            tuple(footprint(header, length, replace(runner, cache_type=kind), beside) for kind in CACHE_TYPES)
            for length in _contexts(header, needed.context)
        ),
        memory=memory,
        fits=fits(header, context, memory, runner, beside),
        largest_context=largest_context(header, memory, runner, beside),
        best_type=best[0] if best else None,
        best_size=best[1] if best else None,
        best_exactness=best[2] if best else Exactness.UNKNOWN,
    )


def _contexts(header: GGUFHeader, asked: int) -> list[int]:
    """Return lengths of the context: powers of two, the one that was asked for, and the one it was trained on."""
    longest = count_of(header, "context_length") or max(_LONGEST, asked)
    powers = [_SHORTEST << power for power in range((_MAX_POWER // _SHORTEST).bit_length())]
    return sorted({*(each for each in powers if each < longest), asked, longest})


def _best_type(
    header: GGUFHeader, tensors: tuple[ListedTensor, ...], needed: Footprint, memory: int
) -> tuple[FileType, int, Exactness] | None:
    weights = next(term.bytes for term in needed.terms if term.name == "weights")
    if needed.total is None or weights is None or header.parameters < 1:
        return None
    room = memory - (needed.total - weights)
    usual = sorted((each for each in FILE_TYPES_BY_NAME.values() if each.is_usual), key=lambda each: -each.bits)
    sizes = ((each, *_size(header, tensors, each)) for each in usual)
    return next((found for found in sizes if found[1] <= room), None)


def _size(header: GGUFHeader, tensors: tuple[ListedTensor, ...], kind: FileType) -> tuple[int, Exactness]:
    """Return the size of a model's weights in a type, in bytes."""
    known = sum(total.bytes for total in header.types.values()) if kind.name == header.file_type else 0
    if exact := known or quantized_size(header, tensors, kind.name):
        return exact, Exactness.EXACT
    return int(header.parameters * kind.bits / 8), Exactness.ESTIMATED
