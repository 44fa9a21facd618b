"""The program `mf`, its exit codes, and the one place where errors become messages.

Exit codes: 0 done and clean; 1 done, and there is something to see; 2 wrong usage or configuration; 3 could not do it
(a server unreachable, a file unreadable); 130 interrupted.
"""

from __future__ import annotations

import io
import sys
from typing import Annotated, Final

import typer

from modelfile.cli import build, config, diff, explain, fmt, lint, parse, pin
from modelfile.errors import ModelfileError, UsageError
from modelfile.report.text import print_error

USAGE: Final = 2
FAILED: Final = 3

app = typer.Typer(
    name="mf",
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

    Exit codes: 0 clean; 1 something to see; 2 wrong usage; 3 could not do it; 130 interrupted.
    """


app.command(name="lint")(lint.lint)
app.command(name="fmt")(fmt.fmt)
app.command(name="parse")(parse.parse)
app.command(name="build")(build.build)
app.command(name="pin")(pin.pin)
app.command(name="diff")(diff.diff)
app.command(name="explain")(explain.explain)
app.command(name="config")(config.config)


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what the terminal's encoding cannot say is spelled out
    try:
        app(prog_name="mf")
    except ModelfileError as error:
        print_error(error.message, error.hint)
        sys.exit(USAGE if isinstance(error, UsageError) else FAILED)
    except OSError as error:
        what = f"`{error.filename}`: {error.strerror}" if error.filename else str(error)
        print_error(f"could not read or write {what}", None)
        sys.exit(FAILED)
