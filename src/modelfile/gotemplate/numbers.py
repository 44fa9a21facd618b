"""Numbers as Go prints them: strconv.FormatFloat and the number verbs of fmt (Go 1.26, fmt/format.go)."""

from __future__ import annotations

import math
from typing import Final

from modelfile.characters import is_unprintable
from modelfile.immutable import record

SHORTEST: Final = -1
"""The precision that asks for the fewest digits that identify a number."""
_LEAST_EXPONENT: Final = -4
_SHORTEST_EXPONENT: Final = 6
_SHARP_DIGITS: Final = 6
_MOST_DIGITS: Final = 767
"""The most significant digits that a number has, written exactly; others are zeros."""
_MANTISSA_BITS: Final = 53
_MIN_EXPONENT: Final = -1074
_FRACTION_BITS: Final = 60
_HEX_DIGITS: Final = 15
_MAX_RUNE: Final = 0x10FFFF
_SURROGATES: Final = range(0xD800, 0xE000)
_BASES: Final = {"d": "d", "v": "d", "b": "b", "o": "o", "O": "o", "x": "x", "X": "X"}
_PREFIXES: Final = {"b": "0b", "x": "0x", "X": "0X"}


@record(frozen=False)
class Flags:
    """The flags, width and precision of a verb."""

    plus: bool = False
    minus: bool = False
    sharp: bool = False
    space: bool = False
    zero: bool = False
    plus_v: bool = False
    sharp_v: bool = False
    width: int | None = None
    precision: int | None = None

    def pad(self, text: bytes, *, zero: bool | None = None) -> bytes:
        """Pad a text to the width; with zeros only to the left."""
        missing = (self.width or 0) - count_runes(text)
        if missing <= 0:
            return text
        filler = b"0" if (self.zero if zero is None else zero) and not self.minus else b" "
        return text + filler * missing if self.minus else filler * missing + text


def count_runes(text: bytes) -> int:
    """Return the number of characters; each byte that is not UTF-8 counts as one."""
    return len(text) if text.isascii() else len(text.decode("utf-8", "surrogateescape"))


def character(code: int) -> str:
    """Return a character; U+FFFD if the code point is none."""
    return "\ufffd" if not 0 <= code <= _MAX_RUNE or code in _SURROGATES else chr(code)


def format_float(value: float, verb: str, precision: int) -> str:
    """Format a number as strconv.FormatFloat does."""
    if math.isinf(value) or math.isnan(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    sign = "-" if math.copysign(1, value) < 0 else ""
    value = abs(value)
    match verb:
        case "b":
            exponent = max(math.frexp(value)[1] - _MANTISSA_BITS, _MIN_EXPONENT) if value else _MIN_EXPONENT
            return f"{sign}{int(math.ldexp(value, -exponent))}p{exponent:+d}"
        case "x" | "X":
            text = _hexadecimal(value, precision)
        case "f":
            return f"{sign}{value:.{precision}f}"
        case "e" | "E":
            text = f"{value:.{len(_digits(value, precision)[0]) - 1 if precision == SHORTEST else precision}e}"
        case _:
            text = _general(value, precision)
    return sign + (text.upper() if verb.isupper() else text)


def _digits(value: float, precision: int) -> tuple[str, int]:
    """Return the significant digits of a number without zeros at the end, and the offset of its decimal point."""
    text = repr(value) if precision == SHORTEST else f"{value:.{min(max(precision, 1), _MOST_DIGITS) - 1}e}"
    if precision == SHORTEST and value:
        text = f"{value:.{len(text.partition('e')[0].replace('.', '').strip('0')) - 1}e}"
    mantissa, _, exponent = text.partition("e")
    digits = mantissa.replace(".", "").rstrip("0")
    return digits, int(exponent or 0) + 1 if digits else 0


def _general(value: float, precision: int) -> str:
    digits, point = _digits(value, precision)
    count, shortest = len(digits), precision == SHORTEST
    precision = count if shortest else max(precision, 1)
    threshold = _SHORTEST_EXPONENT if shortest else count if precision > count >= point else precision
    if point - 1 < _LEAST_EXPONENT or point - 1 >= threshold:
        return f"{value:.{min(precision, count) - 1}e}"
    return f"{value:.{max((count if precision > point else precision) - point, 0)}f}"


def _hexadecimal(value: float, precision: int) -> str:
    mantissa, exponent = math.frexp(value)
    bits = int(math.ldexp(mantissa, _FRACTION_BITS + 1))  # the first one bit has offset _FRACTION_BITS
    exponent = exponent - 1 if bits else 0
    if 0 <= precision < _HEX_DIGITS:
        dropped = _FRACTION_BITS - 4 * precision
        bits, rest = divmod(bits, 1 << dropped)
        bits = bits + (rest + (bits & 1) > 1 << (dropped - 1)) << dropped
        if bits >> (_FRACTION_BITS + 1):
            bits, exponent = bits >> 1, exponent + 1
    whole, fraction = divmod(bits, 1 << _FRACTION_BITS)
    digits = f"{fraction:0{_HEX_DIGITS}x}"
    digits = digits.rstrip("0") if precision == SHORTEST else digits[:precision].ljust(precision, "0")
    return f"0x{whole}{'.' if digits else ''}{digits}p{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def print_float(flags: Flags, value: float, verb: str, precision: int) -> bytes:
    """Print a number for a float verb; `precision` is the verb's own."""
    precision = precision if flags.precision is None else flags.precision
    text = format_float(value, verb, precision)
    sign, text = (text[0], text[1:]) if text[0] in "+-" else ("+", text)
    if flags.space and sign == "+" and not flags.plus:
        sign = " "
    if text[0] in "IN":
        return flags.pad(
            f"{'' if text == 'NaN' and not flags.space and not flags.plus else sign}{text}".encode(), zero=False
        )
    if flags.sharp and verb != "b":
        text = _with_point(text, verb, precision)
    if not flags.plus and sign == "+":
        return flags.pad(text.encode())
    if flags.zero and not flags.minus and (flags.width or 0) > len(text) + 1:
        return (sign + text.rjust((flags.width or 0) - 1, "0")).encode()
    return flags.pad((sign + text).encode())


def _with_point(text: str, verb: str, precision: int) -> str:
    """Return a number with a decimal point and the zeros that the flag `#` keeps."""
    marks = "pP" if verb in "xX" else "eE"
    end = next((offset for mark in marks if (offset := text.find(mark)) >= 0), len(text))
    number, tail = text[:end], text[end:]
    missing = 0
    if verb in "gGx":
        seen = number.replace(".", "")
        significant = len(seen.lstrip("0"))
        missing = (_SHARP_DIGITS if precision == SHORTEST else precision) - significant
        missing -= number == "0"
    return number + ("" if "." in number else ".") + "0" * max(missing, 0) + tail


def print_integer(flags: Flags, value: int, verb: str) -> bytes | None:
    """Print an integer; None if the verb is not one for integers."""
    match verb:
        case "c":
            return flags.pad(character(value).encode())
        case "U":
            shown = (
                f" '{character(value)}'"
                if flags.sharp and ord(" ") <= value <= _MAX_RUNE and not is_unprintable(chr(value))
                else ""
            )
            return flags.pad(f"U+{value % 2**64:0{max(flags.precision or 0, 4)}X}{shown}".encode(), zero=False)
        case _:
            pass
    if verb not in _BASES:
        return None
    if flags.precision == 0 and value == 0:
        return b" " * (flags.width or 0)
    digits = f"{abs(value):{_BASES[verb]}}"
    width = flags.precision or 0
    if flags.precision is None and flags.zero and not flags.minus and flags.width:
        width = flags.width - (value < 0 or flags.plus or flags.space)
    digits = digits.rjust(width, "0")
    if flags.sharp:
        base = _BASES[verb]
        digits = _PREFIXES.get(base, "0" if base == "o" and digits[0] != "0" else "") + digits
    digits = f"0o{digits}" if verb == "O" else digits
    sign = "-" if value < 0 else "+" if flags.plus else " " if flags.space else ""
    return flags.pad((sign + digits).encode(), zero=False)
