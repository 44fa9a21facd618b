"""The decorator of classes of values: it does what that of `dataclasses` does, without importing it.

To import `dataclasses`, with `inspect` and `ast`, and to let it write and compile the methods of each class took a
fifth of the time of a lint. Here nothing is compiled but `__init__`, when the first instance is made.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, TypeVar, dataclass_transform

__all__ = ["asdict", "field", "field_names", "record", "replace", "required_field_names"]

_T = TypeVar("_T")
_REQUIRED: Final = object()
_FIELDS: Final = "__record_fields__"
"""The attribute with the fields of a record by name."""


class _Field:
    """A field of a record: the options that `dataclasses.field` takes."""

    __slots__ = ("annotation", "compare", "default", "default_factory", "init", "kw_only", "repr")
    annotation: object
    kw_only: bool

    def __init__(
        self,
        *,
        default: object = _REQUIRED,
        default_factory: Callable[[], object] | None = None,
        init: bool = True,
        repr: bool = True,  # noqa: A002  # as in dataclasses
        compare: bool = True,
    ) -> None:
        self.default, self.default_factory = default, default_factory
        self.init, self.repr, self.compare = init, repr, compare


if TYPE_CHECKING:
    from dataclasses import field, replace
else:
    field = _Field

    def replace(value: _T, /, **changes: Any) -> _T:
        """Return a copy with other values of some fields."""
        fields = _fields(value.__class__)
        if not fields:
            import dataclasses

            return dataclasses.replace(value, **changes)
        return value.__class__(**{name: getattr(value, name) for name, each in fields.items() if each.init} | changes)


def field_names(kind: type) -> tuple[str, ...]:
    """Return the names of the fields of a record."""
    return tuple(_fields(kind))


def required_field_names(kind: type) -> frozenset[str]:
    """Return the names of the fields of a record that have no default."""
    fields = _fields(kind).items()
    return frozenset(name for name, each in fields if each.default is _REQUIRED and not each.default_factory)


def asdict(value: object) -> dict[str, Any]:
    """Return the fields of a record by name, with those of the records in them; other values are not copied."""
    return {name: _plain(getattr(value, name)) for name in _fields(value.__class__)}


def _plain(value: Any) -> Any:
    if _fields(value.__class__):
        return asdict(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value.__class__(map(_plain, value)) if isinstance(value, list | tuple) else value


def _fields(kind: type) -> dict[str, _Field]:
    fields: dict[str, _Field] = getattr(kind, _FIELDS, {})
    return fields


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(
    *, kw_only: bool = False, eq: bool = True, slots: bool = True, frozen: bool = True
) -> Callable[[type[_T]], type[_T]]:
    """Return the decorator of a class of values: a dataclass to the functions of `dataclasses` and to type checkers.

    Only type checkers know that it is frozen: to make an instance of one that is frozen at run time takes three times
    as long.

    Args:
        kw_only: Whether fields are given by name only.
        eq: Whether instances are equal if their fields are.
        slots: Whether instances have no other attributes; a class with cached properties needs them.
        frozen: Whether instances never change; those that do have no hash.
    """

    def decorate(cls: type[_T]) -> type[_T]:
        own = {name: _declared(cls, name, annotation, kw_only) for name, annotation in cls.__annotations__.items()}
        fields: dict[str, _Field] = {}
        for base in reversed(cls.__mro__[1:]):
            fields |= _fields(base)
        fields |= own
        made: dict[str, Any] = {
            _FIELDS: fields,
            "__dataclass_fields__": _Lazy(_make_dataclass_fields),
            "__match_args__": tuple(name for name, each in fields.items() if each.init and not each.kw_only),
            "__init__": _Lazy(_make_init),
            "__repr__": _describe,
            "__qualname__": cls.__qualname__,
        }
        if slots:
            made["__slots__"] = tuple(own)
        if eq:
            compared = _getter([name for name, each in fields.items() if each.compare])
            made |= {"__eq__": _equal_by(compared), "__hash__": _hash_by(compared) if frozen else None}
        replaced = {*own, "__dict__", "__weakref__"}
        members = {name: member for name, member in vars(cls).items() if name not in replaced}
        make_class: Any = type(cls)  # ABCMeta, for example
        again: type[_T] = make_class(cls.__name__, cls.__bases__, made | members)
        return again

    return decorate


def _declared(cls: type, name: str, annotation: object, kw_only: bool) -> _Field:  # noqa: FBT001  # as the decorator's
    value = vars(cls).get(name, _REQUIRED)
    if value.__class__.__module__ == "dataclasses":
        raise TypeError(f"`{name}` of {cls.__qualname__} needs `modelfile.immutable.field`")
    declared = value if isinstance(value, _Field) else _Field(default=value)
    declared.annotation, declared.kw_only = annotation, kw_only
    return declared


class _Lazy:
    """An attribute of a class that is made when it is first asked for."""

    def __init__(self, make: Callable[[type], Any]) -> None:
        self._make = make

    def __set_name__(self, owner: type, name: str) -> None:
        self._owner, self._name = owner, name

    def __get__(self, instance: object, owner: type) -> Any:
        made = self._make(self._owner)
        setattr(self._owner, self._name, made)
        return made.__get__(instance, owner) if hasattr(made, "__get__") else made


def _make_init(cls: type) -> Callable[..., None]:
    """Write and compile the method `__init__` of a record."""
    scope: dict[str, Any] = {"__name__": cls.__module__, "_REQUIRED": _REQUIRED}
    positional, named, lines = ["self"], list[str](), list[str]()
    for name, each in _fields(cls).items():
        default = f"_default_{name}"
        value = name if each.init else default
        if each.default_factory:
            scope[default] = each.default_factory
            value = f"{default}() if {name} is _REQUIRED else {name}" if each.init else f"{default}()"
        elif each.default is not _REQUIRED:
            scope[default] = each.default
        if each.init:
            given = "_REQUIRED" if each.default_factory else default
            parameter = f"{name}={given}" if given in scope else name
            (named if each.kw_only else positional).append(parameter)
        if each.init or default in scope:
            lines.append(f"self.{name}={value}")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    head = ",".join([*positional, *(["*", *named] if named else [])])
    exec(f"def __init__({head}):\n " + "\n ".join(lines or ["pass"]), scope)  # noqa: S102  # as dataclasses does
    init: Callable[..., None] = scope["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    init.__annotations__ = {name: each.annotation for name, each in _fields(cls).items() if each.init}
    return init


def _make_dataclass_fields(cls: type) -> dict[str, Any]:
    """Return the fields in the form in which the functions of `dataclasses` ask for them."""
    import dataclasses

    fields = []
    for name, each in _fields(cls).items():
        options = {option: getattr(each, option) for option in ("init", "repr", "compare", "kw_only")}
        if each.default_factory:
            options["default_factory"] = each.default_factory
        elif each.default is not _REQUIRED:
            options["default"] = each.default
        fields.append((name, each.annotation, dataclasses.field(**options)))
    made: Any = dataclasses.make_dataclass(cls.__name__, fields)
    described: dict[str, Any] = made.__dataclass_fields__
    return described


def _describe(self: Any) -> str:
    shown = [name for name, each in _fields(self.__class__).items() if each.repr]
    return f"{self.__class__.__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"


def _equal_by(compared: Callable[[Any], Any]) -> Callable[[Any, object], bool]:
    def equals(self: Any, other: object) -> bool:
        return compared(self) == compared(other) if other.__class__ is self.__class__ else NotImplemented

    return equals


def _hash_by(compared: Callable[[Any], Any]) -> Callable[[Any], int]:
    def make_hash(self: Any) -> int:
        return hash(compared(self))

    return make_hash


def _getter(names: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Return a function that makes a tuple of attributes."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda value: tuple(getattr(value, name) for name in names)
