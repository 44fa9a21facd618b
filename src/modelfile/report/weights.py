"""Weights as text and JSON: their facts, with a bar for each type of tensors, and their tensors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from modelfile.catalog.behaviors import PREFERS_CHAT_TEMPLATES
from modelfile.catalog.chat_templates import recognize
from modelfile.catalog.families import turns_in
from modelfile.filesystem import format_size
from modelfile.report.models import Row, bar, print_facts, print_table
from modelfile.report.terminal import Terminal, visible

if TYPE_CHECKING:
    from modelfile.weights.facts import PerLayer, WeightsFacts
    from modelfile.weights.reading import ListedTensor
    from modelfile.weights.tensor_values import TensorValues

_MARGIN: Final = 17
_BAR: Final = 24
"""Width of the longest bar, in columns."""
_WIDE: Final = 80
_NOTHING: Final = "-"
_MOST_EXCESS: Final = 1.1
"""Factor by which a file may be larger than its tensors require before that is printed."""
_BESIDE: Final = 46
"""Columns that a bar leaves to what stands beside it."""


def print_weights(
    name: str, facts: WeightsFacts, terminal: Terminal, *, missing: str = "", digests: Iterable[str] = ()
) -> None:
    """Print the facts about weights.

    Args:
        name: The path or name of the weights.
        facts: The facts.
        terminal: The output.
        missing: The parts that are missing, if any.
        digests: The digests of the files, if they were asked for.
    """
    terminal.write([(visible(name), "bold")])
    rows = weights_rows(facts, terminal.table_width)
    print_facts([*rows, ("missing", [missing] if missing else []), ("sha256", [*digests])], _MARGIN, terminal)


def weights_rows(facts: WeightsFacts, width: int | None = None) -> Iterator[tuple[str, list[str]]]:
    """Yield the facts with their titles, each as lines; what the weights do not tell is left out.

    Args:
        facts: The facts.
        width: Width of the output in columns, if it is limited.
    """
    parts = [facts.format if facts.kind == "model" else f"{facts.kind}, {facts.format}"]
    yield "format", parts
    yield "architecture", [facts.architecture or "unknown"]
    for title, text in (("name", facts.name), ("parameters", facts.parameter_size)):
        yield title, [text] if text else []
    bits = f", {facts.bits_per_weight:.2f} bits per weight" if facts.bits_per_weight else ""
    kind = describe_type(facts)
    yield "quantization", [f"{kind}{bits}", *_bars(facts, min(_BAR, max((width or _WIDE) - _BESIDE, 1)))]
    yield "context", [f"{facts.context_length:,} tokens"] if facts.context_length else []
    yield "layers", _joined(_count(facts.layers), _count(facts.embedding_length, "wide"))
    kv_heads = facts.kv_heads if facts.kv_heads != facts.heads else None
    yield "heads", _joined(_per_layer(facts.heads), _per_layer(kv_heads, "for keys and values"))
    used = _count(facts.experts_used, "used for each token")
    yield "experts", _joined(_count(facts.experts), used) if facts.experts else []
    yield "vocabulary", _joined(_count(facts.vocabulary, "tokens"), facts.tokenizer)
    if facts.kind == "model" and facts.chat_template is not None:
        yield "chat template", [describe_template(facts.chat_template)]
    for title, text in (("license", facts.license), ("author", facts.author)):
        yield title, [text] if text else []
    yield "base model", [*facts.base_models]
    yield "size", [_size(facts)] if facts.size else []


def describe_type(facts: WeightsFacts) -> str:
    """Return the quantization of weights, or the type of most of them where Ollama has no name for it."""
    if facts.file_type == "unknown" and facts.types:
        return f"{next(iter(facts.types))} (Ollama shows unknown)"
    return facts.file_type


def describe_template(text: str) -> str:
    """Return what Ollama makes of the chat template of weights without a TEMPLATE."""
    if not text:
        return "none: write a TEMPLATE"
    turns = turns_in(text)
    length = f"Jinja{f' for {turns.title}' if turns else ''}, {len(text):,} characters"
    known, is_proved = recognize(text)
    if known:
        return f"{length}; Ollama recognizes {known.name}, and uses its own TEMPLATE for it"
    if is_proved:
        return f"{length}; Ollama {PREFERS_CHAT_TEMPLATES} and later use it, older releases need a TEMPLATE"
    return f"{length}; only a server can tell whether Ollama has a TEMPLATE for it"


def _size(facts: WeightsFacts) -> str:
    size, needed = facts.size or 0, facts.needed or 0
    if size < needed:
        return f"{format_size(size)}: truncated, its header requires {format_size(needed)}"
    more = f", of which the tensors need {format_size(needed)}" if needed and size > needed * _MOST_EXCESS else ""
    return f"{format_size(size)}{more}"


def _bars(facts: WeightsFacts, longest: int) -> Iterator[str]:
    """Yield a line for each type of tensors: its bytes as a bar, its share, and the number of its tensors."""
    total = sum(each.bytes for each in facts.types.values())
    if not total:
        return
    width = max(map(len, facts.types))
    for name, each in facts.types.items():
        share = each.bytes / total
        tensors = f"{each.tensors:,} tensor{'s' * (each.tensors != 1)}"
        yield f"{name:{width}} {bar(share, longest):{longest}} {share:6.1%}  {tensors}"


def _count(number: int | None, what: str = "") -> str:
    return "" if number is None else f"{number:,} {what}".rstrip()


def _per_layer(number: PerLayer, what: str = "") -> str:
    if not isinstance(number, tuple) or not number:
        return _count(None if isinstance(number, tuple) else number, what)
    lowest, highest = min(number), max(number)
    text = f"{lowest:,}" if lowest == highest else f"{lowest:,} to {highest:,} by layer"
    return f"{text} {what}".rstrip()


def _joined(*texts: str) -> list[str]:
    return [", ".join(filter(None, texts))] if any(texts) else []


def print_tensors(tensors: Sequence[ListedTensor], terminal: Terminal) -> None:
    """Print a table of tensors: name, shape, type, size."""
    heads = ("NAME", "SHAPE", "TYPE", "SIZE")
    rows = [(each.name, _shape(each.shape), each.type, format_size(each.size)) for each in tensors]
    _print_columns([heads, *rows], terminal)


def print_values(rows: Iterable[tuple[ListedTensor, TensorValues]], terminal: Terminal) -> None:
    """Print a table of tensors with their not-a-numbers, infinities and blocks of zeros."""
    heads = ("NAME", "SHAPE", "TYPE", "NAN", "INF", "DEAD BLOCKS")
    _print_columns(
        [heads, *((tensor.name, _shape(tensor.shape), tensor.type, *_counts(each)) for tensor, each in rows)], terminal
    )


def _counts(values: TensorValues) -> Row:
    if values.skipped:
        return (_NOTHING,) * 3
    return f"{values.nan:,}", f"{values.infinite:,}", f"{values.dead:,} of {values.blocks:,}"


def _print_columns(rows: Sequence[Row], terminal: Terminal) -> None:
    print_table([[tuple(map(visible, row)) for row in rows], [(visible(row[0]), *row[2:]) for row in rows]], terminal)


def _shape(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


def weights_as_json(
    name: str, facts: WeightsFacts, *, missing: str = "", digests: Iterable[str] = (), tensors: Any = None
) -> dict[str, Any]:
    """Return the facts about weights as JSON; docs/schema/weights.schema.json describes it."""
    return {
        "name": name,
        "format": facts.format,
        "kind": facts.kind,
        "architecture": facts.architecture,
        "model": facts.name,
        "parameters": facts.parameters,
        "parameter_size": facts.parameter_size,
        "quantization": facts.file_type,
        "bits_per_weight": facts.bits_per_weight,
        "context_length": facts.context_length,
        "embedding_length": facts.embedding_length,
        "layers": facts.layers,
        "heads": _listed(facts.heads),
        "kv_heads": _listed(facts.kv_heads),
        "experts": facts.experts,
        "experts_used": facts.experts_used,
        "vocabulary": facts.vocabulary,
        "tokenizer": facts.tokenizer,
        **template_as_json(facts.chat_template),
        "license": facts.license,
        "author": facts.author,
        "base_models": [*facts.base_models],
        "size": facts.size,
        "needed": facts.needed,
        "types": [
            {"type": kind, "tensors": each.tensors, "elements": each.elements, "bytes": each.bytes}
            for kind, each in facts.types.items()
        ],
        "missing": missing,
        "sha256": [*digests],
        **({} if tensors is None else {"tensors": tensors}),
    }


def template_as_json(text: str | None) -> dict[str, Any]:
    """Return a chat template with the name of the one that Ollama recognizes in it: null if none, or if undecided."""
    known, is_proved = recognize(text) if text else (None, True)
    turns = turns_in(text) if text else None
    return {
        "chat_template": text,
        "turns": turns.name if turns else None,
        "recognized": known.name if known else None,
        "undecided": not is_proved,
    }


def _listed(number: PerLayer) -> Any:
    return [*number] if isinstance(number, tuple) else number


def tensor_as_json(tensor: ListedTensor, values: TensorValues | None = None) -> dict[str, Any]:
    """Return a tensor as JSON, with the counts of its values if they were read."""
    row: dict[str, Any] = {"name": tensor.name, "shape": [*tensor.shape], "type": tensor.type, "size": tensor.size}
    if values is None:
        return row
    counts = {"nan": values.nan, "infinite": values.infinite, "dead_blocks": values.dead, "blocks": values.blocks}
    return row | {"values": None if values.skipped else counts}
