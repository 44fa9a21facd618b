"""Pointers from commands of other programs: they name what exists, and hide no command."""

import json
import re
from typing import Any

import pytest
import typer
from tests.support.cli import mf

from modelfile.cli.app import COMMANDS
from modelfile.cli.commands import app
from modelfile.cli.pointers import OPTIONS, POINTERS, hint_for

OLLAMA = ("list", "create", "run", "stop", "ps", "serve", "signin", "signout")
"""Commands of Ollama that `mf` has under another name or not at all; it has cp, pull, push, rm and show."""
OTHERS = ("tag", "images", "rmi", "commit", "ci", "format", "status", "log", "inspect", "test", "audit", "stale")


def options(command: str) -> set[str]:
    """Return the options of a command."""
    found: Any = typer.main.get_command(app)
    for word in command.split():
        found = found.get_command(None, word)
    return {option for parameter in found.params for option in parameter.opts}


def test_no_pointer_hides_a_command() -> None:
    assert POINTERS.keys() & {*COMMANDS} == set()
    assert POINTERS.keys() >= {*OLLAMA, *OTHERS, "upgrade", "lock"}


def test_pointers_of_options_name_options_that_exist() -> None:
    exist = {option for command in COMMANDS for option in options(command)}
    assert {option for same in OPTIONS.values() for option in same} <= exist


@pytest.mark.parametrize("command", POINTERS)
def test_pointers_name_commands_and_options_that_exist(command: str) -> None:
    named = [words for text in re.findall(r"`(.+?)`", POINTERS[command]) for words in [text.split()]]
    named = [words[1:] for words in named if words[0] == "mf"]
    for words in named:
        name = words[0] if not words[0].startswith("-") else ""
        assert not name or name in COMMANDS
        name = " ".join(words[:2]) if name == "store" else name
        assert {word for word in words if word.startswith("-")} <= options(name) | {"--help", "-"}
    assert named or re.search("`ollama |https:", POINTERS[command])


@pytest.mark.parametrize(
    ("command", "hint"),
    [
        ("list", "`mf ls` lists models"),
        ("Push", "did you mean `mf push`?"),
        ("ps", "mf leaves that to Ollama: run `ollama ps`"),
        ("shwo", "did you mean `mf show`?"),
        ("zzzzzz", "run `mf --help` to list the commands"),
    ],
)
def test_unknown_command_gets_a_hint(command: str, hint: str) -> None:
    assert hint_for(command, COMMANDS) == hint
    ran = mf(command, "bot:v1", "--json")
    assert (ran.code, json.loads(ran.out)["error"]["hint"]) == (2, hint)
    assert ran.err == f"error: unknown command: `{command}`\nhelp: {hint}\n"
