"""The characters that Ollama's parser drops inside values, without a word.

Measured on Ollama's own parser (0.33): it keeps what Go's `strconv.IsPrint` takes, and tabs and line ends.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cache
from pathlib import Path
from typing import Final

NUL: Final = "\0"
"""Stands for every dropped character in a masked text."""

_ASCII_DROPPED: Final = re.compile(r"[^\t\n\r -~]")


@cache
def _boundaries() -> list[int]:
    """Where printable and unprintable code points take turns; the first run is unprintable."""
    data = Path(__file__).with_name("printable.txt").read_text(encoding="ascii")
    ranges = (item.partition("-") for line in data.splitlines() if not line.startswith("#") for item in line.split())
    return [edge for low, _, high in ranges for edge in (int(low, 16), int(high or low, 16) + 1)]


def is_dropped(character: str) -> bool:
    """Whether Ollama drops this character from a value."""
    if character.isascii():
        return _ASCII_DROPPED.match(character) is not None
    return bisect_right(_boundaries(), ord(character)) % 2 == 0


def mask(text: str) -> str:
    """`text` with every dropped character replaced by NUL: same length, same offsets."""
    if text.isascii():
        return _ASCII_DROPPED.sub(NUL, text)
    dropped = [character for character in set(text) if is_dropped(character)]
    return text.translate(dict.fromkeys(map(ord, dropped), NUL)) if dropped else text
