"""The parser of the command line: the commands of `mf`, and the options that all of them have."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, Final, get_args, get_type_hints

import typer
from typer._click.exceptions import (  # these and the next have no public name
    BadOptionUsage,
    ClickException,
    NoArgsIsHelpError,
    NoSuchOption,
)
from typer._click.exceptions import UsageError as WrongUsage
from typer._types import TyperChoice
from typer.core import TyperCommand, TyperGroup, TyperOption

from modelfile.cli.app import COMMANDS
from modelfile.cli.help import GROUPS, PanelHelp, print_help
from modelfile.cli.parameters import Argument, Option
from modelfile.errors import ExitCode, UsageError
from modelfile.report.terminal import Color, Terminal, current

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

    from modelfile.cli.app import Run

_LONGEST_WAIT: Final = 7 * 86_400
"""Longest time limit that can be set, in seconds."""
_ASKS_REGISTRIES: Final = frozenset(
    {"build", "diff", "init", "ls", "outdated", "pin", "pull", "push", "show", "store check", "update", "verify"}
)
"""Commands that ask registries, or have a server pull from one."""
_HELP_OPTIONS: Final = {"help_option_names": ["-h", "--help"]}
_TYPES: Final = {"float": "number", "float range": "number", "integer": "whole number", "int range": "whole number"}
"""Names of the types of options in words."""
_NOT_OF_TYPE: Final = re.compile(rf" is not a valid ({'|'.join(_TYPES)})$")
_EXTRA: Final = re.compile(r"Got unexpected extra argument(?:\(s\)|s)? \((.*)\)", re.DOTALL)
_QUOTED: Final = re.compile(r"'([^'`]*)'")


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
    """The group of all commands, or of those of a package, which imports only the requested one."""

    package = "modelfile.cli"
    headings: Mapping[str, tuple[str, ...]] = GROUPS
    """Commands by the heading that they stand under; each is a module of the package and a function of that name."""
    words = "mf"
    """The words before a command."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  # as typer calls it
        return [name for names in self.headings.values() for name in names]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        words = f"{self.words} {cmd_name}"
        if cmd_name not in (known := self.list_commands(ctx)):
            from modelfile.cli.pointers import hint_for

            hint = hint_for(cmd_name, known, self.words)
            raise UsageError(f"unknown command: `{words.removeprefix('mf ')}`", hint=hint)
        module = import_module(f"{self.package}.{cmd_name}")
        if here := getattr(module, "COMMANDS", None):
            return _group(cmd_name, module, here, words)
        single = typer.Typer(rich_markup_mode=None, add_completion=False)
        single.command(name=cmd_name, cls=_Command)(_for_typer(getattr(module, cmd_name)))
        command = typer.main.get_command(single)
        for option in command.params:
            if option.name in ("host", "store") and not getattr(option, "multiple", True):
                option.multiple, option.callback = True, _only
        if any(option.name == "host" for option in command.params):
            command.params += _limit_options()
        if words.removeprefix("mf ") in _ASKS_REGISTRIES:
            command.params.append(_insecure_option())
        command.params += [_color_option(), *_common_options()]
        return command


def _group(name: str, module: ModuleType, here: tuple[str, ...], words: str) -> _Commands:
    """Return the group of the commands that a package has; its function of that name has the help."""
    text = inspect.getdoc(getattr(module, name))
    group = _Commands(name=name, help=text, no_args_is_help=True, rich_markup_mode=None, context_settings=_HELP_OPTIONS)
    group.package, group.headings, group.words = module.__name__, {"Commands": here}, words
    group.params += [_color_option(), *_common_options()]
    return group


def _for_typer(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a command as typer reads it."""

    def command(**arguments: Any) -> Any:
        return function(**arguments)

    types = {name: _type_for_typer(hint) for name, hint in get_type_hints(function, include_extras=True).items()}
    parameters = inspect.signature(function).parameters.values()
    signature = inspect.Signature([each.replace(annotation=types[each.name]) for each in parameters])
    command.__doc__, command.__annotations__ = function.__doc__, types
    command.__signature__ = signature  # type: ignore[attr-defined]  # as PEP 362 has it
    return command


def _type_for_typer(hint: Any) -> Any:
    match getattr(hint, "__metadata__", ()):
        case (Option() as option,):
            settings = typer.Option(*option.names, help=option.help, metavar=option.metavar, min=option.min)
        case (Argument() as argument,):
            settings = typer.Argument(help=argument.help, metavar=argument.metavar)
        case _:
            return hint
    return Annotated[hint.__origin__, settings]


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


def _insecure_option() -> TyperOption:
    """Return the switch of every command that asks registries."""
    return TyperOption(
        param_decls=["--insecure"],
        is_flag=True,
        default=False,
        help="Ask registries over plain http.",
        expose_value=False,
        callback=_set_insecure,
        show_default=False,
    )


def _set_insecure(_ctx: Any, _option: Any, value: bool) -> None:  # noqa: FBT001  # as typer calls it
    if value:
        from modelfile.cli.options import insecure

        insecure.set(True)


def _color_option() -> TyperOption:
    """Return the option that every command has; `_color_in` reads it, because it also applies to errors in options."""
    return TyperOption(
        param_decls=["--color"],
        type=TyperChoice(get_args(Color)),
        help="Use colors; default: on terminals, see NO_COLOR and FORCE_COLOR.",
        expose_value=False,
    )


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
    if disabled:
        from modelfile import cache

        cache.enable(enabled=False)


app = typer.Typer(
    name="mf",
    cls=_Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=_HELP_OPTIONS,
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


def invoke(argv: list[str], run: Run, terminal: Terminal) -> int:
    """Parse the arguments, run the command, and return its exit code; raise UsageError for wrong arguments.

    Args:
        argv: The arguments without the program's name.
        run: Gets the facts that the arguments give.
        terminal: The terminal of the run.
    """
    width = max(min(terminal.width, 80) - 2, 50)  # typer's width
    try:
        commands = typer.main.get_command(app)
        commands.params.append(_color_option())
        with commands.make_context("mf", argv, obj=run, terminal_width=width) as context:
            code = context.command.invoke(context)
    except typer.Exit as stop:
        return stop.exit_code
    except NoArgsIsHelpError as error:
        print_help(error.format_message(), terminal, err=True)
        return error.exit_code
    except ClickException as error:
        raise _usage_error(error, argv) from error
    return code if isinstance(code, int) else ExitCode.CLEAN


def _usage_error(error: ClickException, argv: list[str]) -> UsageError:
    """Return an error of the argument parser with a message in the style of all others, and a hint."""
    context = error.ctx if isinstance(error, WrongUsage) else None
    hint = f"run `{context.command_path if context else 'mf'} --help`"
    match error:
        case NoSuchOption(option_name=name, possibilities=close):
            from modelfile.cli.pointers import hint_for_option

            known = {option for parameter in context.command.params for option in parameter.opts} if context else set()
            found = hint_for_option(name, known, close or ()) or (context and _hint_for_place(name, context, argv))
            return UsageError(f"no such option: `{name}`", hint=found or hint)
        case BadOptionUsage(option_name=name) if error.message.endswith("requires an argument."):
            return UsageError(f"{name} needs a value", hint=hint)
        case _:
            if extra := _EXTRA.fullmatch(error.format_message()):
                return UsageError(f"unexpected argument{'s' * (' ' in extra[1])}: `{extra[1]}`", hint=hint)
            text = _QUOTED.sub(r"`\1`", error.format_message().removesuffix("."))
            text = _NOT_OF_TYPE.sub(lambda found: f" is not a {_TYPES[found[1]]}", text)
            return UsageError(text[:1].lower() + text[1:], hint=hint)


def _hint_for_place(name: str, context: Any, argv: list[str]) -> str | None:
    """Return a hint if an option that was given before the command belongs after it."""
    command = next(filter(COMMANDS.__contains__, argv), None)
    if command is None or not isinstance(context.command, _Commands) or context.command.headings is not GROUPS:
        return None
    parameters = context.command.get_command(context, command).params
    belongs = any(name in parameter.opts for parameter in parameters)
    return f"write it after the command, as in `mf {command} {name}`" if belongs else None
