"""The memory that a model needs: weights, cache, working buffers, each with its formula and its source.

The formulas are those of the engines; where an architecture's are not known, a term has no size, never a guess. Sizes
of the cache and, for llama without flash attention, of the buffers were compared with the log of Ollama 0.9.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from math import ceil
from typing import TYPE_CHECKING, Final

from modelfile.catalog import engines
from modelfile.catalog.file_types import FILE_TYPES_BY_NAME
from modelfile.catalog.versions import NEWEST, Version
from modelfile.immutable import record, replace
from modelfile.weights.facts import content_of
from modelfile.weights.layers import Layers, count_of, head_count, hidden_size, key_length, read_layers

if TYPE_CHECKING:
    from modelfile.weights.header import GGUFHeader

CACHE_TYPES: Final = ("f16", "q8_0", "q4_0")
"""The values of $OLLAMA_KV_CACHE_TYPE."""
_BITS: Final = {"f16": 16.0, "q8_0": 8.5, "q4_0": 4.5}
"""Bits of an element of the cache, by its type (blocks of 32 elements in 34 and 18 bytes)."""
_FLOAT: Final = 4
_STEP: Final = 256
"""Tokens by which `largest_context` counts."""
_MAX_SIZES: Final = 4
"""Sizes of layers that a formula names one by one."""
_ATTENTION: Final = "llama.cpp src/llama-kv-cache.cpp"
_STATE: Final = "llama.cpp src/llama-memory-recurrent.cpp"
_OWN: Final = "kvcache/causal.go"
_NO_WORDS: Final = "the size of its vocabulary is not known"
_GRAPH: Final = "`GraphSize` in fs/ggml/ggml.go"


class Exactness(StrEnum):
    """How near a size is to the one that a server takes."""

    EXACT = "exact"
    ESTIMATED = "estimated"
    UNKNOWN = "unknown"


@record(kw_only=True)
class Term:
    """A part of the memory that a model needs."""

    name: str
    """`weights`, `projector`, `adapter`, `KV cache`, `state`, `compute`, `output` or `overhead`."""
    bytes: int | None
    """Its size; None if it is not known."""
    exactness: Exactness
    formula: str
    source: str
    """The file of Ollama or llama.cpp that the formula is from."""


@record(kw_only=True)
class Footprint:
    """The memory that a model needs at a length of the context."""

    context: int
    """Tokens of the context of one slot."""
    terms: tuple[Term, ...]

    @property
    def total(self) -> int | None:
        """The sum, in bytes; None if a term is not known."""
        return None if self.exactness is Exactness.UNKNOWN else self.least

    @property
    def least(self) -> int:
        """The sum of the terms that are known, in bytes."""
        return sum(term.bytes or 0 for term in self.terms)

    @property
    def exactness(self) -> Exactness:
        """The exactness of the least exact term."""
        return max((term.exactness for term in self.terms), key=[*Exactness].index)


@record(kw_only=True)
class Runner:
    """How a server runs a model."""

    version: Version = NEWEST
    slots: int | None = None
    """Requests at a time ($OLLAMA_NUM_PARALLEL), each with a context of its own; None: the version's default."""
    cache_type: str = "f16"
    """One of CACHE_TYPES; all but f16 need flash attention."""
    flash_attention: bool | None = None
    """$OLLAMA_FLASH_ATTENTION; None: the version's default."""
    reserve: int = engines.GPU
    """Memory for the driver of a GPU, in bytes."""

    def slots_or_default(self) -> int:
        """Return the number of slots."""
        return self.slots or engines.default_slots(self.version)

    def uses_flash_attention(self, architecture: str) -> bool:
        """Return whether it uses flash attention for an architecture."""
        if self.cache_type != "f16":
            return True
        return (
            engines.uses_flash_attention(architecture, self.version)
            if self.flash_attention is None
            else self.flash_attention
        )


DEFAULT_RUNNER: Final = Runner()
"""The newest version of Ollama with its defaults, on a GPU."""


def footprint(
    header: GGUFHeader, context: int, runner: Runner = DEFAULT_RUNNER, beside: Sequence[GGUFHeader] = ()
) -> Footprint:
    """Return the memory that a model needs.

    Args:
        header: The header of its weights.
        context: Tokens of the context; Ollama lowers more than the model was trained on to that.
        runner: The server's version and settings.
        beside: The headers of projectors and adapters that are loaded with it.
    """
    trained = count_of(header, "context_length")
    context = min(context, trained) if trained else context
    layers = read_layers(header, runner.version, pads_values=not runner.uses_flash_attention(header.architecture))
    terms = (
        _weights(header),
        *(replace(_weights(each), name=content_of(each)) for each in beside),
        *_cache_terms(header, context, runner, layers),
        _compute(header, context, runner),
        _output(header, runner),
        Term(
            name="overhead",
            bytes=runner.reserve,
            exactness=Exactness.ESTIMATED if runner.reserve else Exactness.EXACT,
            formula="what Ollama leaves to the driver of one GPU" if runner.reserve else "none on the CPU",
            source="discover/gpu.go",
        ),
    )
    return Footprint(context=context, terms=terms)


def largest_context(
    header: GGUFHeader, memory: int, runner: Runner = DEFAULT_RUNNER, beside: Sequence[GGUFHeader] = ()
) -> int | None:
    """Return the longest context with which a model fits into `memory` bytes.

    It is a multiple of 256 tokens, or the length that the model was trained on; 0 if it does not fit with 256 tokens.
    None if the memory that it needs, or the length that it was trained on, is not known.
    """
    trained = count_of(header, "context_length")
    if not trained or footprint(header, trained, runner, beside).total is None:
        return None
    if fits(header, trained, memory, runner, beside):
        return trained
    low, high = 0, ceil(trained / _STEP)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(header, middle * _STEP, memory, runner, beside) else (low, middle)
    return low * _STEP


def fits(
    header: GGUFHeader,
    context: int,
    memory: int,
    runner: Runner = DEFAULT_RUNNER,
    beside: Sequence[GGUFHeader] = (),
) -> bool | None:
    """Return whether a model fits into `memory` bytes; None if that is not known."""
    needed = footprint(header, context, runner, beside)
    if needed.total is None:
        return False if needed.least > memory else None
    return needed.total <= memory


def vocabulary(header: GGUFHeader) -> int:
    """Return the number of tokens that a model knows; 0 if its header does not say it."""
    tokens = header.arrays.get("tokenizer.ggml.tokens")
    return tokens.length if tokens else count_of(header, "vocab_size")


def _weights(header: GGUFHeader) -> Term:
    totals = header.types.values()
    size = sum(total.bytes for total in totals)
    if size and all(total.bytes or not total.elements for total in totals):
        return Term(
            name="weights",
            bytes=size,
            exactness=Exactness.EXACT,
            formula=f"sum of {sum(total.tensors for total in totals):,} tensors",
            source="the file's header",
        )
    if header.size:
        return Term(
            name="weights",
            bytes=header.size,
            exactness=Exactness.ESTIMATED,
            formula="size of the file",
            source="the file",
        )
    if (kind := FILE_TYPES_BY_NAME.get(header.file_type)) and header.parameters > 0:
        return Term(
            name="weights",
            bytes=int(header.parameters * kind.bits / 8),
            exactness=Exactness.ESTIMATED,
            formula=f"{header.parameters:,} parameters x {kind.bits:g} bits",
            source="llama.cpp tools/quantize/README.md",
        )
    return Term(name="weights", bytes=None, exactness=Exactness.UNKNOWN, formula="not known", source="")


def _cache_terms(header: GGUFHeader, context: int, runner: Runner, layers: Layers | None) -> tuple[Term, ...]:
    if layers is None:
        return (
            Term(
                name="KV cache",
                bytes=None,
                exactness=Exactness.UNKNOWN,
                formula=_not_known(header, runner),
                source="",
            ),
        )
    own = engines.runs_in_own_engine(header.architecture, runner.version)
    slots = runner.slots_or_default()
    whole, sliding = _cells(header, context, runner, layers.window)
    bits = _BITS[runner.cache_type]
    groups = [(elements, cells) for elements, cells in ((layers.whole, whole), (layers.sliding, sliding)) if elements]
    parts = [f"{_describe(elements)} x {cells:,} cells" for elements, cells in groups]
    # A window's cache has room for a batch, whose size is by the free memory since 0.30, and for some tokens by slot.
    certain = not layers.sliding or sliding == whole or (slots == 1 and runner.version < engines.LLAMA_SERVER)
    cache = Term(
        name="KV cache",
        bytes=sum(int(count * cells * bits) for elements, cells in groups for count in elements) // 8,
        exactness=Exactness.EXACT if certain else Exactness.ESTIMATED,
        formula=f"{_sum(parts)} x {bits / 8:g} bytes ({runner.cache_type})" if parts else "no layer has one",
        source=_OWN if own else _ATTENTION,
    )
    if not layers.states:
        return (cache,)
    state = Term(
        name="state",
        bytes=sum(layers.states) * slots * _FLOAT,
        exactness=Exactness.EXACT,
        formula=f"{_describe(layers.states)} x {slots} slot{'s' * (slots > 1)} x {_FLOAT} bytes",
        source=_STATE,
    )
    return (cache, state) if parts else (state,)


def _not_known(header: GGUFHeader, runner: Runner) -> str:
    if not header.architecture:
        return "the architecture is not known"
    if engines.cache_layout(header.architecture, runner.version) is None:
        return f"not known for the architecture `{header.architecture}` in Ollama {runner.version}"
    return "the sizes of its layers are not known"


def _cells(header: GGUFHeader, context: int, runner: Runner, window: int) -> tuple[int, int]:
    """Return the tokens that the cache of a layer has room for: the whole context, or a window."""
    version, slots, architecture = runner.version, runner.slots_or_default(), header.architecture
    batch = engines.batch_size(context, version)
    step = 256 if version >= engines.PADS_BY_256 or runner.uses_flash_attention(architecture) else 32
    if engines.runs_in_own_engine(architecture, version):
        kept = max(window, engines.MAX_WINDOW_MEMORY) if architecture != "gemma3" else window
        whole = _pad(context * slots, step)
        return whole, whole if kept >= context else _pad(kept * slots + batch, step)
    if version < engines.SLIDES_WINDOWS:
        return _pad(context * slots, step), _pad(context * slots, step)
    whole = _pad(context, step)
    return whole * slots, min(whole, _pad(window + batch, step)) * slots


def _pad(cells: int, step: int) -> int:
    return ceil(cells / step) * step


def _describe(sizes: list[int]) -> str:
    """Return how many layers there are of each size, as in `13 layers x 1,024`."""
    counts: dict[int, int] = {}
    for size in sizes:
        counts[size] = counts.get(size, 0) + 1
    if len(counts) > _MAX_SIZES:
        return f"{sum(sizes):,} elements of {len(sizes):,} layers"
    return _sum([f"{count:,} layer{'s' * (count > 1)} x {size:,}" for size, count in counts.items()])


def _sum(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"({' + '.join(parts)})"


def _compute(header: GGUFHeader, context: int, runner: Runner) -> Term:
    """Return the buffer for intermediate results of a batch."""
    batch, fast = engines.batch_size(context, runner.version), runner.uses_flash_attention(header.architecture)
    cells = _pad(context * runner.slots_or_default(), _STEP)
    results, formula = _results(header, cells, fast=fast, has_outputs=runner.version < engines.LIMITS_OUTPUTS)
    if engines.cache_layout(header.architecture, runner.version) is None or not results:
        formula, size, exactness = _not_known(header, runner), None, Exactness.UNKNOWN
    else:
        formula, size = f"{_FLOAT} bytes x {batch} tokens x ({formula})", _FLOAT * batch * results
        was_measured = header.architecture == "llama" and runner.version < engines.SLIDES_WINDOWS and not fast
        exactness = Exactness.EXACT if was_measured else Exactness.ESTIMATED
    return Term(name="compute", bytes=size, exactness=exactness, formula=formula, source=_GRAPH if size else "")


def _results(header: GGUFHeader, cells: int, *, fast: bool, has_outputs: bool) -> tuple[int, str]:
    """Return the numbers that must be kept for one token, and their formula; 0 if they are not known.

    They are the largest of those of attention (or of a state), of the feed-forward network, and of the output.
    """
    width, inner, hidden = count_of(header, "embedding_length"), count_of(header, "ssm.inner_size"), hidden_size(header)
    heads, words = head_count(header), vocabulary(header)
    found = [(6 * inner, f"6 x {inner:,}")]  # measured on mamba
    if queries := heads * key_length(header):
        masks = 2 if engines.has_windows(header.architecture, count_of(header, "attention.sliding_window")) else 1
        count = masks * 1.5 if fast else masks + heads
        formula = f"1 + 2 x ({width:,} + {queries:,}) + {cells:,} cells x {count:g}"
        found = [(1 + 2 * (width + queries) + int(cells * count), formula)]
    if not width or not found[0][0]:
        return 0, ""
    if fast:  # without it, attention needs more; logged as 132 and 568 MiB for Qwen3.8 27B by llama.cpp of August 2026
        found.append((4 * width + 3 * hidden, f"4 x {width:,} + 3 x {hidden:,}"))
    if has_outputs:
        found.append((width + words, f"{width:,} + {words:,} tokens"))
    return max(found, key=lambda each: each[0])


def _output(header: GGUFHeader, runner: Runner) -> Term:
    words, slots = vocabulary(header), runner.slots_or_default()
    return Term(
        name="output",
        bytes=_FLOAT * words * slots if words else None,
        exactness=Exactness.EXACT if words else Exactness.UNKNOWN,
        formula=f"{_FLOAT} bytes x {words:,} tokens x {slots} slot{'s' * (slots > 1)}" if words else _NO_WORDS,
        source="llama.cpp src/llama-context.cpp" if words else "",
    )
