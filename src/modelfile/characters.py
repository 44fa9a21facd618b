"""Classes of Unicode characters: whitespace, unprintable characters, and those that hide text.

Ollama's parser silently drops unprintable characters from values. Measured on 0.33: it keeps those that Go's
`strconv.IsPrint` accepts, tabs and newlines.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cache
from pathlib import Path
from typing import Final

SPACES: Final = " \t\n\v\f\r\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
"""Unicode whitespace, as Go's `unicode.IsSpace` defines it."""

BIDI_CONTROLS: Final = "\u202a-\u202e\u2066-\u2069"
"""Controls that change the order in which text is displayed; a range for a regular expression, like the next two."""
TAGS: Final = "\U000e0000-\U000e007f"
"""Invisible characters that repeat ASCII."""
VARIATION_SELECTORS: Final = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
"""Invisible characters that select a variant of the character before them."""

CONTROLS: Final = f"\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029{BIDI_CONTROLS}\ud800-\udfff"
"""Characters that steer a terminal, begin a line or reorder text, and lone surrogates; a range as above.

C0, DEL and C1 controls, line and paragraph separators, and those with Unicode's property Bidi_Control.
"""

NUL: Final = "\0"
"""The replacement of each unprintable character in a masked text."""

_CONTROL: Final = re.compile(f"[{CONTROLS}]")
_NUL: Final = re.compile(NUL)
_UNPRINTABLE_ASCII: Final = re.compile(r"[^\t\n\r -~]")


@cache
def _boundaries() -> list[int]:
    """Return the code points at which printable and unprintable ones alternate; the first run is unprintable."""
    data = Path(__file__).with_name("printable.txt").read_text(encoding="ascii")
    ranges = (item.partition("-") for line in data.splitlines() if not line.startswith("#") for item in line.split())
    return [edge for low, _, high in ranges for edge in (int(low, 16), int(high or low, 16) + 1)]


def is_unprintable(character: str) -> bool:
    """Return whether Ollama drops a character from values."""
    if character.isascii():
        return _UNPRINTABLE_ASCII.match(character) is not None
    return bisect_right(_boundaries(), ord(character)) % 2 == 0


def escape_controls(text: str, *, keep: str = "") -> str:
    r"""Return a text with each control character but those in `keep` written as its code point.

    For text of others that is shown or stored. The result contains no newline unless `keep` does.

    >>> escape_controls("bot\x1b[2J\n::error::")
    'bot<U+001B>[2J<U+000A>::error::'
    """
    if text.isprintable():  # no control character is
        return text
    return _CONTROL.sub(lambda found: found[0] if found[0] in keep else code_point(found[0]), text)


def code_point(character: str) -> str:
    """Return a character as its code point: `<U+001B>`."""
    return f"<U+{ord(character):04X}>"


def find_unprintable(text: str) -> list[int]:
    """Return the offsets of the characters that Ollama drops from values."""
    return [match.start() for match in _NUL.finditer(mask(text))]


def mask(text: str) -> str:
    """Replace each unprintable character by NUL: the length and the offsets stay."""
    if text.isascii():
        return _UNPRINTABLE_ASCII.sub(NUL, text)
    unprintable = [character for character in set(text) if is_unprintable(character)]
    return text.translate(dict.fromkeys(map(ord, unprintable), NUL)) if unprintable else text
