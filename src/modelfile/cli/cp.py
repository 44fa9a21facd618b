"""`mf cp`."""

from __future__ import annotations

from typing import Annotated

import typer

from modelfile.cli.options import load_project, open_store, with_consent
from modelfile.cli.parameters import AsJson, Host, Replace
from modelfile.library.replacement import copy
from modelfile.names import name_on_server
from modelfile.report.json_output import print_json
from modelfile.report.models import describe_backup
from modelfile.report.terminal import current


def cp(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Model to copy, or the start of its digest.")],
    destination: Annotated[str, typer.Argument(metavar="DESTINATION", help="New name, with a tag.")],
    host: Host = None,
    *,
    replace: Replace = False,
    as_json: AsJson = False,
) -> None:
    """Copy a model to another name; this takes no disk space.

    If DESTINATION has another model, asks before it is replaced.

    With --json: {"source", "destination", "digest", "copied", "backup"}; backup is the alias of the model that was
    replaced, or null.
    """
    config = load_project().config
    source, destination = name_on_server(source), name_on_server(destination)
    with open_store(host) as store:
        done = with_consent(
            lambda agreed: copy(source, destination, store, replace=agreed, keep=config.keep),
            replace=replace,
            as_json=as_json,
        )
    terminal = current.get()
    if as_json:
        names = {"source": str(done.source), "destination": str(done.destination), "digest": done.digest}
        print_json({**names, "copied": done.copied, "backup": str(done.backup) if done.backup else None}, terminal)
    elif done.copied:
        terminal.print(f"{done.source} -> {done.destination}")
        if done.backup:
            terminal.print(f"  {describe_backup(done.destination, done.backup, config.immutable)}")
    else:
        terminal.print(f"{done.destination} is already the same as {done.source}")
