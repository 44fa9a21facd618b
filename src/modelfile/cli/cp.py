"""`mf cp`."""

from __future__ import annotations

from typing import Annotated

import typer

from modelfile.cli.models import AsJson, lookup, print_json
from modelfile.cli.server import Host, open_store
from modelfile.errors import UsageError
from modelfile.linter.settings import settings
from modelfile.names import ModelName
from modelfile.stores.protocol import held


def cp(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A model.")],
    destination: Annotated[str, typer.Argument(metavar="DESTINATION", help="The name it is to have too.")],
    host: Host = None,
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite another model; it is kept for `mf rollback`.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Give a model another name; costs no disk.

    With --json: {"source", "destination", "digest", "copied", "kept"}; `kept`: where what was overwritten is, or null.
    """
    old, new = ModelName.parse(source), ModelName.parse(destination)
    if not new.tagged:
        hint = f"write {destination}:v1, or {destination}:latest if that is meant"
        raise UsageError(f"`{destination}` has no tag", hint=hint)
    limit = settings().config.keep
    from modelfile.stores.backups import keep, replace_tag

    kept = None
    with open_store(host) as store:
        listed = store.list()
        given = lookup(old, listed, store.place)
        there = held(new, listed)
        same = there is not None and there.digest == given.digest
        if there and not same:
            if not force:
                hint = "to overwrite it, say --force" + (f"; `mf rollback {there.name}` undoes that" if limit else "")
                raise UsageError(f"{there.name} is there on {store.place}, and holds another model", hint=hint)
            kept = keep(there.name, store, limit)
        named = there.name if there and same else replace_tag(given.name, new, store)[0].name
    if as_json:
        names = {"source": str(given.name), "destination": str(named), "digest": given.digest}
        print_json({**names, "copied": not same, "kept": str(kept) if kept else None})
    elif same:
        typer.echo(f"{named} is the same as {given.name} already")
    else:
        typer.echo(f"{given.name} -> {named}")
