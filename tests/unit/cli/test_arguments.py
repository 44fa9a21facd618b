"""Tests of the parser of ordinary arguments: whatever it parses, typer parses alike."""

import inspect
import io
from collections.abc import Iterator
from contextvars import copy_context
from random import Random
from typing import Any

import pytest
import typer

from modelfile import cache
from modelfile.cli.app import COMMANDS, Run
from modelfile.cli.arguments import Call, parse
from modelfile.cli.commands import app
from modelfile.report.terminal import Terminal, current

VALUES = (
    "bot:v1",
    "-",
    "7",
    "0",
    "json",
    "error",
    "x=y",
    "install",
    "a b",
    "always",
    "",
    "-1",
    "--json",
    "--",
    "\u0667",
)
ROUNDS = 200


def commands() -> Iterator[str]:
    """Yield the words of each command."""
    group: Any = typer.main.get_command(app)
    for name in COMMANDS:
        command = group.get_command(None, name)
        inner = command.list_commands(None) if hasattr(command, "list_commands") else ()
        yield from [f"{name} {each}" for each in inner] if inner else [name]


def command_of(words: str) -> Any:
    """Return typer's command."""
    found: Any = typer.main.get_command(app)
    for word in words.split():
        found = found.get_command(None, word)
    return found


def by_typer(command: Any, arguments: list[str]) -> tuple[dict[str, Any], bool]:
    """Return the values of parameters that typer finds, and whether the terminal is to be quiet."""
    stream = io.StringIO()
    terminal = Terminal(stream, stream, stream, {})
    current.set(terminal)
    try:
        with command.make_context("mf", arguments, obj=Run(as_json=False)) as context:
            return {name: _plain(value) for name, value in context.params.items()}, terminal.quiet
    finally:
        cache.enable(enabled=True)  # as a run does at its end


def _plain(value: Any) -> Any:
    """Return a value with which commands are called: typer makes lists of tuples, and no list is None."""
    return (list(value) or None) if isinstance(value, tuple) else value


def values_of(call: Call) -> dict[str, Any]:
    """Return the values of all parameters, also of those that are not given."""
    parameters = inspect.signature(call.function).parameters.values()
    return {each.name: call.arguments.get(each.name, each.default) for each in parameters}


def words_for(command: Any, random: Random) -> list[str]:
    """Return arguments, of which many are wrong."""
    spellings = [spelling for parameter in command.params for spelling in parameter.opts if spelling.startswith("-")]
    words = []
    for _ in range(random.randrange(5)):
        value, spelling = random.choice(VALUES), random.choice([*spellings, "--other", "-x", "-qa"])
        words += random.choice([[value], [spelling], [spelling, value], [f"{spelling}={value}"]])
    return words


@pytest.mark.parametrize("words", [*commands()])
def test_typer_parses_alike(words: str) -> None:
    command, random, parsed = command_of(words), Random(words), 0  # noqa: S311  # no secret
    for _ in range(ROUNDS):
        arguments = words_for(command, random)
        if call := parse([*words.split(), *arguments]):
            parsed += 1
            expected, quiet = copy_context().run(by_typer, command, [*arguments])
            assert values_of(call) == expected, arguments
            assert call.quiet == quiet, arguments
    assert parsed > 0


@pytest.mark.parametrize("words", [*commands()])
def test_what_is_unusual_is_left_to_typer(words: str) -> None:
    names = words.split()
    for wrong in ("--help", "-h", "--other", "-qx", "--", "", "--json=1", "--color=blue", "--color"):
        assert parse([*names, wrong]) is None, wrong
    assert parse(["--color", "never", *names]) is None
    assert parse([names[0], "-q"][: len(names) - 1]) is None


def test_a_call_has_values_of_the_types_of_its_command() -> None:
    call = parse(["build", "a:v1", "-f", "-", "b:v1", "--host=x", "--host", "y", "--keep", "3", "--json", "-q"])
    assert call is not None
    assert call.arguments == {
        "names": ["a:v1", "b:v1"],
        "file": "-",
        "host": ["x", "y"],
        "keep": 3,
        "as_json": True,
    }
    assert (call.as_json, call.quiet, call.no_cache) == (True, True, False)
    lint = parse(["lint", "--format", "json", "--no-cache"])
    assert lint is not None
    assert (lint.as_json, lint.quiet, lint.no_cache) == (True, False, True)


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["list"],
        ["-V"],
        ["store"],
        ["store", "list"],
        ["cp", "a:v1"],
        ["cp", "a:v1", "b:v1", "c:v1"],
        ["ls", "--store", "a", "--store", "b"],
        ["build", "a:v1", "--keep", "-1"],
        ["build", "a:v1", "--keep", "1.5"],
        ["build", "a:v1", "--file"],
        ["build", "a:v1", "--file", "--json"],
        ["lint", "--format", "yaml"],
        ["ls", "--timeout", "3"],
        ["ls", "--insecure"],
        ["pin", "--pull/--no-pull"],
    ],
)
def test_mistakes_and_rare_options_are_left_to_typer(argv: list[str]) -> None:
    assert parse(argv) is None
