"""`mf parse`."""

from __future__ import annotations

from typing import Annotated, Any

from modelfile.cli.options import load_project
from modelfile.cli.parameters import Argument, AsJson, Option
from modelfile.errors import ExitCode, InputError
from modelfile.project.target import Target
from modelfile.report.json_output import diagnostic_as_json, error_as_json, print_json
from modelfile.report.terminal import current


def parse(
    paths: Annotated[
        list[str], Argument(metavar="PATHS...", help="Modelfiles, folders to search, or - for standard input.")
    ],
    *,
    request: Annotated[
        bool, Option("--request", help="Also print the request that `ollama create` would send.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print what Ollama reads in Modelfiles, one JSON object per line.

    Each has path, ok (whether Ollama's parser accepts the file), commands ([name, value] in order) and diagnostics
    (with spans: line and column from 1, byte from 0), or path and error. Exits 1 if one is not ok.

    With --json: a list of {"path", "ok", "commands", "diagnostics"}, with --request also "request", or {"path", "ok",
    "error"}.
    """
    terminal = current.get()
    answers: list[dict[str, Any]] = []
    for target in load_project().modelfiles(paths):
        try:
            answers.append(_answer(target, request=request))
        except InputError as error:
            terminal.print_error(error.message, error.hint)
            answers.append({"path": str(target.path), "ok": None, **error_as_json(error)})
        if not as_json:
            print_json(answers[-1], terminal, one_line=True)
    if as_json:
        print_json(answers, terminal)
    if any(answer["ok"] is None for answer in answers):
        raise SystemExit(ExitCode.FAILED)
    if not all(answer["ok"] and "error" not in answer for answer in answers):
        raise SystemExit(ExitCode.FINDINGS)


def _answer(target: Target, *, request: bool) -> dict[str, Any]:
    modelfile = target.modelfile
    answer = {
        "path": str(target.path),
        "ok": not modelfile.diagnostics,
        "commands": (command for command in modelfile.commands),
        "diagnostics": (diagnostic_as_json(modelfile.source, found) for found in modelfile.diagnostics),
    }
    return {**answer, **_request(target)} if request else answer


def _request(target: Target) -> dict[str, Any]:
    from modelfile.stores.ollama.wire import create_request

    if target.modelfile.diagnostics:
        return {"request": None}
    try:
        return {"request": create_request(target.recipe(), target.digests())}
    except InputError as error:
        return {"request": None, **error_as_json(error)}
