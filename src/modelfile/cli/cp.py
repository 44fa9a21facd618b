"""`mf cp`."""

from __future__ import annotations

from typing import Annotated

import typer

from modelfile.cli.locations import names_of, open_store
from modelfile.cli.options import load_project, with_consent
from modelfile.cli.parameters import AsJson, Host, Replace, StoreFolder
from modelfile.library.replacement import copy
from modelfile.report.json_output import print_json
from modelfile.report.models import describe_backup
from modelfile.report.terminal import current


def cp(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Model to copy, or the start of its digest.")],
    destination: Annotated[str, typer.Argument(metavar="DESTINATION", help="New name, with a tag.")],
    host: Host = None,
    store: StoreFolder = None,
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
    source, destination = names_of([source, destination], host, store)
    with open_store(host, store) as opened:
        done = with_consent(
            lambda agreed: copy(source, destination, opened, replace=agreed, keep=config.keep),
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
