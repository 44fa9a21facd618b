"""Values as Go parses them: parameters (Ollama's `FormatParams`, by strconv) and versions (semver)."""

from __future__ import annotations

import math
import re
import struct
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

from modelfile.catalog.parameters import Kind

if TYPE_CHECKING:
    from fractions import Fraction

ParameterValue: TypeAlias = int | float | bool | tuple[str, ...]

_INT: Final = re.compile(r"[+-]?[0-9]+")
_DECIMAL: Final = re.compile(r"[+-]?(?:[0-9_]++(?:\.[0-9_]*+)?+|\.[0-9_]++)(?:[eE][+-]?[0-9_]++)?+")
_HEX: Final = re.compile(r"[+-]?0[xX](?:[0-9a-fA-F_]++(?:\.[0-9a-fA-F_]*+)?+|\.[0-9a-fA-F_]++)[pP][+-]?[0-9_]++")
_MISPLACED_UNDERSCORE: Final = re.compile(r"(?<![0-9])_|_(?![0-9])")
_MISPLACED_UNDERSCORE_IN_HEX: Final = re.compile(r"(?<![0-9a-fA-FxX])_|_(?![0-9a-fA-F])|[pP]_")
_SPECIAL: Final = re.compile(r"[+-]?inf(?:inity)?|nan", re.IGNORECASE | re.ASCII)
_BOOLS: Final = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
_INT64: Final = range(-(2**63), 2**63)
_FLOAT32_DIGITS: Final = 9
_LOST_BITS: Final = 0x1FFFFFFF
"""The bits of a float64's mantissa that a float32 does not have."""
_HALF: Final = 0x10000000
_MOST_DIGITS: Final = 800
"""More digits than a float64, or the middle of two, can have; of further digits it only counts if one is not 0."""
_MIN_NORMAL_FLOAT32: Final = 2.0**-126
_NUMBER: Final = r"(?:0|[1-9][0-9]*)"
_IDENTIFIERS: Final = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_PRERELEASE: Final = rf"(?:{_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_SEMVER: Final = (
    rf"v{_NUMBER}(?:\.{_NUMBER}(?:\.{_NUMBER}(?:-{_PRERELEASE}(?:\.{_PRERELEASE})*)?(?:\+{_IDENTIFIERS})?)?)?"
)


class NotFinite(ValueError):
    """A number that has no finite 32-bit float."""


def canonical(value: ParameterValue) -> ParameterValue:
    """Return a value as a server stores it: numbers become float64, and -0 becomes 0."""
    return value if isinstance(value, bool | tuple) else float(value) + 0.0


def parse_value(kind: Kind, text: str) -> ParameterValue:
    """Return the value of a PARAMETER instruction; a float is the shortest decimal of its float32.

    Raises:
        ValueError: Ollama rejects it; the message completes "the value …".
        NotFinite: It is a float without a finite 32-bit value.
    """
    match kind:
        case Kind.INT:
            return _parse_int(text)
        case Kind.FLOAT:
            return _parse_float(text)
        case Kind.BOOL:
            if text not in _BOOLS:
                raise ValueError("must be true or false")
            return _BOOLS[text]
        case Kind.STRINGS:
            return (text,)


@lru_cache(maxsize=1 << 14)
def _parse_int(text: str) -> int:
    if not _INT.fullmatch(text):
        raise ValueError("must be a whole number")
    digits = text.lstrip("+-").lstrip("0") or "0"
    value = int(digits[: len(str(_INT64.stop)) + 1])
    value = -value if text.startswith("-") else value
    if value not in _INT64:
        raise ValueError("must fit in 64 bits")
    return value


@lru_cache(maxsize=1 << 14)
def _parse_float(text: str) -> float:
    if _SPECIAL.fullmatch(text):
        raise NotFinite("must be finite")
    hexadecimal = _HEX.fullmatch(text) is not None
    underscore = _MISPLACED_UNDERSCORE_IN_HEX if hexadecimal else _MISPLACED_UNDERSCORE
    if not (hexadecimal or _DECIMAL.fullmatch(text)) or underscore.search(text):
        raise ValueError("must be a number")
    digits = text.replace("_", "")
    try:
        value = float.fromhex(digits) if hexadecimal else float(digits)
        return _shortest(_to_float32(value, digits, hexadecimal=hexadecimal))
    except OverflowError:
        raise NotFinite("must fit in a 32-bit float") from None


def _to_float32(value: float, digits: str, *, hexadecimal: bool) -> float:
    """Round to float32 once, by rounding to odd in float64 first, which avoids the error of double rounding."""
    if value == 0.0 or math.isinf(value) or not _halfway(value):
        return _pack(value)
    from fractions import Fraction  # 3 ms that few numbers need

    exact = _exact(digits, hexadecimal=hexadecimal)
    if exact != Fraction(value):
        toward_zero = value if abs(Fraction(value)) < abs(exact) else math.nextafter(value, 0.0)
        odd = struct.unpack("<Q", struct.pack("<d", toward_zero))[0] & 1
        value = toward_zero if odd else math.nextafter(toward_zero, math.copysign(math.inf, value))
    return _pack(value)


def _halfway(value: float) -> bool:
    """Return whether a float64 is halfway between two float32 values, or below their normal range."""
    bits = struct.unpack("<Q", struct.pack("<d", value))[0]
    return bits & _LOST_BITS == _HALF or abs(value) < _MIN_NORMAL_FLOAT32


def _exact(digits: str, *, hexadecimal: bool) -> Fraction:
    """Return a finite number that is not 0; if it has more digits than count, another that rounds the same way."""
    from fractions import Fraction

    base, mark, root, bits = (16, "p", 2, 4) if hexadecimal else (10, "e", 10, 1)
    mantissa, _, exponent = digits.lstrip("+-").lower().removeprefix("0x").partition(mark)
    whole, _, fraction = mantissa.partition(".")
    significant = (whole + fraction).lstrip("0")
    counted, rest = significant[:_MOST_DIGITS], significant[_MOST_DIGITS:]
    if rest:
        counted, rest = f"{counted}{'1' if rest.strip('0') else '0'}", rest[1:]
    power = int(exponent.lstrip("+-").lstrip("0") or "0") * (-1 if exponent.startswith("-") else 1)
    exact = int(counted, base) * Fraction(root) ** (power + bits * (len(rest) - len(fraction)))
    return -exact if digits.startswith("-") else exact


def _pack(value: float) -> float:
    if math.isinf(value):
        raise OverflowError
    return float(struct.unpack("<f", struct.pack("<f", value))[0])


def _shortest(value: float) -> float:
    """Return the float64 of the shortest decimal that reads back as this float32, as Go writes it to JSON."""
    return next(
        short
        for precision in range(1, _FLOAT32_DIGITS + 1)
        if _reads_back(short := float(f"{value:.{precision}g}"), value)
    )


def _reads_back(short: float, value: float) -> bool:
    try:
        return _pack(short) == value
    except OverflowError:
        return False


def is_version(text: str) -> bool:
    """Return whether REQUIRES accepts a version: golang.org/x/mod/semver, with or without a `v`."""
    return re.fullmatch(_SEMVER, f"v{text.removeprefix('v')}") is not None
