"""`mf lint`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from modelfile.cli.checked import check_all
from modelfile.cli.files import find_modelfiles
from modelfile.diagnostics import Severity
from modelfile.report.as_json import findings_as_json
from modelfile.report.text import print_error, print_findings


class Format(StrEnum):
    """How findings are printed."""

    TEXT = "text"
    JSON = "json"


def lint(
    paths: Annotated[
        list[str] | None, typer.Argument(help="Modelfiles, folders to look for them in, or - for standard input.")
    ] = None,
    output_format: Annotated[Format, typer.Option("--format", help="How to print what is found.")] = Format.TEXT,
) -> None:
    """Find what is wrong with Modelfiles.

    Without PATHS, looks in this folder. Exits 1 if there is an error or a warning.
    """
    checked, unread = check_all(find_modelfiles(paths or ["."]))
    findings = [(item.modelfile.source, item.diagnostics) for item in checked]
    if output_format is Format.JSON:
        typer.echo(findings_as_json(findings, unread))
    else:
        print_findings(findings)
    for failure in unread:
        print_error(failure.message, failure.hint)
    if unread:
        raise typer.Exit(3)
    if any(found.severity is not Severity.INFO for item in checked for found in item.diagnostics):
        raise typer.Exit(1)
