"""The prose of a text: its words without code, which may contain anything."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_CODE: Final = r"(?:```|~~~).*?(?:```|~~~|\Z)|`[^`\r\n]{1,400}`"
_HIDDEN: Final = r"[^\r\n]"


def count_digits(text: str) -> int:
    """Return the number of characters that a regular expression takes for digits.

    >>> count_digits("Call 555-0199.")
    7
    """
    return sum(map(text.count, "0123456789")) if text.isascii() else sum(map(str.isdecimal, text))


@lru_cache(maxsize=16)
def hide_code(text: str) -> str:
    """Return a text of the same length in which Markdown code, in fences or backquotes, is spaces.

    >>> hide_code("Never write `TODO` here.")
    'Never write        here.'
    """
    if "`" not in text and "~~~" not in text:
        return text
    return re.sub(_CODE, lambda code: re.sub(_HIDDEN, " ", code[0]), text, flags=re.DOTALL)
