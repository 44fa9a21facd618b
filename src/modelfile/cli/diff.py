"""`mf diff`."""

from __future__ import annotations

from typing import Annotated

import typer

from modelfile.cli.options import AsJson, Host, load_project, open_store, print_for_build
from modelfile.errors import ExitCode
from modelfile.report.differences import print_changes
from modelfile.report.json_output import changes_as_json, print_json
from modelfile.report.terminal import current


def diff(
    a: Annotated[str, typer.Argument(metavar="A", help="Modelfile, model, or tag of this project's model.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Modelfile, model or tag to compare with.")],
    host: Host = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Print the differences between two models: parameters, prompts and weights, not lines of text.

    Two Modelfiles are compared as written, without a server. Exits 1 if they differ. A tag alone is one of the model
    that the Modelfile here builds: as mf.toml lists it, as it was last built here, or as its folder is called; or else
    one of the only model on the server that has it.

    With --json: {"a", "b", "same", "changes": [{"aspect", "name", "old", "new"}, ...]}.
    """
    from modelfile.linter.api import reject_errors
    from modelfile.linter.settings import resolve_settings
    from modelfile.sides import diff as compare

    project = load_project()
    settings = resolve_settings(project)
    with open_store(host) as store:
        changes = compare(
            a,
            b,
            project,
            store,
            lambda target: reject_errors(target, settings, print_for_build),
            current.get().print_note,
        )
    if as_json:
        print_json({"a": a, "b": b, "same": not changes, "changes": changes_as_json(changes)}, current.get())
    else:
        print_changes(changes, current.get())
    if changes:
        raise typer.Exit(ExitCode.FINDINGS)
