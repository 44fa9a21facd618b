"""The program `mf`, its exit codes, and the one place where errors become messages.

Exit codes: 0 done and clean; 1 done, and there is something to see; 2 wrong usage or configuration; 3 could not do it
(a server unreachable, a file unreadable); 130 interrupted; 141 nobody reads on.

With --json, what goes wrong is {"error", "hint"} on standard output too; `hint` may be null.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Final, TextIO, cast

import typer
from typer.core import TyperGroup

from modelfile.errors import ModelfileError, Refused, UsageError
from modelfile.report.terminal import SafeStream, print_error

REFUSED: Final = 1
USAGE: Final = 2
FAILED: Final = 3
UNREAD: Final = 141
"""As the shell has it for what SIGPIPE ends."""

COMMANDS: Final = (
    "lint",
    "fmt",
    "parse",
    "build",
    "pin",
    "diff",
    "show",
    "ls",
    "cp",
    "rm",
    "pull",
    "rollback",
    "explain",
    "config",
)
"""In the order of the help; each a module of its name with a function of its name."""


class _Commands(TyperGroup):
    """Imports the command that is asked for, and no other."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            if told := getattr(error, "format_message", None):  # of typer, which prints it itself
                _answer(told(), None)
            raise

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  # as typer calls it
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002  # as typer calls it
        if cmd_name not in COMMANDS:
            from difflib import get_close_matches

            close = get_close_matches(cmd_name, COMMANDS, n=1)
            hint = f"did you mean `mf {close[0]}`?" if close else "`mf --help` lists the commands"
            raise UsageError(f"there is no command `{cmd_name}`", hint=hint)
        single = typer.Typer(rich_markup_mode=None, add_completion=False)
        single.command(name=cmd_name)(getattr(import_module(f"modelfile.cli.{cmd_name}"), cmd_name))
        command = typer.main.get_command(single)
        for option in command.params:
            if option.name == "host" and not getattr(option, "multiple", True):
                option.multiple, option.callback = True, _only
        return command


def _only(_: Any, option: Any, values: Any) -> str | None:
    """The one value of an option, of which the last would count silently."""
    if len(values or ()) > 1:
        raise UsageError(f"takes one {option.opts[0]}", hint="only `mf build` takes several")
    return values[0] if values else None


app = typer.Typer(
    name="mf",
    cls=_Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(*, asked: bool) -> None:
    if asked:
        from importlib.metadata import version  # 10 ms that only this option pays

        typer.echo(f"mf {version('modelfile')}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[  # its callback does the work
        bool, typer.Option("--version", "-V", help="Print the version.", callback=lambda value: _version(asked=value))
    ] = False,
) -> None:
    """Lint, build, pin and diff Ollama Modelfiles.

    Exit codes: 0 clean; 1 something to see; 2 wrong usage; 3 could not do it; 130 interrupted; 141 unread.

    With --json, what goes wrong is {"error", "hint"} on standard output too; `hint` may be null.
    """


def main() -> None:
    """Run the command line."""
    _open_what_is_closed()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what the terminal's encoding cannot say is spelled out
    sys.stderr = cast("TextIO", SafeStream(sys.stderr))
    try:
        _run()
    except (BrokenPipeError, SystemExit) as stop:
        if BrokenPipeError not in (type(stop), type(stop.__context__)):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left goes nowhere
        sys.exit(UNREAD)


def _run() -> None:
    try:
        try:
            app(prog_name="mf")
        finally:
            sys.stdout.flush()
    except ModelfileError as error:
        if not isinstance(error, Refused):
            print_error(error.message, error.hint)
        _answer(error.message, error.hint)
        sys.exit(_exit_code(error))
    except BrokenPipeError:
        raise
    except OSError as error:
        what = f"could not read or write{f' `{error.filename}`' if error.filename else ''}: {error.strerror or error}"
        print_error(what, None)
        with contextlib.suppress(OSError):  # it may be what cannot be written
            _answer(what, None)
        sys.exit(FAILED)


def _exit_code(error: ModelfileError) -> int:
    match error:
        case Refused():
            return REFUSED
        case UsageError():
            return USAGE
        case _:
            return FAILED


def _answer(message: str, hint: str | None) -> None:
    """Tell a program that asked for JSON what went wrong; its words are looked at, for they may be what is wrong."""
    words = sys.argv[1:]
    if {"--json", "--format=json"} & {*words} or ("--format", "json") in pairwise(words):
        from modelfile.cli.models import print_json

        print_json({"error": message, "hint": hint})


def _open_what_is_closed() -> None:
    """Give what is not there (`>&-`) a place where nobody reads it, lest the next file opened take its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115  # open to the end
