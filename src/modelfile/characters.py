"""Classes of Unicode characters: whitespace, unprintable characters, and those that hide text.

Ollama's parser silently drops unprintable characters from values. Measured on 0.33: it keeps those that Go's
`strconv.IsPrint` accepts, tabs and newlines.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cache, lru_cache
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

_CONTROL: Final = f"[{CONTROLS}]"
_NUL: Final = re.compile(NUL)
_UNPRINTABLE_ASCII: Final = re.compile(r"[^\t\n\r -~]")
_UNUSUAL: Final = re.compile(r"[^\t\n\r -~][^\t\n\r -~]*+")
"""A run of unusual characters: a search for a first character is ten times as quick as one for a repetition."""


@cache
def _boundaries() -> list[int]:
    """Return the code points at which printable and unprintable ones alternate; the first run is unprintable."""
    data = Path(__file__).with_name("printable.txt").read_text(encoding="ascii")
    ranges = (item.partition("-") for line in data.splitlines() if not line.startswith("#") for item in line.split())
    return [edge for low, _, high in ranges for edge in (int(low, 16), int(high or low, 16) + 1)]


@lru_cache(maxsize=1 << 12)
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
    return re.sub(_CONTROL, lambda found: found[0] if found[0] in keep else code_point(found[0]), text)


def code_point(character: str) -> str:
    """Return a character as its code point: `<U+001B>`."""
    return f"<U+{ord(character):04X}>"


@lru_cache(maxsize=8)
def unusual_characters(text: str) -> frozenset[str]:
    """Return the distinct characters of a text that are not ASCII, and its ASCII controls but tabs and newlines."""
    return frozenset().union(*_UNUSUAL.findall(text))


def find_unprintable(text: str) -> list[int]:
    """Return the offsets of the characters that Ollama drops from values."""
    return [match.start() for match in _NUL.finditer(mask(text))]


def mask(text: str) -> str:
    """Replace each unprintable character by NUL: the length and the offsets stay."""
    if text.isascii():
        return _UNPRINTABLE_ASCII.sub(NUL, text)
    unprintable = [character for character in unusual_characters(text) if is_unprintable(character)]
    return text.translate(dict.fromkeys(map(ord, unprintable), NUL)) if unprintable else text


_CONFUSABLE: Final = (
    (
        "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u0501\u051b\u051d\u04bb\u043a\u043c\u0442",
        "aeopcyxijsdqwhkmt",
    ),
    (
        "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425\u0406\u0408\u0405\u04ae",
        "ABEKMHOPCTYXIJSY",
    ),
    ("\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7", "ABEZHIKMNOPTYX"),
    ("\u03b1\u03bf\u03bd\u03c1\u03b9\u03ba\u03c5\u03c7\u0261\u0578\u057d\u0585", "aovpikuxgnuo"),
)
"""Letters of Cyrillic, Greek, Armenian and phonetic script, and the Latin letters that they look like."""
_FULL_WIDTH: Final = range(0xFF01, 0xFF5F)
_FULL_WIDTH_OFFSET: Final = 0xFEE0


@cache
def _latin_letters() -> dict[int, str]:
    letters = {ord(one): other for ones, others in _CONFUSABLE for one, other in zip(ones, others, strict=True)}
    return letters | {code: chr(code - _FULL_WIDTH_OFFSET) for code in _FULL_WIDTH}


def is_homoglyph(text: str) -> bool:
    """Return whether a text has letters that only look like Latin ones, and is plain ASCII with those."""
    return not text.isascii() and to_latin(text).isascii()


def to_latin(text: str) -> str:
    r"""Return a text of the same length with the letters that look like Latin ones replaced by those.

    >>> to_latin("FR\u041eM")
    'FROM'
    """
    return text if text.isascii() else text.translate(_latin_letters())


def describe_homoglyphs(text: str) -> str:
    r"""Return the names of the letters in a text that only look like Latin ones; empty if there are none.

    >>> describe_homoglyphs("FR\u041eM")
    'CYRILLIC CAPITAL LETTER O (U+041E) instead of the Latin O'
    """
    from unicodedata import name  # a megabyte, and few Modelfiles have such letters

    pairs = {one: other for one, other in zip(text, to_latin(text), strict=True) if one != other}
    return ", ".join(f"{name(one)} (U+{ord(one):04X}) instead of the Latin {other}" for one, other in pairs.items())
