"""Values as Go's encoding/json writes them (Go 1.26)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any, Final

from modelfile.gotemplate.govalues import GoError, GoKind, GoType, GoValue

_ESCAPED: Final = '[\x00-\x1f"\\\\<>&\u2028\u2029\udc80-\udcff]'
_LETTERS: Final = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_SMALLEST_FIXED: Final = 1e-6
_LARGEST_FIXED: Final = 1e21


class NotJSONError(GoError):
    """A value that JSON cannot represent."""


def marshal(value: GoValue | None) -> str:
    """Return a value as JSON.

    Raises:
        NotJSONError: It has no JSON.
    """
    return "null" if value is None else _encode(value.type, value.data)


def quote_json(text: bytes) -> str:
    """Return a text as JSON, escaped for HTML too."""
    return f'"{re.sub(_ESCAPED, _escape, text.decode("utf-8", "surrogateescape"))}"'


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    if character in _LETTERS:
        return _LETTERS[character]
    return "\\ufffd" if "\udc80" <= character <= "\udcff" else f"\\u{ord(character):04x}"


def marshal_pairs(pairs: Iterable[tuple[str, str]]) -> str:
    """Return an object of keys and values that are JSON already."""
    return "{" + ",".join(f"{key}:{value}" for key, value in pairs) + "}"


def encode_data(of: GoType, data: Any) -> str:
    """Return the data of a value as JSON."""
    return _encode(of, data)


def _encode(of: GoType, data: Any) -> str:  # noqa: C901, PLR0911, PLR0912  # one case for each kind
    if of.encode is not None and not (of.kind is GoKind.POINTER and data is None):
        return of.encode(data)
    match of.kind:
        case GoKind.INTERFACE:
            return marshal(data)
        case GoKind.BOOL:
            return "true" if data else "false"
        case GoKind.INT | GoKind.UINT8:
            return str(data)
        case GoKind.FLOAT:
            return encode_float(data)
        case GoKind.STRING:
            return quote_json(data)
        case GoKind.SLICE:
            if data is None:
                return "null"
            if of.item.kind is GoKind.UINT8:
                import base64  # most templates print no images

                return f'"{base64.b64encode(bytes(data)).decode()}"'
            return "[" + ",".join(_encode(of.item, item) for item in data) + "]"
        case GoKind.MAP:
            if data is None:
                return "null"
            return marshal_pairs((quote_json(key), _encode(of.item, data[key])) for key in sorted(data))
        case GoKind.STRUCT:
            return marshal_pairs(
                (quote_json((each.json or each.name).encode()), _encode(each.type, item))
                for each, item in zip(of.fields, data, strict=True)
                if not (each.omit_empty and _is_empty(each.type, item))
            )
        case GoKind.POINTER:
            return "null" if data is None else _encode(of.item, data.data)
        case _:
            raise NotJSONError(f"json: unsupported type: {of.name}")


def _is_empty(of: GoType, data: Any) -> bool:
    """Return whether `omitempty` omits a field: zero, nil or empty."""
    if of.kind in {GoKind.STRUCT, GoKind.COMPLEX}:
        return False
    return data is None or (of.kind is not GoKind.INTERFACE and of.kind is not GoKind.POINTER and not data)


def encode_float(number: float) -> str:
    """Return a number as JSON.

    Raises:
        NotJSONError: It is not finite.
    """
    if not math.isfinite(number):
        raise NotJSONError("json: unsupported value")
    if number and not _SMALLEST_FIXED <= abs(number) < _LARGEST_FIXED:
        mantissa, _, exponent = repr(number).partition("e")
        return f"{mantissa.removesuffix('.0')}e{int(exponent):+d}"
    from decimal import Decimal

    fixed = f"{Decimal(repr(number)):f}"
    return fixed.rstrip("0").rstrip(".") if "." in fixed else fixed
