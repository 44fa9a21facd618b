"""Differences of Modelfiles that are no part of the model: comments, order, and the notation of instructions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from modelfile.differ.comparison import Aspect, Change
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Comment, Instruction, Parameter


def compare_cosmetics(old: Modelfile, new: Modelfile) -> tuple[Change, ...]:
    r"""Return the differences that leave a model as it is.

    >>> from modelfile.syntax.modelfile import parse
    >>> old, new = parse("# a\nFROM x\nSYSTEM b\n"), parse("system \"b\"\nFROM x\n")
    >>> [(change.title, change.old, change.new) for change in compare_cosmetics(old, new)]
    [('comments', 'a', None), ('order', ('FROM', 'SYSTEM'), ('SYSTEM', 'FROM')), ('notation', 'SYSTEM b', 'system "b"')]
    """
    comments = ("\n".join(node.text for node in side.of_type(Comment)) or None for side in (old, new))
    return tuple(
        Change(aspect=aspect, old=before, new=after)
        for aspect, (before, after) in (
            (Aspect.COMMENTS, comments),
            (Aspect.ORDER, _sequences(old, new)),
            (Aspect.NOTATION, _written(old, new)),
        )
        if before != after
    )


def _named(modelfile: Modelfile) -> Iterator[tuple[str, Instruction]]:
    """Yield the instructions, each with its word and the name of its parameter."""
    for node in modelfile.of_type(Instruction):
        parts = [node.keyword.text.upper(), *([node.name.text] if isinstance(node, Parameter) else [])]
        yield " ".join(parts), node


def _sequences(old: Modelfile, new: Modelfile) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names that both have in the order of each, from the first to the last that is elsewhere."""
    names, new_names = (dict.fromkeys(name for name, _ in _named(side)) for side in (old, new))
    order, new_order = [name for name in names if name in new_names], [name for name in new_names if name in names]
    differing = [at for at, (one, other) in enumerate(zip(order, new_order, strict=True)) if one != other]
    part = slice(differing[0], differing[-1] + 1) if differing else slice(0)
    return tuple(order[part]), tuple(new_order[part])


def _written(old: Modelfile, new: Modelfile) -> tuple[str | None, str | None]:
    """Return the instructions of the same value that are written otherwise, as they are written."""
    written: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name, node in _named(new):
        written[name, node.value.text].append(new.text[node.span.start : node.span.end])
    lines: list[tuple[str, str]] = []
    for name, node in reversed([*_named(old)]):
        if others := written[name, node.value.text]:
            lines.append((old.text[node.span.start : node.span.end], others.pop()))
    both = [pair for pair in reversed(lines) if pair[0] != pair[1]]
    before, after = ("\n".join(pair[side] for pair in both) or None for side in (0, 1))
    return before, after
