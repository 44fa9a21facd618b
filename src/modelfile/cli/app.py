"""The program `mf`: its commands, exit codes, and error boundary.

The exit codes are `modelfile.errors.ExitCode`.

With --json, an error is also printed on standard output: {"error": {"message", "hint", "code"}}; hint may be null.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from contextvars import copy_context
from itertools import pairwise, takewhile
from typing import TYPE_CHECKING, Final, TextIO, cast, get_args

from modelfile.cli.arguments import parse
from modelfile.cli.failures import guard
from modelfile.cli.help import GROUPS
from modelfile.errors import ExitCode
from modelfile.events import Clock
from modelfile.immutable import record
from modelfile.report.terminal import Color, Terminal, current

if TYPE_CHECKING:
    from modelfile.cli.locations import OpenStore
    from modelfile.cli.options import OpenRegistry

COMMANDS: Final = tuple(name for names in GROUPS.values() for name in names)
"""Commands in the order of the help; each is a module and a function of that name."""

ENVIRONMENT: Final = {
    "OLLAMA_HOST": "Address of the Ollama server, as Ollama reads it; default: http://127.0.0.1:11434.",
    "MF_STORE": "Folder of models to use instead of a server, as `--store DIR`; wins over OLLAMA_HOST.",
    "OLLAMA_API_KEY": "Bearer token for the server; sent over https and to loopback only.",
    "OLLAMA_MODELS": "Folder of the server's models, read where no server answers; default: ~/.ollama/models.",
    "HF_TOKEN": "Token for private models of Hugging Face; sent to hf.co and huggingface.co only, if they ask.",
    "HF_TOKEN_PATH": "File with that token; default: `token` in $HF_HOME or ~/.cache/huggingface.",
    "HF_HOME": "Folder of that file.",
    "HF_HUB_DISABLE_IMPLICIT_TOKEN": "If 1, that token is not sent.",
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


@record(frozen=False)
class Run:
    """The facts about the current command that the error boundary needs."""

    as_json: bool
    """True to print errors as JSON; guessed from the arguments until they are parsed."""


def _color_in(argv: Sequence[str]) -> Color:
    """Return the last valid --color of the arguments."""
    color: Color = "auto"
    options = [*takewhile("--".__ne__, argv)]
    for option, value in [*pairwise(options), *(option.split("=", 1) for option in options if "=" in option)]:
        if option == "--color" and value in get_args(Color):
            color = cast("Color", value)
    return color


_AMOUNT: Final = r"[0-9][0-9.,]*\s?[A-Za-z]*"
"""Texts that are read as an amount of memory, valid or not: `24X`, and not `8B.gguf`."""


def _with_memory(argv: Sequence[str]) -> list[str]:
    """Return arguments in which `--memory` without an amount has the value for this machine: no parser knows those."""
    following = (*argv[1:], "")
    return [
        "--memory=here" if word == "--memory" and not re.fullmatch(_AMOUNT, after) else word
        for word, after in zip(argv, following, strict=True)
    ]


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
    try:  # nothing that a run sets outlives it: neither context variables nor `--no-cache`, which all threads see
        return copy_context().run(_run, [*argv], terminal, open_store, open_registry)
    finally:
        if cache := sys.modules.get("modelfile.cache"):
            cache.enable(enabled=True)


def _run(argv: list[str], terminal: Terminal, open_store: OpenStore | None, open_registry: OpenRegistry | None) -> int:
    current.set(terminal)
    argv = _with_memory(argv) if "--memory" in argv else argv
    terminal.color = _color_in(argv)
    if open_store is not None or open_registry is not None:
        from modelfile.cli import locations, options

        if open_store is not None:
            locations.opener.set(open_store)
        if open_registry is not None:
            options.registry_opener.set(open_registry)
    run = Run(as_json=bool({"--json", "--format=json"} & {*argv} or ("--format", "json") in pairwise(argv)))
    return guard(lambda: _invoke(argv, run, terminal), terminal, lambda: run.as_json)


def _invoke(argv: list[str], run: Run, terminal: Terminal) -> int:
    if (call := parse(argv)) is None:
        from modelfile.cli.commands import invoke

        return invoke(argv, run, terminal)
    run.as_json, terminal.quiet = call.as_json, call.quiet
    if call.no_cache:
        from modelfile import cache

        cache.enable(enabled=False)
    code = call.function(**call.arguments)
    return code if isinstance(code, int) else ExitCode.CLEAN
