"""`mf rm`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from modelfile.build.history import is_ours
from modelfile.cli.models import AsJson, described, lookup, print_json
from modelfile.cli.server import Host, open_store
from modelfile.errors import ServerError, UsageError
from modelfile.names import ModelName
from modelfile.report.text import print_error

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modelfile.store.base import Listed


def rm(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Models.")],
    host: Host = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    kept: Annotated[bool, typer.Option("--kept", help="Also what is kept of them for `mf rollback`.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take names away, and the layers that no other name needs. There is no way back.

    With --json: {"removed": [{"name", "digest", "size", "modified"}, ...], "failed": [{"name", "error", "hint"}, ...]}.
    """
    wanted = [ModelName.parse(name) for name in names]
    from modelfile.build.history import history
    from modelfile.report.models import size

    with open_store(host) as store:
        listed = store.list()
        found = [lookup(name, listed, store.place) for name in wanted]
        histories = [old for model in found for old in history(model.name, listed)]
        going = list(dict.fromkeys((*found, *(histories if kept else ()))))
        agreed = yes or _agreed(going, listed, store.place)
        removed: list[Listed] = []
        failed: list[dict[str, str | None]] = []
        for model in going if agreed else ():
            try:
                store.remove(model.name)
            except ServerError as error:
                print_error(f"{model.name} is not gone: {error.message}", error.hint)
                failed.append({"name": str(model.name), "error": error.message, "hint": error.hint})
                continue
            removed.append(model)
            if not as_json:
                typer.echo(f"{model.name}: gone ({size(model.size)}){_shared(model, going, listed)}")
    if as_json:
        print_json({"removed": [described(model) for model in removed], "failed": failed})
    elif agreed and (staying := {old.name for old in histories} - {model.name for model in going}):
        typer.echo(
            f"{len(staying)} kept for `mf rollback` stay{'s' * (len(staying) == 1)}; --kept takes them too", err=True
        )
    if failed or not agreed:
        raise typer.Exit(3 if failed else 1)


def _agreed(going: list[Listed], listed: Iterable[Listed], place: str) -> bool:
    from modelfile.report.models import size

    if not sys.stdin.isatty():
        raise UsageError("there is nobody to ask whether they may go", hint="say --yes")
    for model in going:
        typer.echo(f"{model.name}  {size(model.size)}{_shared(model, going, listed)}", err=True)
    typer.echo(
        f"take {'it' if len(going) == 1 else f'these {len(going)}'} away from {place}? [y/N] ", err=True, nl=False
    )
    agreed = sys.stdin.readline().strip().lower() in ("y", "yes")
    if not agreed:
        typer.echo("nothing was taken away", err=True)
    return agreed


def _shared(model: Listed, going: list[Listed], listed: Iterable[Listed]) -> str:
    """Which other names hold the same, so that its layers stay."""
    others = [str(other.name) for other in listed if other.digest == model.digest and other not in going]
    shown = [name for name in others if not is_ours(ModelName.parse(name))] or others[:1]
    return f"; its layers stay, for {', '.join(shown)} has the same" if others else ""
