"""Parameters as a server prints them: values in the syntax of Go's `%v` and `%q` (server/routes.go)."""

from __future__ import annotations

import contextlib
import math
import re
from typing import TYPE_CHECKING, Final

from modelfile.errors import ServerError

if TYPE_CHECKING:
    from modelfile.recipe.values import ParameterValue

_SHOWN: Final = 200
"""The number of characters of a bad value that an error shows."""
_NAME_WIDTH: Final = 30
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?", re.IGNORECASE)
"""A number as Go's `%v` prints it."""
_LONGEST_NUMBER: Final = 32
"""In characters; Go prints the shortest form of 64 bits."""
_ESCAPE: Final = r'\\(?:([abfnrtv\\"])|x([0-9a-f]{2})|u([0-9a-f]{4})|U(00[01][0-9a-f]{5}))'
_ESCAPED: Final = dict(zip('abfnrtv\\"', '\a\b\f\n\r\t\v\\"', strict=True))


def read_parameters(text: str) -> dict[str, ParameterValue]:
    """Read parameters as the server prints them: the name, padded to 30 columns, a space, and the value in Go's syntax.

    There is one to a line, in no order; of a list, every item has a line.
    """
    found: dict[str, list[ParameterValue]] = {}
    for line in (match[0] for match in re.finditer("[^\n]+", text)):
        padded = line[_NAME_WIDTH : _NAME_WIDTH + 1] == " "
        name = line[:_NAME_WIDTH].rstrip() if padded else line.partition(" ")[0]
        value = _read_value(line[_NAME_WIDTH + 1 :] if padded else line.partition(" ")[2])
        found.setdefault(name, []).append(value)
    return {
        name: values[0] if len(values) == 1 else tuple(item for value in values for item in _texts(value))
        for name, values in found.items()
    }


def _texts(value: ParameterValue) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else (str(value),)


def _read_value(text: str) -> ParameterValue:
    """Read a value in Go's syntax: true, false, a number, or a quoted string; anything else is a text."""
    if text in ("true", "false"):
        return text == "true"
    if _NUMBER.fullmatch(text):
        number = float(text) if len(text) <= _LONGEST_NUMBER else math.inf
        if math.isfinite(number):
            return number
    elif not text.startswith('"'):
        return (text,)
    else:
        with contextlib.suppress(ValueError):
            return (unquote(text),)
    raise ServerError(f"the server shows a parameter that cannot be read: {text[:_SHOWN]}")


def unquote(text: str) -> str:
    """Return the string that Go's strconv.Quote (`%q`) wrote.

    Raises:
        ValueError: It wrote something else.
    """
    quoted = text[1:-1]
    if f'"{quoted}"' != text or {"\\", '"', "\n"} & {*re.sub(_ESCAPE, "", quoted)}:
        raise ValueError(f"not a quoted string: {text[:_SHOWN]}")
    unquoted = re.sub(_ESCAPE, _unescape, quoted)
    unquoted.encode()  # half a character is none
    return unquoted


def _unescape(match: re.Match[str]) -> str:
    letter, *digits = match.groups()
    return _ESCAPED[letter] if letter else chr(int(next(filter(None, digits)), 16))
