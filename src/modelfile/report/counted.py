"""How far a long run is, on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator, Sequence
from typing import Final, TypeVar

_T = TypeVar("_T")

_PATIENCE: Final = 0.5
"""Of seconds: what is done by then shows nothing."""


def counted(items: Sequence[_T], what: str) -> Generator[_T]:
    """The items; on standard error, if that is a terminal, a line says how many are done once it takes its time."""
    if not sys.stderr.isatty():
        yield from items
        return
    start = shown = time.monotonic()
    try:
        for number, item in enumerate(items):
            yield item
            now = time.monotonic()
            if now - start > _PATIENCE and now - shown > _PATIENCE / 5:
                shown = now
                sys.stderr.write(f"\r{what} {number + 1} of {len(items)}")
                sys.stderr.flush()
    finally:
        if shown != start:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
