"""Differences of texts as rows for people: hunks of lines, in which words are marked; escaped, secrets redacted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from modelfile.differ.texts import Hunk, LineBlock, Mark, Piece, compare_texts, find_hunks
from modelfile.immutable import replace
from modelfile.redaction import redact
from modelfile.report.terminal import visible

_MOST_LINES: Final = 5_000
"""Number of lines of a text that are shown; nobody reads more, and to look for secrets in them takes long."""
_LONGEST_LINE: Final = 2_000
"""Number of characters of a line that are shown."""
_KEPT: Final = 60
"""Number of characters shown on each side of what changes within a line."""
_MARGIN: Final = 100
"""Number of lines around a hunk in which a secret of several lines, a private key, may begin or end."""
_KEY: Final = "-----BEGIN"
_LONGEST_REDACTED: Final = 10_000
"""Number of characters of a line in which secrets are looked for, if no words in it are compared."""
_NEAR: Final = 500
"""Number of characters next to a change in which secrets are looked for, if words are compared."""
NEWLINE: Final = "↵"
"""The sign of a newline that was removed or added."""
_END: Final = Piece("=", "\n")
_CHANGED: Final[tuple[Mark, Mark]] = ("-", "+")


class Row(NamedTuple):
    """A line of a hunk."""

    mark: str
    """` ` if it stays, `-` and `+` as in other diffs, `!` if words in it differ."""
    pieces: tuple[Piece, ...]


class ShownHunk(NamedTuple):
    """A hunk as it is shown."""

    heading: str
    starts: tuple[int, int]
    """The numbers of the first line in both texts, from 1."""
    rows: tuple[Row, ...]


class ShownDiff(NamedTuple):
    """The differences of two texts as they are shown."""

    hunks: tuple[ShownHunk, ...]
    notes: tuple[str, ...]
    """Reasons for which some of it is not shown."""


def show_text_diff(old: str | None, new: str | None, *, is_template: bool = False, keep: str = "") -> ShownDiff:
    """Return the differences of two texts, of which None has no line; characters to `keep` are not escaped."""
    diff = compare_texts(old, new, is_template=is_template)
    hunks, omitted = _first_lines(diff.blocks)
    sides = (
        _redacted(old or "", [(hunk.old_start, hunk.size[0]) for hunk in hunks]),
        _redacted(new or "", [(hunk.new_start, hunk.size[1]) for hunk in hunks]),
    )
    shown = tuple(
        ShownHunk(hunk.heading, (hunk.old_start + 1, hunk.new_start + 1), tuple(_rows(hunk, *sides, keep)))
        for hunk in hunks
    )
    notes = ["compared by line: the texts are too long to compare by word"] if diff.is_by_line else []
    notes += [f"{omitted:,} more lines differ: `--json` prints both texts"] if omitted else []
    return ShownDiff(shown, tuple(notes))


def _first_lines(blocks: Iterable[LineBlock]) -> tuple[list[Hunk], int]:
    """Return the hunks that are shown, and the number of lines that differ in others."""
    hunks, left, omitted = list[Hunk](), _MOST_LINES, 0
    for hunk in find_hunks(blocks):
        shown = list[LineBlock]()
        for block in hunk.blocks:
            length = max(len(block.old), len(block.new))
            cut = block if length <= left else LineBlock(old=block.old[:left], new=block.new[:left])
            omitted += len(block.old) + len(block.new) - len(cut.old) - len(cut.new) if not block.is_same else 0
            shown += [cut] if cut.old or cut.new else []
            left -= min(left, length)
        if shown:
            hunks.append(replace(hunk, blocks=tuple(shown)))
    return hunks, omitted


def _redacted(text: str, ranges: Iterable[tuple[int, int]]) -> dict[int, str]:
    """Return the lines in ranges of a text that have a secret, redacted, by position."""
    margin = _MARGIN if _KEY in text else 0
    merged: list[tuple[int, int]] = []
    for start, length in ranges:
        first = max(0, start - margin)
        if merged and merged[-1][1] >= first:
            first = merged.pop()[0]
        merged.append((first, start + length + margin))
    lines = text.split("\n") if merged else []
    numbers = [number for first, last in merged for number in range(first, min(last, len(lines)))]
    part = [lines[number][:_LONGEST_REDACTED] for number in numbers]
    safe = redact("\n".join(part)).split("\n") if part else []  # of all at once: each call takes a while
    return {number: new for number, old, new in zip(numbers, part, safe, strict=True) if old != new}


def _rows(hunk: Hunk, redacted: Mapping[int, str], new_redacted: Mapping[int, str], keep: str) -> Iterator[Row]:
    at, new_at = hunk.old_start, hunk.new_start
    for block in hunk.blocks:
        end, new_end = at + len(block.old), new_at + len(block.new)
        has_secret = any(number in redacted for number in range(at, end))
        has_secret = has_secret or any(number in new_redacted for number in range(new_at, new_end))
        if block.pieces and not has_secret and not any(_hides_secret(block, side) for side in _CHANGED):
            yield from _word_rows(block.pieces, keep)
        else:
            mark: Mark = "=" if block.is_same else "-"
            for number, line in enumerate(block.old, at):
                yield Row(" " if block.is_same else "-", (Piece(mark, _shown(redacted.get(number, line), keep)),))
            for number, line in enumerate(() if block.is_same else block.new, new_at):
                yield Row("+", (Piece("+", _shown(new_redacted.get(number, line), keep)),))
        at, new_at = end, new_end


def _shown(line: str, keep: str) -> str:
    more = len(line) - _LONGEST_LINE
    return visible(line, keep=keep) if more <= 0 else f"{visible(line[:_LONGEST_LINE], keep=keep)}… ({more:,} more)"


def _word_rows(pieces: Sequence[Piece], keep: str) -> Iterator[Row]:
    """Yield the rows of a block in which words differ; a newline that was removed or added is a sign."""
    row: list[Piece] = []
    for mark, text in (*pieces, _END):
        first, *others = text.split("\n")
        row += [Piece(mark, first)] if first else []
        for part in others:
            yield _word_row(row, mark, keep)
            row = [Piece(mark, part)] if part else []


def _word_row(row: Sequence[Piece], newline: Mark, keep: str) -> Row:
    marks = {newline, *(piece.mark for piece in row)}
    if len(marks) == 1:
        return Row(" " if newline == "=" else newline, tuple(Piece(mark, _shown(text, keep)) for mark, text in row))
    sign = [Piece(newline, NEWLINE)] if newline != "=" else []
    shown = (_shorten(piece, keep, starts=not at, ends=at == len(row) - 1) for at, piece in enumerate(row))
    return Row("!", (*shown, *sign))


def _shorten(piece: Piece, keep: str, *, starts: bool, ends: bool) -> Piece:
    """Return a piece of which only the ends are shown that are next to a change."""
    mark, text = piece
    if mark != "=":
        return Piece(mark, _shown(text, keep))
    start, end = ("" if starts else text[:_KEPT]), ("" if ends else text[-_KEPT:])
    is_long = len(text) > len(start) + len(end) + _KEPT
    return Piece(mark, visible(f"{start} … {end}" if is_long else text, keep=keep))


def _hides_secret(block: LineBlock, side: Mark) -> bool:
    """Return whether the parts of long lines that are shown may be those of a secret."""
    if max(map(len, (*block.old, *block.new))) <= _LONGEST_REDACTED:
        return False
    near = (
        text if mark != "=" or len(text) <= _NEAR else f"{text[:_NEAR]}\n{text[-_NEAR:]}"
        for mark, text in block.pieces
        if mark in ("=", side)
    )
    return redact(shown := "".join(near)) != shown
