"""`mf rollback`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from modelfile.cli.models import AsJson, described, print_json
from modelfile.cli.server import Host, open_store
from modelfile.errors import UsageError
from modelfile.names import ModelName
from modelfile.store.base import held

if TYPE_CHECKING:
    from modelfile.store.base import Store


def rollback(
    name: Annotated[str, typer.Argument(metavar="NAME:TAG", help="The model to set back.")],
    to: Annotated[
        str | None, typer.Option("--to", metavar="DIGEST", help="The beginning of the digest of the one that is meant.")
    ] = None,
    host: Host = None,
    *,
    only_list: Annotated[
        bool, typer.Option("--list", help="Change nothing; list what is kept, * is what the tag holds.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Give a tag what it held before it was last overwritten; a second rollback undoes the first.

    With --json: {"name", "digest", "before", "kept"}: what it holds now and held until now, and where that is kept;
    with --list, a list of {"name", "digest", "size", "modified", "current"}, the last kept first.
    """
    model = ModelName.parse(name)
    if only_list and to is not None:
        raise UsageError("--list changes nothing, and --to does", hint="leave one of the two out")
    from modelfile.build.history import rollback as roll_back

    with open_store(host) as store:
        if only_list:
            _list(model, store, as_json=as_json)
            return
        done = roll_back(model, store, to)
    if as_json:
        kept = str(done.kept) if done.kept else None
        print_json({"name": str(done.name), "digest": done.digest, "before": done.before, "kept": kept})
    else:
        typer.echo(f"{done.name} is {done.digest} again")
        if done.before:
            typer.echo(f"  it was {done.before}, which is kept: `mf rollback {done.name}` brings it back")


def _list(name: ModelName, store: Store, *, as_json: bool) -> None:
    from modelfile.build.history import history
    from modelfile.report.models import print_kept

    listed = store.list()
    now = held(name, listed)
    kept = history(name, listed)
    if as_json:
        print_json([{**described(old), "current": now is not None and old.digest == now.digest} for old in kept])
    elif kept:
        print_kept(kept, now.digest if now else None)
    else:
        typer.echo(f"nothing is kept of {name} on {store.place}", err=True)
