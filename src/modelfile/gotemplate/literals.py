"""Go's literals and Go's way of quoting them: strconv and text/template/parse of Go 1.24."""

from __future__ import annotations

import re
import sys
from typing import Final

from modelfile.catalog.templates import FUNCTIONS as OLLAMA_FUNCTIONS
from modelfile.characters import is_unprintable
from modelfile.immutable import record
from modelfile.source import Span

FUNCTIONS: Final = frozenset(
    {"and", "call", "html", "index", "js", "len", "not", "or", "print", "printf", "println", "slice", "urlquery"}
    | {"eq", "ge", "gt", "le", "lt", "ne"}
    | OLLAMA_FUNCTIONS.keys()
)
"""The functions of Go and those that Ollama adds."""

KEYWORDS: Final = frozenset(
    {"block", "break", "continue", "define", "else", "end", "if", "nil", "range", "template", "with", "."}
)
"""The words that Go's messages show as `<if>`."""

_NOT_ASCII: Final = 0x80
_BEYOND_BMP: Final = 0x10000
_SURROGATES: Final = range(0xD800, 0xE000)
_LONGEST_NAMED: Final = 10
_ESCAPE_LETTERS: Final = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92, "'": 39, '"': 34}
_ESCAPED: Final = {chr(code): rf"\{letter}" for letter, code in _ESCAPE_LETTERS.items() if letter != "'"}
_ESCAPE: Final = (
    r"""\\(?:(?P<letter>[abfnrtv\\'"])|(?P<octal>[0-3][0-7]{2})|x(?P<byte>[0-9a-fA-F]{2})"""
    r"|u(?P<u4>[0-9a-fA-F]{4})|U(?P<u8>[0-9a-fA-F]{8}))"
)
_INTEGER: Final = (
    r"[+-]?(?:0[bB](?:_?[01])++|0[oO](?:_?[0-7])++|0[xX](?:_?[0-9a-fA-F])++|0(?:_?[0-7])*+|[1-9](?:_?[0-9])*+)"
)
_DECIMAL: Final = r"[0-9](?:_?[0-9])*+"
_FLOAT: Final = rf"[+-]?(?:{_DECIMAL}(?:\.(?:{_DECIMAL})?)?|\.{_DECIMAL})(?:[eE][+-]?{_DECIMAL})?"
_HEX: Final = r"[0-9a-fA-F](?:_?[0-9a-fA-F])*+"
_HEX_FLOAT: Final = rf"[+-]?0[xX](?:_?{_HEX}(?:\.(?:{_HEX})?)?|\.{_HEX})[pP][+-]?{_DECIMAL}"
_SCANNED_FLOAT: Final = (
    r"[+-]?i?(?:0[xX][0-9a-fA-F_]*+(?:\.[0-9a-fA-F_]*+)?(?:[pP][+-]?[0-9_]*+)?"
    r"|[0-9_]*+(?:\.[0-9_]*+)?(?:[eEpP][+-]?[0-9_]*+)?)"
)
_LONGEST_UINT64: Final = 20


class NotGoError(ValueError):
    """An invalid literal; the message is Go's."""


@record(eq=False, slots=False, frozen=False)
class TemplateSyntaxError(Exception):
    """A syntax error in a template: Go stops parsing here."""

    message: str
    """The error in our words."""
    go: str
    """The error in Go's words, without the location."""
    span: Span
    last_read: int | None = None
    """The offset of the last token that Go has read, which gives the line it reports; None if it reports no line."""
    code: str = "MF401"


class TokenError(TemplateSyntaxError):
    """A syntax error in a token."""


def quote(text: str) -> str:
    """Quote a text as Go's `%q` does."""
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in _ESCAPED:
        return _ESCAPED[character]
    if not is_unprintable(character):
        return character
    code = ord(character)
    if code < _NOT_ASCII:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < _BEYOND_BMP else f"\\U{code:08x}"


def format_code_point(character: str) -> str:
    """Format a character as Go's `%#U` does."""
    name = f"U+{ord(character):04X}"
    return name if is_unprintable(character) else f"{name} '{character}'"


def to_lower(text: str) -> str:
    """Lower the case of each letter alone, as Go's strings.ToLower does."""
    return "".join(character.lower()[0] for character in text)


def name_token(text: str) -> str:
    """Return the name of a token in the messages of Go's parser."""
    if text in KEYWORDS:
        return f"<{text}>"
    too_long = len(text.encode("utf-8", "replace")) > _LONGEST_NAMED
    return quote(text[:_LONGEST_NAMED]) + "..." if too_long else quote(text)


def read_string(literal: str) -> str:
    """Return the value of a string in double quotes or backquotes, without bytes that are not UTF-8."""
    content = literal[1:-1]
    if literal[0] == "`":
        return content.replace("\r", "")
    return read_bytes(literal).decode("utf-8", "replace") if "\\" in content else content


def read_bytes(literal: str) -> bytes:
    """Return the bytes of a string in double quotes or backquotes."""
    content = literal[1:-1]
    if literal[0] == "`":
        return content.replace("\r", "").encode("utf-8", "replace")
    value, position = bytearray(), 0
    while (backslash := content.find("\\", position)) >= 0:
        escape, position_after = _escape(content, backslash, '"')
        value += content[position:backslash].encode("utf-8", "replace") + escape
        position = position_after
    value += content[position:].encode("utf-8", "replace")
    return bytes(value)


def read_character(literal: str) -> str:
    """Return the value of a character constant."""
    content = literal[1:-1]
    if content[:1] == "\\":
        escape, end = _escape(content, 0, "'")
        value = escape.decode("utf-8") if len(escape) > 1 else chr(escape[0])
    elif content:
        value, end = content[0], 1
    else:
        raise NotGoError("invalid syntax")
    if end != len(content):
        raise NotGoError(f"malformed character constant: {literal}")
    return value


def _escape(content: str, start: int, delimiter: str) -> tuple[bytes, int]:
    """Return the bytes that an escape stands for, as UTF-8 unless it is a byte itself, and the offset of its end."""
    match = re.compile(_ESCAPE).match(content, start)
    if match is None:
        raise NotGoError("invalid syntax")
    digits = match[match.lastgroup or 0]
    match match.lastgroup:
        case "letter" if digits not in {"'", '"'} or digits == delimiter:
            return bytes([_ESCAPE_LETTERS[digits]]), match.end()
        case "octal":
            return bytes([int(digits, 8)]), match.end()
        case "byte":
            return bytes([int(digits, 16)]), match.end()
        case "u4" | "u8" if (code := int(digits, 16)) <= sys.maxunicode and code not in _SURROGATES:
            return chr(code).encode(), match.end()
        case _:
            raise NotGoError("invalid syntax")


def read_number(literal: str) -> complex:
    """Return the value of a number: an int if it is whole, a complex if it is imaginary."""
    if literal[-1] == "i" and (imaginary := _float(literal[:-1])) is not None:
        return complex(0, imaginary)
    if (integer := _integer(literal)) is not None:
        return integer
    value = _float(literal)
    if value is None:
        raise NotGoError(f"illegal number syntax: {quote(literal)}")
    if not any(mark in literal for mark in ".eEpP"):
        raise NotGoError(f"integer overflow: {quote(literal)}")
    return value


def read_complex(literal: str) -> complex:
    """Return the value of a number like `1+2i`, parsed as Go's fmt.Sscan does."""
    real = re.match(_SCANNED_FLOAT, literal)
    sign = real.end() if real else 0
    imaginary = re.compile(_SCANNED_FLOAT).match(literal, sign + 1)
    if real is None or imaginary is None or literal[sign] not in "+-" or literal[imaginary.end() :][:1] != "i":
        raise NotGoError("syntax error scanning complex number")
    return complex(_parse_float(real[0]), _parse_float(literal[sign] + imaginary[0]))


def _integer(literal: str) -> int | None:
    """Return the value of an integer literal; None if neither int64 nor uint64 can represent it."""
    if not re.fullmatch(_INTEGER, literal):
        return None
    digits = literal.lstrip("+-").replace("_", "")
    if digits[0] != "0" and len(digits) > _LONGEST_UINT64:
        return None
    base = {"b": 2, "o": 8, "x": 16}.get(digits[1:2].lower(), 8) if digits[0] == "0" else 10
    value = int(digits, base) * (-1 if literal[0] == "-" else 1)
    return value if -(2**63) <= value < 2 ** (63 if literal[0] in "+-" else 64) else None


def _float(literal: str) -> float | None:
    try:
        return _parse_float(literal)
    except NotGoError:
        return None


def _parse_float(literal: str) -> float:
    digits = literal.replace("_", "")
    try:
        if re.fullmatch(_FLOAT, literal):
            value = float(digits)
        elif re.fullmatch(_HEX_FLOAT, literal):
            value = float.fromhex(digits)
        else:
            raise NotGoError(f"strconv.ParseFloat: parsing {quote(literal)}: invalid syntax")
    except OverflowError:
        value = float("inf")
    if value in {float("inf"), float("-inf")}:
        raise NotGoError(f"strconv.ParseFloat: parsing {quote(literal)}: value out of range")
    return value
