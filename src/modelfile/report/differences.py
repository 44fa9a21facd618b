"""Changes of models as lines for people: by category, values in a table, texts as hunks; secrets are redacted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final, NamedTuple, TypeAlias

from modelfile.catalog.licenses import license_names
from modelfile.differ.comparison import TEXTS, Aspect, Category, Change, NoEffect, impact_of, show_value
from modelfile.names import shorten_digest
from modelfile.recipe.recipe import Message
from modelfile.redaction import redact
from modelfile.report.terminal import Piece, Terminal, visible
from modelfile.report.text_diffs import Row, show_text_diff

Line: TypeAlias = list[Piece]


class Cells(NamedTuple):
    """A change of a value."""

    name: str
    old: str
    new: str
    note: str


_STYLES: Final = {"+": "green", "-": "red", "=": "", " ": ""}
_MARKED: Final = {"+": ("{+", "+}"), "-": ("[-", "-]")}
"""Marks around words that differ, as in `git diff --word-diff`."""
_NONE: Final = "(none)"
_DIGEST: Final = re.compile(r"\b(?:sha256|mf1):[0-9a-f]{64}\b")


def print_changes(changes: Iterable[Change], terminal: Terminal, *, err: bool = False, indent: str = "") -> None:
    """Print changes by category: values as a table, texts by line and word; secrets are redacted."""
    terminal.write_lines(([(indent, ""), *line] for line in lines_of(changes)), err=err)


def lines_of(changes: Iterable[Change]) -> Iterator[Line]:
    """Yield the lines of changes, which are in the order of their categories."""
    for category, group in groupby(changes, key=lambda change: change.category):
        members = [*group]
        yield [(str(category), "bold"), (f" ({impact_of(members).phrase})", "dim")]
        yield from _table([cells_of(change) for change in members if change.aspect not in TEXTS])
        for change in members:
            if change.aspect in TEXTS:
                yield [("  ", ""), (heading_of(change), "bold")]
                if shows_text(change):
                    yield from ([("    ", ""), *line] for line in text_lines(change))


def _table(rows: Sequence[Cells]) -> Iterator[Line]:
    names, values = (max((len(text(row)) for row in rows), default=0) for text in (_name, _arrow))
    for row in rows:
        gap = " " * (values - len(_arrow(row)) + 2)
        line = [(f"  {row.name:<{names}}  ", ""), (row.old, "red"), (" -> ", "dim"), (row.new, "green")]
        yield [*line, *([(f"{gap}{row.note}", "dim")] if row.note else [])]


def _name(row: Cells) -> str:
    return row.name


def _arrow(row: Cells) -> str:
    return f"{row.old} -> {row.new}"


def cells_of(change: Change) -> Cells:
    """Return a change of a value as cells of a table; escaped, secrets redacted."""
    old, new = (_NONE if side is None else visible(redact(_DIGEST.sub(_shorten, side))) for side in change.shown)
    name = change.name or str(change.aspect)
    if change.category is Category.LOCK and change.aspect not in (Aspect.PIN, Aspect.PINNED_FILE):
        name = f"{change.name}: {change.aspect.removeprefix('pinned-')}"
    return Cells(visible(name), old, new, note_on(change))


def _shorten(digest: re.Match[str]) -> str:
    return shorten_digest(digest[0])


def note_on(change: Change) -> str:
    """Return what else there is to know of a change: its default or effect, what was gained and lost; may be empty."""
    match change.no_effect:
        case NoEffect.SAME_NODES:
            return "renders the same"
        case NoEffect.UNUSED:
            return "not used beside RENDERER"
        case NoEffect.DEFAULT:
            return f"default {show_value(change.default)}: no effect on Ollama {change.ollama}"
        case None if change.default not in (None, ()):
            return f"default {show_value(change.default)}"
        case _:
            pass
    if change.aspect is not Aspect.CAPABILITIES:
        return ""
    old, new = (side if isinstance(side, tuple) else () for side in (change.old, change.new))
    parts = (("lost", [each for each in old if each not in new]), ("gained", [each for each in new if each not in old]))
    return "; ".join(f"{word} {', '.join(names)}" for word, names in parts if names)


def heading_of(change: Change) -> str:
    """Return the heading of a change of a text; escaped."""
    name, (old_position, _) = change.title, change.positions
    for side in (change.old, change.new):
        if isinstance(side, Message):
            name = f"{change.title} ({visible(side.role)})"
    if change.is_moved and old_position is not None:
        return f"{name}, moved from {old_position + 1}"
    if change.old is None or change.new is None:
        name = f"{name}, {'added' if change.old is None else 'removed'}"
    note = _licenses(change) if change.aspect is Aspect.LICENSE else note_on(change)
    return f"{name}: {note}" if note else name


def _licenses(change: Change) -> str:
    """Return what is known of the licenses of a change by their names; empty if it does not say what has changed."""
    old, new = (license_names(text or "") for text in change.texts)
    removed, added = ([name for name in one if name not in other] for one, other in ((old, new), (new, old)))
    if change.old is None or change.new is None:
        return " and ".join(old or new)
    if removed and added:
        return f"{' and '.join(removed)} replaced by {' and '.join(added)}"
    return "; ".join(
        f"{' and '.join(names)} {word}" for names, word in ((removed, "removed"), (added, "added")) if names
    )


def shows_text(change: Change) -> bool:
    """Return whether the lines of a text say more than its heading."""
    if change.aspect is Aspect.LICENSE and _licenses(change):
        return any(text and not license_names(text) for text in change.texts)
    return not change.is_moved


def text_lines(change: Change) -> Iterator[Line]:
    """Yield the hunks of a change of a text as lines."""
    shown = show_text_diff(*change.texts, is_template=change.aspect is Aspect.TEMPLATE)
    for hunk in shown.hunks:
        yield [(hunk.heading, "cyan")]
        yield from map(_line, hunk.rows)
    yield from ([(note, "dim")] for note in shown.notes)


def _line(row: Row) -> Line:
    if row.mark != "!":
        return [(row.mark + "".join(text for _, text in row.pieces), _STYLES[row.mark])]
    return [("!", "yellow"), *((_marked(mark, text), _STYLES[mark]) for mark, text in row.pieces)]


def _marked(mark: str, text: str) -> str:
    before, after = _MARKED.get(mark, ("", ""))
    return f"{before}{text}{after}"
