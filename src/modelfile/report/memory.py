"""The memory that models need as text and JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from modelfile.immutable import record
from modelfile.machine import format_memory
from modelfile.report.models import bar, print_facts, print_table
from modelfile.report.terminal import Terminal, visible
from modelfile.report.weights import describe_type
from modelfile.weights.footprint import CACHE_TYPES, Exactness, Footprint, Term

if TYPE_CHECKING:
    from modelfile.weights.estimate import Estimate
    from modelfile.weights.facts import WeightsFacts

_MARGIN: Final = 13
_BAR: Final = 20
"""Width of the bar of the largest term, in columns."""
_UNKNOWN: Final = "unknown"


@record(kw_only=True)
class ShownMemory:
    """The memory of a model, with what it was compared with."""

    name: str
    """The path or name of its weights."""
    facts: WeightsFacts
    estimate: Estimate
    origin: str
    """The origin of the context."""
    place: str
    """The name of the memory that it is compared with."""
    note: str = ""
    """A remark about that memory."""


def print_memory(shown: ShownMemory, terminal: Terminal) -> None:
    """Print the memory that a model needs: its terms at one context, totals at several, and what fits."""
    runner, needed, facts = shown.estimate.runner, shown.estimate.needed, shown.facts
    terminal.write([(visible(shown.name), "bold")])
    kind = ", ".join(
        filter(None, (facts.architecture or "unknown architecture", facts.parameter_size, describe_type(facts)))
    )
    slots = _count(runner.slots_or_default(), "request")
    attention = f", {'with' if runner.uses_flash_attention(facts.architecture) else 'without'} flash attention"
    rows = (
        ("model", [kind]),
        ("server", [f"Ollama {runner.version}, {slots} at a time{attention * bool(facts.architecture)}"]),
        ("num_ctx", [f"{needed.context:,} tokens: {shown.origin}"]),
    )
    print_facts(rows, _MARGIN, terminal)
    terminal.print()
    _print_terms(needed, terminal)
    terminal.print()
    if needed.total is not None:
        _print_contexts(shown.estimate, terminal)
        terminal.print()
    for line in _verdict(shown):
        terminal.print(line)
    if shown.note:
        terminal.print(shown.note)


def _print_terms(needed: Footprint, terminal: Terminal) -> None:
    largest = max((term.bytes or 0 for term in needed.terms), default=0)
    rows = [("NEEDED FOR", "SIZE", "", "", "FORMULA", "SOURCE")]
    rows += [
        (
            term.name,
            _size(term.bytes),
            str(term.exactness),
            bar(term.bytes / largest, _BAR) if term.bytes else "",
            term.formula,
            term.source,
        )
        for term in needed.terms
    ]
    least = "" if needed.total is not None else "at least "
    rows.append(("total", f"{least}{format_memory(needed.least)}", str(needed.exactness), "", "", ""))
    tables = (rows, [row[:5] for row in rows], [(*row[:3], row[4]) for row in rows], [row[:4] for row in rows])
    print_table((*tables, [row[:3] for row in rows]), terminal)


def _print_contexts(found: Estimate, terminal: Terminal) -> None:
    cells = [[_cell(each, found.memory) for each in row] for row in found.table]
    width = max(len(cell) for row in cells for cell in row)
    heads = [f"{kind.upper():>{width - 2}}" for kind in CACHE_TYPES]
    rows = [("CONTEXT", *heads)]
    for footprints, row in zip(found.table, cells, strict=True):
        context = footprints[0].context
        mark = "*" if context == found.needed.context else " "
        rows.append((f"{mark}{context:>9,}", *(f"{cell:>{width}}" for cell in row)))
    print_table([rows], terminal)
    legend = "*: num_ctx" + ("; !: does not fit" if any("!" in cell for row in cells for cell in row) else "")
    terminal.print(f"{legend}; Q8_0 and Q4_0 are set by OLLAMA_KV_CACHE_TYPE of the server, with flash attention")


def _cell(needed: Footprint, memory: int) -> str:
    return f"{format_memory(needed.least)} {'!' if needed.least > memory else ' '}"


def _verdict(shown: ShownMemory) -> Iterator[str]:
    """Yield whether a model fits, the longest context that does, and the best quantization that does."""
    found, facts, needed = shown.estimate, shown.facts, shown.estimate.needed
    memory = f"{format_memory(found.memory)} ({shown.place})"
    if found.fits is None:
        yield f"unknown whether it fits into {memory}: it needs more than {format_memory(needed.least)}"
        return
    least = "" if needed.total is not None else "more than "
    amount = f"it needs {least}{format_memory(needed.least)} at {needed.context:,} tokens"
    yield f"{'fits' if found.fits else 'does not fit'} into {memory}: {amount}"
    if found.largest_context is not None:
        trained = ", the longest that it was trained on" if found.largest_context == facts.context_length else ""
        longest = f"{found.largest_context:,} tokens{trained}" if found.largest_context else "none"
        yield f"longest context that fits: {longest}"
    if needed.total is None or not facts.parameters:
        return
    if found.best_type is None:
        yield f"best quantization that fits at {needed.context:,} tokens: none; use a smaller model"
        return
    size, kind = format_memory(found.best_size or 0), found.best_type
    if kind.name == facts.file_type:
        detail = "this one"
    elif found.best_exactness is Exactness.EXACT:
        detail = f"{size} of weights, as llama-quantize makes it"
    else:
        detail = f"about {size} of weights, by the type's mean of {kind.bits:g} bits per weight"
    yield f"best quantization that fits at {needed.context:,} tokens: {kind.name} ({detail})"


def _size(count: int | None) -> str:
    return _UNKNOWN if count is None else format_memory(count)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"


def memory_as_json(shown: ShownMemory) -> dict[str, Any]:
    """Return the memory that a model needs; the schema is docs/schema/memory.schema.json."""
    found, facts, runner = shown.estimate, shown.facts, shown.estimate.runner
    best = found.best_type
    return {
        "name": shown.name,
        "architecture": facts.architecture,
        "parameters": facts.parameters,
        "quantization": facts.file_type,
        "context_length": facts.context_length,
        "ollama": str(runner.version),
        "slots": runner.slots_or_default(),
        "flash_attention": runner.uses_flash_attention(facts.architecture),
        "num_ctx": found.needed.context,
        "origin": shown.origin,
        "terms": [_term(term) for term in found.needed.terms],
        "total": found.needed.total,
        "exactness": str(found.needed.exactness),
        "contexts": [*_contexts(found.table)],
        "memory": found.memory,
        "place": shown.place,
        "fits": found.fits,
        "largest_context": found.largest_context,
        "best_quantization": best
        and {
            "name": best.name,
            "bits_per_weight": round(8 * (found.best_size or 0) / (facts.parameters or 1), 2),
            "size": found.best_size,
            "exactness": str(found.best_exactness),
        },
    }


def _term(term: Term) -> dict[str, Any]:
    return {
        "name": term.name,
        "bytes": term.bytes,
        "exactness": str(term.exactness),
        "formula": term.formula,
        "source": term.source,
    }


def _contexts(table: Iterable[tuple[Footprint, ...]]) -> Iterator[dict[str, Any]]:
    for row in table:
        totals = {kind: each.total for kind, each in zip(CACHE_TYPES, row, strict=True)}
        yield {"num_ctx": row[0].context, **totals}
