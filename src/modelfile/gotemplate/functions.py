"""The functions of templates: Go's own (Go 1.26, text/template/funcs.go) and those of Ollama (template/template.go)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from modelfile.catalog.templates import FUNCTIONS
from modelfile.catalog.versions import Version
from modelfile.characters import is_unprintable
from modelfile.gotemplate.format_strings import sprintf
from modelfile.gotemplate.govalues import (
    ANY,
    BOOL,
    BYTE,
    INT,
    STRING,
    GoError,
    GoKind,
    GoType,
    GoValue,
    indirect,
    indirect_interface,
    is_true,
    string,
    zero,
)
from modelfile.gotemplate.json_text import NotJSONError, marshal
from modelfile.gotemplate.printing import printable, sprint, sprintln
from modelfile.immutable import record

if TYPE_CHECKING:
    from datetime import date

MaybeValue: TypeAlias = GoValue | None

REFLECT: Final = GoType("reflect.Value", GoKind.STRUCT)
"""The type of a parameter that takes any value as it is: in its interface, and as the variable that it is."""
_INTEGERS: Final = frozenset({GoKind.INT, GoKind.UINT8})
_ORDERED: Final = frozenset({GoKind.INT, GoKind.UINT8, GoKind.FLOAT, GoKind.STRING})
_BASIC: Final = _ORDERED | {GoKind.BOOL, GoKind.COMPLEX}
_SIZED: Final = frozenset({GoKind.SLICE, GoKind.MAP, GoKind.STRING})
_NILABLE: Final = frozenset({GoKind.POINTER, GoKind.INTERFACE, GoKind.MAP, GoKind.SLICE, GoKind.FUNC})
_MOST_INDEXES: Final = 3
_HTML: Final = {b"\0": "\ufffd".encode(), b'"': b"&#34;", b"'": b"&#39;", b"&": b"&amp;", b"<": b"&lt;", b">": b"&gt;"}
_HTML_SPECIAL: Final = rb"[\0\"'&<>]"
_JS: Final = {"\\": "\\\\", "'": "\\'", '"': '\\"', "<": "\\u003C", ">": "\\u003E", "&": "\\u0026", "=": "\\u003D"}
_JS_SPECIAL: Final = "[\\\\'\"<>&=\x00-\x1f]|[^\x00-\x7f]"


@record()
class GoFunction:
    """A function of templates and the types of its parameters."""

    call: Callable[..., MaybeValue]
    parameters: tuple[GoType, ...] = ()
    rest: GoType | None = None
    """The type of further arguments, if it takes any."""


def _index(item: MaybeValue, *indexes: MaybeValue) -> MaybeValue:
    found = indirect_interface(item)
    if found is None:
        raise GoError("index of untyped nil")
    for each in indexes:
        index = indirect_interface(each)
        found, is_nil = indirect(found)
        if is_nil or found is None:
            raise GoError("index of nil pointer")
        match found.kind:
            case GoKind.SLICE | GoKind.STRING:
                found = _element(found, _index_of(index, len(found.data or ())))
            case GoKind.MAP:
                if index is None or index.kind is not GoKind.STRING:
                    raise GoError(f"value has type {index.type.name if index else 'nil'}; should be string")
                of = found.type.item
                data = (found.data or {}).get(index.data, _MISSING)
                found = GoValue(of, zero(of) if data is _MISSING else data)
            case _:
                raise GoError(f"can't index item of type {found.type.name}")
    return found


_MISSING: Final = object()


def _element(value: GoValue, index: int) -> GoValue:
    if index >= len(value.data or ()):
        raise GoError("reflect: slice index out of range")
    if value.kind is GoKind.STRING:
        return GoValue(BYTE, value.data[index])
    return GoValue(value.type.item, value.data.array[value.data.start + index], addressable=True)


def _index_of(index: MaybeValue, most: int) -> int:
    if index is None or index.kind not in _INTEGERS:
        raise GoError(f"cannot index slice/array with {f'type {index.type.name}' if index else 'nil'}")
    number: int = index.data
    if not 0 <= number <= most:
        raise GoError(f"index out of range: {number}")
    return number


def _slice(item: MaybeValue, *indexes: MaybeValue) -> MaybeValue:
    found = indirect_interface(item)
    if found is None:
        raise GoError("slice of untyped nil")
    found, is_nil = indirect(found)
    if is_nil or found is None:
        raise GoError("slice of nil pointer")
    if len(indexes) > _MOST_INDEXES:
        raise GoError(f"too many slice indexes: {len(indexes)}")
    if found.kind is GoKind.STRING:
        if len(indexes) == _MOST_INDEXES:
            raise GoError("cannot 3-index slice a string")
        capacity = len(found.data)
    elif found.kind is GoKind.SLICE:
        capacity = 0 if found.data is None else found.data.capacity - found.data.start
    else:
        raise GoError(f"can't slice item of type {found.type.name}")
    start, stop, *end = [
        *(_index_of(index, capacity) for index in indexes),
        *(0, len(found.data or ()))[len(indexes) :],
    ]
    if start > stop or (end and stop > end[0]):
        raise GoError(
            f"invalid slice index: {start} > {stop}" if start > stop else f"invalid slice index: {stop} > {end[0]}"
        )
    if found.kind is GoKind.STRING:
        return GoValue(STRING, found.data[start:stop])
    return GoValue(found.type, None if found.data is None else found.data.part(start, stop, *end))


def _len(item: MaybeValue) -> GoValue:
    found, is_nil = indirect(item)
    if is_nil:
        raise GoError("len of nil pointer")
    if found is None or found.kind not in _SIZED:
        raise GoError(f"len of type {found.type.name}" if found else "reflect: call of Value.Type on zero Value")
    return GoValue(INT, len(found.data or ()))


def _call(function: MaybeValue, *_: MaybeValue) -> MaybeValue:
    function = indirect_interface(function)
    raise GoError("call of nil" if function is None else f"non-function of type {function.type.name}")


def _not(value: MaybeValue) -> GoValue:
    return GoValue(BOOL, not is_true(value))


def _eq(first: MaybeValue, *others: MaybeValue) -> GoValue:
    first = indirect_interface(first)
    if not others:
        raise GoError("missing argument for comparison")
    return GoValue(BOOL, any(_are_equal(first, indirect_interface(other)) for other in others))


def _are_equal(first: MaybeValue, second: MaybeValue) -> bool:
    if first is None or second is None:
        other = first or second
        if other is not None and other.kind in _BASIC:
            return False
        return other is None or (other.kind in _NILABLE and other.data is None)
    if first.kind in _BASIC or second.kind in _BASIC:
        if first.kind is not second.kind and not {first.kind, second.kind} <= _INTEGERS:
            raise GoError(f"incompatible types for comparison: {first.type.name} and {second.type.name}")
        return bool(first.data == second.data)
    if first.kind is not second.kind:
        raise GoError(f"non-comparable types {first.type.name}, {second.type.name}")
    if first.kind in _NILABLE and (first.data is None or second.data is None):
        return first.data is second.data
    if not second.type.comparable:
        raise GoError(f"non-comparable type {second.type.name}")
    return first.type is second.type and first.data is second.data


def _is_less(first: MaybeValue, second: MaybeValue) -> bool:
    first, second = indirect_interface(first), indirect_interface(second)
    if first is None or second is None or first.kind not in _BASIC or second.kind not in _BASIC:
        raise GoError("invalid type for comparison")
    if first.kind is not second.kind and not {first.kind, second.kind} <= _INTEGERS:
        raise GoError(f"incompatible types for comparison: {first.type.name} and {second.type.name}")
    if first.kind not in _ORDERED:
        raise GoError("invalid type for comparison")
    return bool(first.data < second.data)


def _ne(first: MaybeValue, second: MaybeValue) -> GoValue:
    return GoValue(BOOL, not _eq(first, second).data)


def _lt(first: MaybeValue, second: MaybeValue) -> GoValue:
    return GoValue(BOOL, _is_less(first, second))


def _le(first: MaybeValue, second: MaybeValue) -> GoValue:
    return GoValue(BOOL, _is_less(first, second) or _eq(first, second).data)


def _gt(first: MaybeValue, second: MaybeValue) -> GoValue:
    return GoValue(BOOL, not _le(first, second).data)


def _ge(first: MaybeValue, second: MaybeValue) -> GoValue:
    return GoValue(BOOL, not _is_less(first, second))


def _print(*values: MaybeValue) -> GoValue:
    return string(sprint(values))


def _println(*values: MaybeValue) -> GoValue:
    return string(sprintln(values))


def _printf(format_: GoValue, *values: MaybeValue) -> GoValue:
    return string(sprintf(format_.data, values))


def _as_text(values: Sequence[MaybeValue]) -> bytes:
    """Return values as `{{ … }}` prints copies of them."""
    return sprint([_printable(value) for value in values])


def _printable(value: MaybeValue) -> MaybeValue:
    if value is not None and value.kind is GoKind.FUNC:
        return value
    return printable(value and GoValue(value.type, value.data))


def _html(*values: MaybeValue) -> GoValue:
    return string(re.sub(_HTML_SPECIAL, lambda found: _HTML[found[0]], _as_text(values)))


def _js(*values: MaybeValue) -> GoValue:
    text = _as_text(values).decode("utf-8", "surrogateescape")
    return string(re.sub(_JS_SPECIAL, _escape_js, text).encode("utf-8", "surrogateescape"))


def _escape_js(found: re.Match[str]) -> str:
    character = found[0]
    if character in _JS:
        return _JS[character]
    if "\udc80" <= character <= "\udcff" or (not character.isascii() and not is_unprintable(character)):
        return character
    return f"\\u{ord(character):04X}"


def _urlquery(*values: MaybeValue) -> GoValue:
    from urllib.parse import quote_plus

    return string(quote_plus(_as_text(values)))


def _json(value: MaybeValue) -> GoValue:
    try:
        return string(marshal(value))
    except NotJSONError:
        return string(b"")  # Ollama ignores the error


def _type_script_type(value: MaybeValue) -> GoValue:
    value, is_nil = indirect(value)
    method = None if value is None or is_nil else value.type.methods.get("ToTypeScriptType")
    return method(value.data) if method and value else string(b"any")


def _and_or(*_: Any) -> MaybeValue:
    raise AssertionError("the execution handles `and` and `or`, which do not evaluate all arguments")


BUILTINS: Final[Mapping[str, GoFunction]] = MappingProxyType(
    {
        **{name: GoFunction(_and_or, (REFLECT,), REFLECT) for name in ("and", "or")},
        **{
            name: GoFunction(function, (REFLECT,), REFLECT)
            for name, function in {"call": _call, "index": _index, "slice": _slice, "eq": _eq}.items()
        },
        **{name: GoFunction(function, (REFLECT,)) for name, function in {"len": _len, "not": _not}.items()},
        **{
            name: GoFunction(function, (REFLECT, REFLECT))
            for name, function in {"ne": _ne, "lt": _lt, "le": _le, "gt": _gt, "ge": _ge}.items()
        },
        **{
            name: GoFunction(function, (), ANY)
            for name, function in {
                "print": _print,
                "println": _println,
                "html": _html,
                "js": _js,
                "urlquery": _urlquery,
            }.items()
        },
        "printf": GoFunction(_printf, (STRING,), ANY),
    }
)
"""Go's functions."""


def ollama_functions(version: Version, today: date | None) -> dict[str, GoFunction]:
    """Return the functions that a version of Ollama adds; `today` is the date of the server (None: of this machine)."""

    def day(ago: int) -> GoValue:
        from datetime import date, timedelta  # 1 ms that other templates do not need

        return string(((today or date.today()) - timedelta(days=ago)).isoformat())  # noqa: DTZ011  # the server's day

    added = {
        "json": GoFunction(_json, (ANY,)),
        "currentDate": GoFunction(lambda *_: day(0), (), STRING),
        "yesterdayDate": GoFunction(lambda *_: day(1), (), STRING),
        "toTypeScriptType": GoFunction(_type_script_type, (ANY,)),
    }
    return {name: function for name, function in added.items() if version >= FUNCTIONS[name]}
