"""The arguments of ordinary commands, parsed without typer: to import it takes longer than most commands.

Whatever is unusual is left to typer, which has the last word on each error, and all of the help.
"""

from __future__ import annotations

from enum import Enum, EnumType
from importlib import import_module
from itertools import chain
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, cast, get_args, get_origin, get_type_hints

from modelfile.cli.help import GROUPS
from modelfile.cli.parameters import Argument, Option
from modelfile.immutable import record
from modelfile.report.terminal import Color

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_COMMON: Final = {
    "quiet": Annotated[bool, Option("--quiet", "-q", help="")],
    "no_cache": Annotated[bool, Option("--no-cache", help="")],
    "color": Annotated[Color, Option("--color", help="")],
}
"""Options that every command has. Those for time limits are rare."""
_DIGITS: Final = 9
"""Most digits of a number."""
_STREAM: Final = "-"
"""Standard input or output, which is not an option."""


@record(kw_only=True)
class Call:
    """A command and what it is called with."""

    function: Callable[..., int | None]
    arguments: Mapping[str, Any]
    """The values by the name of the parameter."""
    quiet: bool
    no_cache: bool

    @property
    def as_json(self) -> bool:
        """True if the output is JSON."""
        return bool(self.arguments.get("as_json")) or self.arguments.get("output_format") == "json"


def parse(argv: Sequence[str]) -> Call | None:
    """Return the command that arguments call, or None if only typer can tell, as it is for every mistake in them."""
    package, words = "modelfile.cli", [*argv]
    names: Sequence[str] = (*chain(*GROUPS.values()),)
    while names:
        if not words or words[0] not in names:
            return None
        name = words.pop(0)
        package = f"{package}.{name}"
        module = import_module(package)
        names = getattr(module, "COMMANDS", ())
    function = getattr(module, name)
    found = _match(words, get_type_hints(function, include_extras=True) | _COMMON)
    if found is None or not _required(function) <= found.keys():
        return None
    common = {name: found.pop(name, False) for name in _COMMON}
    return Call(function=function, arguments=found, quiet=common["quiet"], no_cache=common["no_cache"])


def _required(function: Any) -> set[str]:
    """Return the names of the parameters without a default."""
    code = function.__code__
    positional = code.co_varnames[: code.co_argcount - len(function.__defaults__ or ())]
    named = code.co_varnames[code.co_argcount :][: code.co_kwonlyargcount]
    return {*positional, *named} - (function.__kwdefaults__ or {}).keys()


def _match(words: Iterable[str], hints: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the values of parameters by name, or None if words do not match their annotations."""
    options, positions = dict[str, str](), list[str]()
    for name, hint in hints.items():
        match getattr(hint, "__metadata__", ()):
            case (Option(names=names),):
                # typer splits the names of a switch and its opposite, as in `--pull/--no-pull`
                options |= dict.fromkeys((each for each in names if "/" not in each), name)
                options |= {} if names else {f"--{name.replace('_', '-')}": name}
            case (Argument(),):
                positions.append(name)
            case _:  # of what the command returns
                continue
    given: list[tuple[str, str]] = []
    words = iter(words)
    for word in words:
        spelling, has_value, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if word == _STREAM or not word.startswith("-"):
            if not positions:
                return None
            given.append((positions[0] if _is_list(hints[positions[0]]) else positions.pop(0), word))
        elif (option := options.get(spelling)) is None:
            return None
        elif _kind(hints[option]) is bool:
            given.append((option, has_value))
        else:
            value = value if has_value else next(words, "")
            given.append((option, "" if value.startswith("-") and value != _STREAM else value))
    return _convert(given, hints)


def _convert(given: Iterable[tuple[str, str]], hints: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the values of parameters by name, or None if one is wrong, or is given twice."""
    found: dict[str, Any] = {}
    for name, text in given:
        hint = hints[name]
        if (value := _value(_kind(hint), text, hint.__metadata__[0])) is None or (name in found and not _is_list(hint)):
            return None
        found[name] = [*found.get(name, ()), value] if _is_list(hint) else value
    return found


def _value(kind: Any, text: str, settings: Option | Argument) -> Any:
    """Return the value that a text has in a type; None if it may have none."""
    if kind is bool:
        return True if not text else None
    if kind is str:
        return text or None
    if kind is int:
        least = (settings.min if isinstance(settings, Option) else None) or 0
        return int(text) if len(text) <= _DIGITS and text.isdecimal() and int(text) >= least else None
    if isinstance(kind, EnumType):
        return {each.value: each for each in cast("type[Enum]", kind)}.get(text)
    return text if get_origin(kind) is Literal and text in get_args(kind) else None


def _is_list(hint: Any) -> bool:
    return get_origin(_without_none(hint)) is list


def _kind(hint: Any) -> Any:
    """Return the type of one value of a parameter."""
    kind = _without_none(hint)
    return get_args(kind)[0] if get_origin(kind) is list else kind


def _without_none(hint: Any) -> Any:
    """Return the type in an annotation, without None."""
    kind = hint.__origin__
    return next(each for each in get_args(kind) if each is not NoneType) if isinstance(kind, UnionType) else kind
