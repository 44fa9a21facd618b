"""The program `mf`: its commands, exit codes, and error boundary.

The exit codes are `modelfile.errors.ExitCode`.

With --json, an error is also printed on standard output: {"error": {"message", "hint", "code"}}; hint may be null.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextvars import copy_context
from dataclasses import dataclass
from importlib import import_module
from itertools import pairwise, takewhile
from typing import TYPE_CHECKING, Annotated, Any, Final, TextIO, cast, get_args

import typer
from typer._click.exceptions import UsageError as WrongUsage  # these two have no public name
from typer._types import TyperChoice
from typer.core import TyperCommand, TyperGroup, TyperOption

from modelfile.cli.failures import guard
from modelfile.cli.help import GROUPS, PanelHelp, print_help
from modelfile.errors import ExitCode, UsageError
from modelfile.events import Clock
from modelfile.report.terminal import Color, Terminal, current

if TYPE_CHECKING:
    from modelfile.cli.options import OpenRegistry, OpenStore

COMMANDS: Final = tuple(name for names in GROUPS.values() for name in names)
"""Commands in the order of the help; each is a module and a function of that name."""

ENVIRONMENT: Final = {
    "OLLAMA_HOST": "Address of the Ollama server, as Ollama reads it; default: http://127.0.0.1:11434.",
    "OLLAMA_API_KEY": "Bearer token for the server; sent over https and to loopback only.",
    "OLLAMA_MODELS": "Folder of the server's models, which `mf doctor` examines; default: ~/.ollama/models.",
    "NO_COLOR": "If set and not empty, print without color; --color wins.",
    "FORCE_COLOR": "If set and not empty, print with color everywhere; NO_COLOR wins.",
    "TERM": "Type of the terminal; `dumb`: print without color and progress bars.",
    "GITHUB_ACTIONS": "If set, like TF_BUILD and TEAMCITY_VERSION, no line of text starts a workflow command.",
    "COLUMNS": "Width of help and tables; default: the width of the terminal.",
    "MF_DEBUG": "If 1, print the traceback of an internal error instead of writing it to a file.",
    "MF_CACHE_DIR": "Folder of the cache, an absolute path; default: the folder `modelfile` in the folder for caches.",
    "XDG_CACHE_HOME": "Folder for caches, an absolute path; default: %LOCALAPPDATA% if set, or ~/.cache.",
}
"""The environment variables that `mf` reads. The HTTP client also honors the usual proxy and certificate variables."""

_LONGEST_WAIT: Final = 7 * 86_400
"""Longest time limit that can be set, in seconds."""


@dataclass(slots=True)
class _Run:
    """The facts about the current command that the error boundary needs."""

    as_json: bool
    """True to print errors as JSON; guessed from the arguments until they are parsed."""


class _HelpOnTerminal(PanelHelp):
    """A mixin for commands and groups that prints help on the terminal of the run, and names itself in errors."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)  # type: ignore[misc, no-any-return]  # of the class it is mixed into
        except WrongUsage as error:
            error.ctx = error.ctx or ctx
            raise

    def get_help_option(self, ctx: Any) -> Any:
        option = super().get_help_option(ctx)  # type: ignore[misc]  # of the class it is mixed into
        option.callback = _print_help
        return option


def _print_help(ctx: Any, _: Any, asked: bool) -> None:  # noqa: FBT001  # as typer calls it
    if asked:
        print_help(ctx.get_help(), current.get())
        ctx.exit()


class _Command(_HelpOnTerminal, TyperCommand):
    """A command that passes --json on to the error boundary."""

    def invoke(self, ctx: Any) -> Any:
        ctx.obj.as_json = ctx.params.get("as_json") or ctx.params.get("output_format") == "json"
        return super().invoke(ctx)


class _Commands(_HelpOnTerminal, TyperGroup):
    """The group of all commands, which imports only the requested one."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  # as typer calls it
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002  # as typer calls it
        if cmd_name not in COMMANDS:
            from modelfile.cli.pointers import hint_for

            raise UsageError(f"unknown command: `{cmd_name}`", hint=hint_for(cmd_name, COMMANDS))
        single = typer.Typer(rich_markup_mode=None, add_completion=False)
        single.command(name=cmd_name, cls=_Command)(getattr(import_module(f"modelfile.cli.{cmd_name}"), cmd_name))
        command = typer.main.get_command(single)
        for option in command.params:
            if option.name == "host" and not getattr(option, "multiple", True):
                option.multiple, option.callback = True, _only
        if any(option.name == "host" for option in command.params):
            command.params += _limit_options()
        command.params += [_color_option(), *_common_options()]
        return command


def _only(_: Any, option: Any, values: Any) -> str | None:
    """Return the value of an option, and reject several: typer would silently use the last."""
    if len(values or ()) > 1:
        raise UsageError(f"{option.opts[0]} given more than once", hint="only `mf build` accepts several")
    return values[0] if values else None


def _limit_options() -> list[TyperOption]:
    """Return the options of every command that asks a server."""
    return [
        TyperOption(
            param_decls=[f"--{name}"],
            type=float,
            metavar="SECONDS",
            help=text,
            expose_value=False,
            callback=_set_limit,
            show_default=False,
        )
        for name, text in (
            ("timeout", "Time limit for an answer of the server; default: 30."),
            ("idle-timeout", "Time limit for a transfer without progress; default: 300."),
        )
    ]


def _set_limit(_ctx: Any, option: Any, seconds: float | None) -> None:
    if seconds is None:
        return
    if not 0 < seconds <= _LONGEST_WAIT:
        raise UsageError(f"invalid {option.opts[0]}: {seconds:g}", hint="pass a number of seconds above 0, as in 90")
    from modelfile.cli.options import limits

    field = "answer" if option.name == "timeout" else "idle"
    limits.set({**limits.get(), field: seconds})


def _color_option() -> TyperOption:
    """Return the option that every command has; `_color_in` reads it, because it also applies to errors in options."""
    return TyperOption(
        param_decls=["--color"],
        type=TyperChoice(get_args(Color)),
        help="Use colors; default: on terminals, see NO_COLOR and FORCE_COLOR.",
        expose_value=False,
    )


def _color_in(argv: Sequence[str]) -> Color:
    """Return the last valid --color of the arguments."""
    color: Color = "auto"
    options = [*takewhile("--".__ne__, argv)]
    for option, value in [*pairwise(options), *(option.split("=", 1) for option in options if "=" in option)]:
        if option == "--color" and value in get_args(Color):
            color = cast("Color", value)
    return color


def _common_options() -> list[TyperOption]:
    """Return the switches that every command has."""
    options = (
        (["--quiet", "-q"], "Print results and errors only.", _set_quiet),
        (["--no-cache"], "Neither read nor write the cache.", _set_no_cache),
    )
    return [
        TyperOption(
            param_decls=names,
            help=text,
            is_flag=True,
            default=False,
            expose_value=False,
            callback=callback,
            show_default=False,
        )
        for names, text, callback in options
    ]


def _set_quiet(_ctx: Any, _option: Any, quiet: bool) -> None:  # noqa: FBT001  # as typer calls it
    current.get().quiet = quiet


def _set_no_cache(_ctx: Any, _option: Any, disabled: bool) -> None:  # noqa: FBT001  # as typer calls it
    if disabled or "modelfile.cache" in sys.modules:  # it is on at first, and a lint saves the import
        from modelfile import cache

        cache.enable(enabled=not disabled)


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
        from importlib.metadata import version  # 10 ms, paid only by this option

        current.get().print(f"mf {version('modelfile')}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[  # its callback does the work
        bool, typer.Option("--version", "-V", help="Print the version.", callback=lambda value: _version(asked=value))
    ] = False,
) -> None:
    """Lint, build, pin and diff Ollama Modelfiles.

    Exit codes: 0 clean; 1 something to report; 2 invalid usage; 3 failed; 70 internal error; 130 interrupted; 141
    output closed.

    With --json, an error is also printed on standard output: {"error": {"message", "hint", "code"}}; hint may be null.
    """


def main(  # noqa: PLR0913  # the whole environment of a program
    argv: Sequence[str],
    stdin: TextIO,
    stdout: TextIO,
    stderr: TextIO,
    environ: Mapping[str, str],
    *,
    open_store: OpenStore | None = None,
    open_registry: OpenRegistry | None = None,
    clock: Clock | None = None,
) -> int:
    """Run the command line, and return its exit code.

    Args:
        argv: The arguments without the program's name.
        stdin: Standard input, with a binary `buffer`.
        stdout: Standard output, with a binary `buffer`.
        stderr: Standard error; failed writes are ignored.
        environ: The environment variables.
        open_store: Opens the store at an address; default: an Ollama server over HTTP.
        open_registry: Opens the registries that settings allow; default: those of the names, over HTTP.
        clock: The clock for printed times; default: this machine's.
    """
    terminal = Terminal(stdin, stdout, stderr, environ, clock)
    # context variables set by a run do not outlive it
    return copy_context().run(_run, [*argv], terminal, open_store, open_registry)


def _run(argv: list[str], terminal: Terminal, open_store: OpenStore | None, open_registry: OpenRegistry | None) -> int:
    current.set(terminal)
    terminal.color = _color_in(argv)
    if open_store is not None or open_registry is not None:
        from modelfile.cli import options

        if open_store is not None:
            options.opener.set(open_store)
        if open_registry is not None:
            options.registry_opener.set(open_registry)
    run = _Run(as_json=bool({"--json", "--format=json"} & {*argv} or ("--format", "json") in pairwise(argv)))
    return guard(lambda: _invoke(argv, run, terminal), terminal, lambda: run.as_json)


def _invoke(argv: list[str], run: _Run, terminal: Terminal) -> int:
    width = max(min(terminal.width, 80) - 2, 50)  # typer's width
    try:
        commands = typer.main.get_command(app)
        commands.params.append(_color_option())
        with commands.make_context("mf", argv, obj=run, terminal_width=width) as context:
            context.command.invoke(context)
    except typer.Exit as stop:
        return stop.exit_code
    return ExitCode.CLEAN
