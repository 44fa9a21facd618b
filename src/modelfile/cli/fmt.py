"""`mf fmt`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from modelfile.cli.options import AsJson, Paths, load_project
from modelfile.errors import ExitCode, InputError, UsageError
from modelfile.formatter import format_modelfile
from modelfile.report.differences import print_line_diff
from modelfile.report.json_output import error_as_json, print_json
from modelfile.report.terminal import current


def fmt(  # noqa: C901  # four modes
    paths: Paths = None,
    *,
    check: Annotated[bool, typer.Option("--check", help="List files that would change; exit 1 if any.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Print the changes; exit 1 if there are any.")] = False,
    as_json: AsJson = False,
) -> None:
    """Format Modelfiles in the canonical style, never changing what they mean to Ollama.

    Default: the current folder. Text between the comments `# fmt: off` and `# fmt: on` is not changed.

    With --json: a list of {"path", "changed"}, or {"path", "error": {"message", "hint", "code"}}.
    """
    terminal = current.get()
    if as_json and diff:
        raise UsageError("--json cannot be used with --diff")
    answers: list[dict[str, Any]] = []
    for target in load_project().modelfiles(paths or ["."]):
        try:
            modelfile = target.modelfile
            text = format_modelfile(modelfile)
            changed = text != modelfile.text
            if changed and not (check or diff or target.is_stdin):
                target.write(text)
        except InputError as error:
            terminal.print_error(error.message, error.hint)
            answers.append({"path": str(target.path), **error_as_json(error)})
            continue
        answers.append({"path": str(target.path), "changed": changed})
        if changed and diff:
            print_line_diff(modelfile.text, text, str(target.path), terminal)
        elif target.is_stdin and not check and not as_json:
            terminal.write_content(modelfile.source.encode(text))
        elif changed and not as_json:
            terminal.print(str(target.path))
    if as_json:
        print_json(answers, terminal)
    if any("error" in answer for answer in answers):
        raise typer.Exit(ExitCode.FAILED)
    if (check or diff) and any(answer["changed"] for answer in answers):
        raise typer.Exit(ExitCode.FINDINGS)
