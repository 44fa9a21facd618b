"""Go's values and types, as far as templates see them: package reflect of Go 1.26."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from enum import Enum, auto
from functools import partial
from typing import Any, Final, TypeAlias

from modelfile.immutable import field, record

_LONE_SURROGATE: Final = "[\ud800-\udfff]"


class GoKind(Enum):
    """The kind of a Go type."""

    BOOL = auto()
    INT = auto()
    UINT8 = auto()
    FLOAT = auto()
    COMPLEX = auto()
    STRING = auto()
    SLICE = auto()
    MAP = auto()
    STRUCT = auto()
    POINTER = auto()
    INTERFACE = auto()
    FUNC = auto()


class GoError(Exception):
    """An error that Go reports while it executes a template; the message is Go's, or begins like it."""


class LimitError(GoError):
    """A limit of `modelfile` that Go does not have."""


@record(eq=False)
class StructField:
    """A field of a Go struct."""

    name: str
    type: GoType
    json: str = ""
    """Its name in JSON; its own name if it is empty."""
    omit_empty: bool = False
    key: str = ""
    """Its name in the request, if it is not that in JSON."""

    @property
    def tag(self) -> str:
        """Its tag, as Go writes it in the name of an unnamed struct."""
        return f' "json:\\"{self.json}{",omitempty" if self.omit_empty else ""}\\""' if self.json else ""


@record(eq=False, frozen=False)
class GoType:
    """A Go type. Two types are the same only if they are one object.

    A struct that contains itself gets its fields later.
    """

    name: str
    """Its name, as `%T` prints it."""
    kind: GoKind
    element: GoType | None = None
    """The type of the elements of a slice or map, and of what a pointer points to."""
    fields: tuple[StructField, ...] = ()
    methods: Mapping[str, Method] = field(default_factory=dict)
    pointer_methods: Mapping[str, Method] = field(default_factory=dict)
    """The methods that only a pointer to it has, or an addressable value."""
    encode: Callable[[Any], str] | None = None
    """Its MarshalJSON, given the data of a value."""
    decode: Callable[[Any, str], Any] | None = None
    """Its UnmarshalJSON, given JSON data and its location in the request."""
    comparable: bool = True
    is_opaque: bool = False
    """True if it has unexported fields, which no template can read."""

    @property
    def item(self) -> GoType:
        """The type of the elements, which slices, maps and pointers have."""
        return self.element or ANY

    def field(self, name: str) -> int | None:
        """Return the index of a field."""
        return next((index for index, each in enumerate(self.fields) if each.name == name), None)


Method: TypeAlias = Callable[[Any], "GoValue"]
"""A method without arguments, given the data of its receiver."""

ANY: Final = GoType("interface {}", GoKind.INTERFACE)
BOOL: Final = GoType("bool", GoKind.BOOL)
INT: Final = GoType("int", GoKind.INT)
BYTE: Final = GoType("uint8", GoKind.UINT8)
FLOAT: Final = GoType("float64", GoKind.FLOAT)
COMPLEX: Final = GoType("complex128", GoKind.COMPLEX)
STRING: Final = GoType("string", GoKind.STRING)
_COMPOSITES: Final[dict[tuple[GoKind, GoType], GoType]] = {}


def slice_of(element: GoType) -> GoType:
    """Return the type of slices of a type."""
    return _composite(GoKind.SLICE, "[]", element, comparable=False)


def map_of(element: GoType) -> GoType:
    """Return the type of maps from strings to a type."""
    return _composite(GoKind.MAP, "map[string]", element, comparable=False)


def pointer_to(element: GoType) -> GoType:
    """Return the type of pointers to a type."""
    return _composite(GoKind.POINTER, "*", element, comparable=True)


def _composite(kind: GoKind, prefix: str, element: GoType, *, comparable: bool) -> GoType:
    key = kind, element
    if key not in _COMPOSITES:
        _COMPOSITES[key] = GoType(prefix + element.name, kind, element, comparable=comparable)
    return _COMPOSITES[key]


STRINGS: Final = slice_of(STRING)
ANYS: Final = slice_of(ANY)
BYTES: Final = GoType("[]uint8", GoKind.SLICE, BYTE, comparable=False)
OBJECT: Final = map_of(ANY)


@record(eq=False)
class GoValue:
    """A value of a Go type.

    Its data is a bool, int, float or complex; bytes for a string; a Window, None if nil, for a slice; a dict by bytes,
    None if nil, for a map; a list, one item per field, for a struct; a Reference or None for a pointer; a GoValue or
    None for an interface; a function that yields pairs of values for a func. Where a value may be missing, as Go's
    zero reflect.Value, it is None.
    """

    type: GoType
    data: Any
    addressable: bool = False

    @property
    def kind(self) -> GoKind:
        """The kind of its type."""
        return self.type.kind

    @property
    def is_nil(self) -> bool:
        """True if it is nil, of a kind that can be."""
        return self.data is None


@record(eq=False, frozen=False)
class Reference:
    """The variable that a pointer points to."""

    data: Any


@record(eq=False)
class Window:
    """A part of an array: the data of a slice."""

    array: list[Any]
    """The data of the elements; those beyond its end are zero values."""
    start: int
    stop: int
    capacity: int
    """The offset in the array up to which a slice of this slice can reach."""

    @classmethod
    def of(cls, items: list[Any]) -> Window:
        """Return the window of a whole array."""
        return cls(items, 0, len(items), len(items))

    def __len__(self) -> int:
        return self.stop - self.start

    def __iter__(self) -> Iterator[Any]:
        return map(self.array.__getitem__, range(self.start, self.stop))  # no copy: a loop may end at once

    def part(self, start: int, stop: int, capacity: int | None = None) -> Window:
        """Return a slice of this slice; the arguments count from its start."""
        end = self.capacity if capacity is None else self.start + capacity
        return Window(self.array, self.start + start, self.start + stop, end)


def to_bytes(text: str) -> bytes:
    """Return a text as Go stores it: UTF-8, lone surrogates as U+FFFD."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return re.sub(_LONE_SURROGATE, "\ufffd", text).encode()


def to_text(data: bytes) -> str:
    """Return bytes as Go reads them: each byte that is not UTF-8 becomes U+FFFD."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return re.sub(_LONE_SURROGATE, "\ufffd", data.decode("utf-8", "surrogateescape"))


def string(value: str | bytes) -> GoValue:
    """Return a Go string."""
    return GoValue(STRING, to_bytes(value) if isinstance(value, str) else value)


def strings(items: list[str]) -> GoValue:
    """Return a slice of strings."""
    return GoValue(STRINGS, Window.of([to_bytes(item) for item in items]))


def zero(of: GoType) -> Any:  # noqa: PLR0911  # one for each kind
    """Return the data of the zero value of a type."""
    match of.kind:
        case GoKind.BOOL:
            return False
        case GoKind.INT | GoKind.UINT8:
            return 0
        case GoKind.FLOAT:
            return 0.0
        case GoKind.COMPLEX:
            return 0j
        case GoKind.STRING:
            return b""
        case GoKind.STRUCT:
            return [zero(each.type) for each in of.fields]
        case _:
            return None


def element_of(value: GoValue) -> GoValue | None:
    """Return the value in an interface or behind a pointer; None if that is nil."""
    if value.kind is GoKind.INTERFACE:
        inner: GoValue | None = value.data
        return inner
    return None if value.data is None else GoValue(value.type.item, value.data.data, addressable=True)


def indirect(value: GoValue | None) -> tuple[GoValue | None, bool]:
    """Return the value behind all pointers and interfaces, and True if one of them is nil, which is then returned."""
    while value is not None and value.kind in {GoKind.POINTER, GoKind.INTERFACE}:
        if value.data is None:
            return value, True
        value = element_of(value)
    return value, False


def indirect_interface(value: GoValue | None) -> GoValue | None:
    """Return the value in an interface; any other value as it is."""
    return element_of(value) if value is not None and value.kind is GoKind.INTERFACE else value


def is_true(value: GoValue | None) -> bool:
    """Return whether `if` takes a value for true: whether it is not the zero of its type; structs are always true."""
    value = indirect_interface(value)
    if value is None:
        return False
    match value.kind:
        case GoKind.STRUCT:
            return True
        case GoKind.POINTER | GoKind.FUNC | GoKind.INTERFACE:
            return value.data is not None
        case GoKind.SLICE:
            return value.data is not None and len(value.data) > 0
        case _:
            return bool(value.data)


def weigh(data: Any, most: int) -> tuple[int, int]:
    """Return the bytes of all strings in the data of a value, and the number of its fields and elements.

    Args:
        data: The data.
        most: The number of either at which to stop.
    """
    length, count, pending = 0, 0, [data]
    while pending and max(length, count) <= most:
        match each := pending.pop():
            case bytes():
                length += len(each)
            case Window() if each and isinstance(each.array[each.start], int):  # an image
                length += len(each)
            case Window() | list() | tuple():
                count += len(each)
                pending += each
            case dict():
                count += len(each)
                pending += each.keys()
                pending += each.values()
            case GoValue() | Reference():
                pending.append(each.data)
            case _:
                pass
    return length, count


def find_method(value: GoValue, name: str) -> Callable[[], GoValue] | None:
    """Return a method of a value or of the variable that it is, bound to it.

    Raises:
        GoError: When it is called, if it needs a value and the pointer is nil.
    """
    if value.kind is GoKind.POINTER:
        target = value.type.item
        if method := target.pointer_methods.get(name):
            return partial(method, None if value.data is None else value.data.data)
        if method := target.methods.get(name):
            if value.data is None:
                raise GoError(f"value method {target.name}.{name} called using nil pointer")
            return partial(method, value.data.data)
        return None
    method = value.type.methods.get(name) or (value.type.pointer_methods.get(name) if value.addressable else None)
    return partial(method, value.data) if method else None
