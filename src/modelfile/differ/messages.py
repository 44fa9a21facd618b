"""Differences of conversations: messages that were added, removed, edited or moved, each as one change."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

from modelfile.differ.comparison import Aspect, Change
from modelfile.differ.sequences import find_matches
from modelfile.recipe.recipe import Message

_LEAST_SIMILAR: Final = 0.5
"""Share of the words of the longer message that two versions of one have in common, in any order."""
_MOST_PAIRS: Final = 2_500
"""Number of pairs of messages whose words are compared."""
_LONGEST: Final = 10_000
"""Number of characters of a message whose words are compared."""

_Key: TypeAlias = "tuple[str, str]"
_Pair: TypeAlias = "tuple[int, int]"


def compare_messages(old: Sequence[Message], new: Sequence[Message]) -> Iterator[Change]:
    """Yield the changes of messages by their position, each added, removed, edited or moved.

    An edited message is one of the same role with similar words, or at the same position among those that stay.
    """
    keys, new_keys = ([(message.role, message.content) for message in side] for side in (old, new))
    stay = [
        (match.old + number, match.new + number)
        for match in find_matches(keys, new_keys)
        for number in range(match.length)
    ]
    if new_keys < keys:
        pairs = [pair[::-1] for pair in _pairs(new_keys, keys, [pair[::-1] for pair in stay])]
    else:
        pairs = _pairs(keys, new_keys, stay)
    known, new_known = ({pair[side] for pair in (*stay, *pairs)} for side in (0, 1))
    changed: list[tuple[int | None, int | None]] = [
        *pairs,
        *((position, None) for position in range(len(old)) if position not in known),
        *((None, position) for position in range(len(new)) if position not in new_known),
    ]
    for before, after in sorted(changed, key=_order):
        yield Change(
            aspect=Aspect.MESSAGE,
            old=None if before is None else old[before],
            new=None if after is None else new[after],
            positions=(before, after),
        )


def _order(positions: tuple[int | None, int | None]) -> tuple[int, bool, int]:
    before, after = positions
    return (before or 0, False, 0) if after is None else (after, True, before or 0)


def _pairs(old: Sequence[_Key], new: Sequence[_Key], stay: Sequence[_Pair]) -> list[_Pair]:
    """Return the positions of messages that were moved or edited: the same text, similar words, or the same place."""
    ends, new_ends = ([each[side] for each in stay] for side in (0, 1))
    pairs: list[_Pair] = []

    def left() -> tuple[list[int], list[int]]:
        known, new_known = ({each[side] for each in (*stay, *pairs)} for side in (0, 1))
        return [at for at in range(len(old)) if at not in known], [at for at in range(len(new)) if at not in new_known]

    pairs += _by_key(*left(), old.__getitem__, new.__getitem__)
    pairs += _similar(*left(), old, new)
    return pairs + _by_key(
        *left(),
        lambda at: (old[at][0], bisect_right(ends, at)),
        lambda at: (new[at][0], bisect_right(new_ends, at)),
    )


def _by_key(
    left: Sequence[int], new_left: Sequence[int], key: Callable[[int], object], new_key: Callable[[int], object]
) -> list[_Pair]:
    """Return pairs of the same key, each in order."""
    found: dict[object, deque[int]] = defaultdict(deque)
    for at in new_left:
        found[new_key(at)].append(at)
    return [(at, found[key(at)].popleft()) for at in left if found[key(at)]]


def _similar(left: Sequence[int], new_left: Sequence[int], old: Sequence[_Key], new: Sequence[_Key]) -> list[_Pair]:
    """Return pairs of one role with similar words, the most similar first."""
    if not left or not new_left or len(left) * len(new_left) > _MOST_PAIRS:
        return []
    words, new_words = (
        {at: Counter(re.findall(r"\w+", side[at][1][:_LONGEST])) for at in positions}
        for side, positions in ((old, left), (new, new_left))
    )
    scored = [
        (-(words[at] & new_words[new_at]).total() / (most or 1), at, new_at)
        for at in left
        for new_at in new_left
        if old[at][0] == new[new_at][0]
        for most in [max(words[at].total(), new_words[new_at].total())]
    ]
    pairs: list[_Pair] = []
    used, new_used = set[int](), set[int]()
    for score, at, new_at in sorted(scored):
        if -score >= _LEAST_SIMILAR and at not in used and new_at not in new_used:
            pairs.append((at, new_at))
            used.add(at)
            new_used.add(new_at)
    return pairs
