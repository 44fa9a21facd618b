"""Matches of two sequences in time that grows with their length: lines of texts, words, or messages."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, TypeVar

_T = TypeVar("_T", str, tuple[str, str])

_MOST_COMPARED: Final = 2_000
"""Number of items in both sequences that are compared with each other, which takes the square of the time."""
_DEEPEST: Final = 16
"""Number of times that the items between matches are searched for items that are unique there."""


class Match(NamedTuple):
    """A run of equal items."""

    old: int
    new: int
    length: int


def find_matches(old: Sequence[_T], new: Sequence[_T], most: int = _MOST_COMPARED) -> list[Match]:
    """Return the runs of items that stay, in order, and an empty one at the end; mirrored if the sequences are.

    Short sequences are compared as difflib does. In long ones, the items that are unique in both come first, as in
    patience diff; if there are none between two matches, nothing stays there.

    >>> find_matches("a b c d".split(), "a c d e".split())
    [Match(old=0, new=0, length=1), Match(old=2, new=1, length=2), Match(old=4, new=4, length=0)]
    """
    if (len(new), new) < (len(old), old):
        return [Match(b, a, length) for a, b, length in find_matches(new, old, most)]
    merged: list[Match] = []
    for found in sorted(_find(old, new, most)):
        last = merged[-1] if merged else None
        if last and (last.old + last.length, last.new + last.length) == (found.old, found.new):
            merged[-1] = last._replace(length=last.length + found.length)
        elif found.length:
            merged.append(found)
    return [*merged, Match(len(old), len(new), 0)]


def _find(old: Sequence[_T], new: Sequence[_T], most: int) -> Iterator[Match]:
    pending = [(0, len(old), 0, len(new), 0)]
    while pending:
        start, end, new_start, new_end, depth = pending.pop()
        first, new_first, last = start, new_start, end
        while start < end and new_start < new_end and old[start] == new[new_start]:
            start, new_start = start + 1, new_start + 1
        while start < end and new_start < new_end and old[end - 1] == new[new_end - 1]:
            end, new_end = end - 1, new_end - 1
        yield Match(first, new_first, start - first)
        yield Match(end, new_end, last - end)
        if start == end or new_start == new_end:
            continue
        if end - start + new_end - new_start <= most:
            from difflib import SequenceMatcher  # 5 ms that not every command pays

            blocks = SequenceMatcher(None, old[start:end], new[new_start:new_end]).get_matching_blocks()
            yield from (Match(start + a, new_start + b, length) for a, b, length in blocks)
        elif depth < _DEEPEST:
            before, new_before = start, new_start
            for at, new_at in _anchors(old[start:end], new[new_start:new_end]):
                yield Match(start + at, new_start + new_at, 1)
                pending.append((before, start + at, new_before, new_start + new_at, depth + 1))
                before, new_before = start + at + 1, new_start + new_at + 1
            if before > start:
                pending.append((before, end, new_before, new_end, depth + 1))


def _anchors(old: Sequence[_T], new: Sequence[_T]) -> list[tuple[int, int]]:
    """Return the positions of items that are unique in both sequences: as many as are in the same order."""
    counts, new_counts = Counter(old), Counter(new)
    at = {item: position for position, item in enumerate(new) if new_counts[item] == 1 == counts[item]}
    pairs = [(position, at[item]) for position, item in enumerate(old) if item in at]
    ends: list[int] = []
    chosen: list[int] = []
    previous: list[int] = []
    for number, (_, new_position) in enumerate(pairs):
        length = bisect_left(ends, new_position)
        previous.append(chosen[length - 1] if length else -1)
        ends[length : length + 1], chosen[length : length + 1] = [new_position], [number]
    number, longest = chosen[-1] if chosen else -1, []
    while number >= 0:
        longest.append(pairs[number])
        number = previous[number]
    return longest[::-1]
