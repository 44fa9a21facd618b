"""`mf parse`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from modelfile.cli.files import find_modelfiles, folder_of, read_source
from modelfile.errors import InputError
from modelfile.report.json_output import diagnostic_as_json
from modelfile.report.terminal import print_error
from modelfile.syntax.modelfile import Modelfile


def parse(
    paths: Annotated[
        list[str], typer.Argument(help="Modelfiles, folders to look for them in, or - for standard input.")
    ],
    *,
    request: Annotated[
        bool, typer.Option("--request", help="Add the body that Ollama's command line would send to /api/create.")
    ] = False,
) -> None:
    """Print what Ollama reads in Modelfiles: one JSON object a line, for programs in other languages.

    Each has path, ok (whether Ollama's parser takes it), commands ([name, value] in order) and diagnostics (with their
    spans: line and column from 1, byte from 0). Exits 1 if one is not ok.
    """
    clean, failed = True, False
    for path in find_modelfiles(paths):
        try:
            modelfile = Modelfile.parse(read_source(path))
        except InputError as error:
            print_error(error.message, error.hint)
            failed = True
            continue
        answer: dict[str, Any] = {
            "path": path,
            "ok": not modelfile.diagnostics,
            "commands": modelfile.commands,
            "diagnostics": [diagnostic_as_json(modelfile.source, found) for found in modelfile.diagnostics],
        }
        if request:
            answer |= _request(modelfile, folder_of(path) or Path())
        clean = clean and answer["ok"] and "error" not in answer
        typer.echo(json.dumps(answer, ensure_ascii=False))
    if failed:
        raise typer.Exit(3)
    if not clean:
        raise typer.Exit(1)


def _request(modelfile: Modelfile, folder: Path) -> dict[str, Any]:
    from modelfile.recipe.recipe import resolve
    from modelfile.weights.digests import digests_of

    if modelfile.diagnostics:
        return {"request": None}
    try:
        recipe = resolve(modelfile, folder)
        return {"request": recipe.request(digests_of(recipe.local_files))}
    except InputError as error:
        return {"request": None, "error": error.message}
