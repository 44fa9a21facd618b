"""What differs between two create requests, in a line each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import takewhile, zip_longest
from typing import Any, Final

_WIDTH: Final = 80
"""Of a longer text, so much is shown."""


def differing(then: Any, now: Any, place: str = "") -> Iterator[str]:
    """What is no longer as it was; in lists, and in texts of several lines, the first place.

    Args:
        then: A request as JSON has it, or what it says at a place.
        now: The other.
        place: Where, as in `messages[1].content`.
    """
    match then, now:
        case _ if then == now:
            return
        case (dict() | None, dict() | None):
            before, after = then or {}, now or {}
            for key in {**before, **after}:
                yield from differing(before.get(key), after.get(key), f"{place}.{key}" if place else key)
        case (list() | None, list() | None):
            number, old, new = _first(then or [], now or [])
            yield from differing(old, new, f"{place}[{number}]")
        case (str(), str()) if "\n" in then + now:
            number, old, new = _first(then.splitlines(keepends=True), now.splitlines(keepends=True))
            yield f"{place}, line {number + 1}: {_short(old, new)} then, {_short(new, old)} now"
        case _:
            yield f"{place}: {_short(then, now)} then, {_short(now, then)} now"


def _first(then: list[Any], now: list[Any]) -> tuple[int, Any, Any]:
    pairs = enumerate(zip_longest(then, now))
    return next((number, old, new) for number, (old, new) in pairs if old != new)


def _short(value: Any, other: Any) -> str:
    """A value as JSON; of a long text, the place where it begins to differ from the other."""
    if value is None:
        return "nothing"
    if not isinstance(value, str) or len(value) <= _WIDTH:
        return json.dumps(value, ensure_ascii=False)
    same = takewhile(lambda pair: pair[0] == pair[1], zip(value, other if isinstance(other, str) else "", strict=False))
    start = min(max(len([*same]) - _WIDTH // 2, 0), len(value) - _WIDTH)
    shown = json.dumps(value[start : start + _WIDTH], ensure_ascii=False)
    return f"{'…' if start else ''}{shown}{'…' if start + _WIDTH < len(value) else ''}"
