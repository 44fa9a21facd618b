"""`mf fmt`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from modelfile.cli.files import STDIN, find_modelfiles, read_source
from modelfile.errors import InputError
from modelfile.filesystem import write_atomic
from modelfile.formatter import format_modelfile
from modelfile.report.terminal import print_error, print_line_diff
from modelfile.syntax.modelfile import Modelfile


def fmt(
    paths: Annotated[
        list[str] | None, typer.Argument(help="Modelfiles, folders to look for them in, or - to filter.")
    ] = None,
    *,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; name what would change, and exit 1.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Write nothing; show what would change, and exit 1.")] = False,
) -> None:
    """Rewrite Modelfiles in the canonical style; what they mean to Ollama never changes.

    Without PATHS, looks in this folder. What stands between the comments `# fmt: off` and `# fmt: on` is left as it is.
    """
    changed = failed = 0
    for path in find_modelfiles(paths or ["."]):
        try:
            modelfile = Modelfile.parse(read_source(path))
            text = format_modelfile(modelfile)
        except InputError as error:
            print_error(error.message, error.hint)
            failed += 1
            continue
        differs = text != modelfile.text
        changed += differs
        if differs and diff:
            print_line_diff(modelfile.text, text, path)
        elif path == STDIN and not check:
            sys.stdout.buffer.write(modelfile.source.encode(text))
        elif differs:
            if not check:
                write_atomic(Path(path), modelfile.source.encode(text))
            typer.echo(path)
    if failed:
        raise typer.Exit(3)
    if changed and (check or diff):
        raise typer.Exit(1)
