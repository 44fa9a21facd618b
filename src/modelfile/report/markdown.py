"""Markdown for pull requests: values are code, so that none is markup, and long texts are folded."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, groupby
from typing import Final

from modelfile.differ.comparison import TEXTS, Change, ComparedSide, Comparison, impact_of
from modelfile.names import shorten_digest
from modelfile.redaction import redact
from modelfile.report.differences import cells_of, heading_of, shows_text, text_lines
from modelfile.report.terminal import visible

_WORDS: Final = re.compile(r"(?!.*(?:://|www\.|\bgh-))[\w ,.:;/()'…-]*", re.IGNORECASE)
"""Texts that are no markup and no link, mention nobody and close no issue; a registry may send any other."""
_LARGEST_TEXT: Final = 15_000
"""Length of the differences of one text, in characters."""
_LARGEST: Final = 60_000
"""Length of a comment in characters; that of a pull request may have 65,536 on GitHub."""


def comparisons_as_markdown(comparisons: Sequence[Comparison]) -> str:
    """Return comparisons as a comment on a pull request."""
    parts = (part for each in comparisons for part in _parts(each))
    return "\n\n".join(fitting(parts, "mf diff")) + "\n"


def _parts(comparison: Comparison) -> Iterator[str]:
    """Yield the paragraphs of a comparison; none of a file without changes."""
    old, new = comparison.old, comparison.new
    if comparison.path and comparison.changes:
        state = " (new)" if not old.name else " (deleted)" if not new.name else ""
        yield f"### {code(comparison.path)}{state}"
    elif not comparison.path:
        rows = (f"| {word} | {code(side.name)} | {_fingerprint(side)} |" for word, side in (("old", old), ("new", new)))
        yield "\n".join(("| | model | fingerprint |", "| --- | --- | --- |", *rows))
        yield from ["Same model."] if comparison.same else []
    if comparison.undecided:
        yield f"Not compared: {', '.join(map(plain, comparison.undecided))}."
    if comparison.note:
        yield code(redact(comparison.note))
    yield from changes_as_markdown(comparison.changes)


def _fingerprint(side: ComparedSide) -> str:
    return code(shorten_digest(side.fingerprint)) if side.fingerprint else "unknown"


def changes_as_markdown(changes: Iterable[Change]) -> Iterator[str]:
    """Yield the paragraphs of changes by category: a table of values, and each text folded."""
    for category, group in groupby(changes, key=lambda change: change.category):
        members = [*group]
        yield f"**{category}** ({impact_of(members).phrase})"
        if values := [cells_of(change) for change in members if change.aspect not in TEXTS]:
            rows = (f"| {plain(row.name)} | {code(row.old)} | {code(row.new)} | {plain(row.note)} |" for row in values)
            yield "\n".join(("| part | old | new | note |", "| --- | --- | --- | --- |", *rows))
        for change in members:
            if change.aspect in TEXTS:
                yield from _text(change)


def _text(change: Change) -> Iterator[str]:
    heading = heading_of(change)
    if not shows_text(change):
        yield f"- {plain(heading)}"
        return
    lines = ["".join(text for text, _ in line) for line in text_lines(change)]
    ends = accumulate(len(line) + 1 for line in lines)
    shown_lines = [line for line, end in zip(lines, ends, strict=True) if end <= _LARGEST_TEXT]
    diff = "\n".join((*shown_lines, *(["and more lines"] if len(shown_lines) < len(lines) else [])))
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", diff)), default=0))
    shown = heading if _WORDS.fullmatch(heading) else change.title
    yield f"<details><summary>{shown}</summary>\n\n{fence}diff\n{diff}\n{fence}\n\n</details>"


def fitting(parts: Iterable[str], command: str) -> Iterator[str]:
    """Yield the parts for which a comment has room, and how many others the command prints."""
    size = omitted = 0
    for part in parts:
        if size + len(part) + 2 > _LARGEST:
            omitted += 1
            continue
        size += len(part) + 2
        yield part
    if omitted:
        which = f"{omitted} more part{'s' * (omitted != 1)}"
        yield f"{which} would be too long for a pull request: see `{command}`."


def plain(text: str) -> str:
    """Return a text of which nothing is markup: as it is, or else as code."""
    return text if _WORDS.fullmatch(text) else code(text)


def code(text: str) -> str:
    """Return a text as a span of code, which no character in it ends."""
    shown = visible(text).replace("|", "\\|")
    mark = "`" * (1 + max(map(len, re.findall("`+", shown)), default=0))
    space = " " if shown[:1] == "`" or shown[-1:] == "`" else ""
    return f"{mark}{space}{shown}{space}{mark}"
