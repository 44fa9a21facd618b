"""Differences of texts: line by line, and within lines word by word."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

from modelfile.differ.sequences import find_matches
from modelfile.immutable import record, replace

Mark: TypeAlias = Literal["=", "-", "+"]
"""The kind of a piece: in both texts, in the old one, in the new one."""
_MARKS: Final[tuple[Mark, Mark, Mark]] = ("-", "+", "=")

_MOST_WORDS: Final = 1_000
"""Number of words in both sides of a block that are compared."""
_MOST_OF_TEXT: Final = 500_000
"""Number of characters of a text that are compared word by word."""
_LONGEST_BLOCK: Final = 20_000
"""Length of both sides of a block, without what they start and end with alike, that is split into words."""
_LEAST_SHARED: Final = 0.4
"""Share of the longer side that must stay for two blocks to be versions of one text."""
_WORD: Final = re.compile(r"\w+|\s+|[^\w\s]")
_ACTION_OR_WORD: Final = re.compile(rf"\{{\{{[^{{}}]*+\}}\}}|{_WORD.pattern}")


class Piece(NamedTuple):
    """A part of a block of lines."""

    mark: Mark
    text: str


@record(kw_only=True)
class LineBlock:
    """Lines that stay, or lines that others replace."""

    old: tuple[str, ...]
    new: tuple[str, ...]
    pieces: tuple[Piece, ...] = ()
    """The words that stay and those that differ; empty if the lines are the same, or have little in common.

    The lines of a side are joined by newlines.
    """

    @property
    def is_same(self) -> bool:
        """True if the lines stay."""
        return self.old == self.new


@record(kw_only=True)
class Hunk:
    """Blocks that are near each other, with a few of the lines around them that stay."""

    old_start: int
    """The position of the first line in the old text, from 0."""
    new_start: int
    blocks: tuple[LineBlock, ...]

    @property
    def size(self) -> tuple[int, int]:
        """The number of lines in both texts."""
        return sum(len(block.old) for block in self.blocks), sum(len(block.new) for block in self.blocks)

    @property
    def heading(self) -> str:
        """Its lines in both texts, as unified diffs have them."""
        sizes = self.size
        return f"@@ -{_range(self.old_start, sizes[0])} +{_range(self.new_start, sizes[1])} @@"


def _range(start: int, length: int) -> str:
    """Return a range of lines as unified diffs have it; one without lines stands after a line."""
    return f"{start + 1}" if length == 1 else f"{start + (length > 0)},{length}"


@record(kw_only=True)
class TextDiff:
    """The differences of two texts: blocks that stay in turn with blocks that are replaced."""

    blocks: tuple[LineBlock, ...]
    is_by_line: bool = False
    """True if words are not compared everywhere, because the texts are too long."""


def compare_lines(old: Sequence[str], new: Sequence[str]) -> Iterator[LineBlock]:
    """Yield the blocks of two texts, given as lines, without words."""
    end = new_end = 0
    for match in find_matches(old, new):
        if match.old > end or match.new > new_end:
            yield LineBlock(old=tuple(old[end : match.old]), new=tuple(new[new_end : match.new]))
        end, new_end = match.old + match.length, match.new + match.length
        if match.length:
            yield LineBlock(old=(same := tuple(old[match.old : end])), new=same)


def compare_texts(old: str | None, new: str | None, *, is_template: bool = False) -> TextDiff:
    """Return the differences of two texts, of which None has no line; the actions of templates count as words.

    >>> [[*block.pieces] for block in compare_texts("Be very brief.", "Be brief.").blocks]
    [[Piece(mark='=', text='Be '), Piece(mark='-', text='very '), Piece(mark='=', text='brief.')]]
    """
    blocks, left, is_by_line = list[LineBlock](), _MOST_OF_TEXT, False
    for block in compare_lines(*([] if text is None else text.split("\n") for text in (old, new))):
        pieces: tuple[Piece, ...] | None = ()
        if block.old and block.new and not block.is_same:
            sides = "\n".join(block.old), "\n".join(block.new)
            pieces = _compare_words(*sides, left, is_template=is_template)
            left -= sum(map(len, sides))
        is_by_line = is_by_line or pieces is None
        blocks.append(replace(block, pieces=pieces) if pieces else block)
    return TextDiff(blocks=tuple(blocks), is_by_line=is_by_line)


def find_hunks(blocks: Iterable[LineBlock], context: int = 3) -> Iterator[Hunk]:
    """Yield the hunks of a text: what differs, and as many lines around it."""
    shown, start, at, new_at = list[LineBlock](), (0, 0), 0, 0
    for block in blocks:
        at, new_at = at + len(block.old), new_at + len(block.new)
        if not block.is_same:
            shown.append(block)
            continue
        lines = block.old
        if any(not each.is_same for each in shown):
            if len(lines) <= 2 * context:
                shown.append(block)
                continue
            after = lines[:context]
            yield Hunk(old_start=start[0], new_start=start[1], blocks=(*shown, LineBlock(old=after, new=after)))
        before = lines[len(lines) - context :] if len(lines) > context else lines
        shown, start = [LineBlock(old=before, new=before)], (at - len(before), new_at - len(before))
    if any(not each.is_same for each in shown):
        if shown[-1].is_same:
            after = shown[-1].old[:context]
            shown[-1] = LineBlock(old=after, new=after)
        yield Hunk(old_start=start[0], new_start=start[1], blocks=tuple(shown))


def _compare_words(old: str, new: str, left: int, *, is_template: bool) -> tuple[Piece, ...] | None:
    """Return the pieces of two texts; none if they have little in common, None if they are too long to know.

    Args:
        old: The old text.
        new: The new text.
        left: The number of characters that may be compared.
        is_template: Whether they are parts of a template, of which an action counts as one word.
    """
    start, end = (0, 0) if is_template else _common_ends(old, new)
    word = _ACTION_OR_WORD if is_template else _WORD
    middle, new_middle = old[start : len(old) - end], new[start : len(new) - end]
    if len(middle) + len(new_middle) > min(left, _LONGEST_BLOCK):
        return None
    words, new_words = word.findall(middle), word.findall(new_middle)
    groups, at, new_at = [["", "", old[:start]]], 0, 0
    for match in find_matches(words, new_words, _MOST_WORDS):
        group = ["".join(words[at : match.old]), "".join(new_words[new_at : match.new])]
        at, new_at = match.old + match.length, match.new + match.length
        same, last = "".join(words[match.old : at]), groups[-1]
        if not any(group):
            last[2] += same
            continue
        if last[2] == " " and any(last[:2]):  # a changed phrase, not words that change one by one
            group = [side + " " + more for side, more in zip(last[:2], group, strict=True)]
            groups.pop()
        groups.append([*group, same])
    groups[-1][2] += old[len(old) - end :]
    pieces = [Piece(mark, text) for group in groups for mark, text in zip(_MARKS, group, strict=True) if text]
    shared = sum(len(piece.text) - piece.text.count(" ") for piece in pieces if piece.mark == "=")
    return tuple(pieces) if shared >= _LEAST_SHARED * max(map(_length, (old, new))) else ()


def _length(text: str) -> int:
    return len(text) - text.count(" ")


def _common_ends(old: str, new: str) -> tuple[int, int]:
    """Return the lengths of the start and the end that two texts share, up to a space, so that no word is cut."""
    most = min(len(old), len(new))
    start = bisect_left(range(1, most + 1), 1, key=lambda length: old[:length] != new[:length])
    start = old.rfind(" ", 0, start) + 1
    end = bisect_left(range(1, most - start + 1), 1, key=lambda length: old[-length:] != new[-length:])
    at = old.find(" ", len(old) - end)
    return start, len(old) - at if at >= 0 else 0
