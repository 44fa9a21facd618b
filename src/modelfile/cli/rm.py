"""`mf rm`."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from modelfile.cli.models import AsJson, described, lookup, print_json
from modelfile.cli.server import Host, open_store
from modelfile.errors import ModelfileError, NotFound, ServerError, UsageError
from modelfile.names import ModelName
from modelfile.report.terminal import print_error, print_note
from modelfile.stores.backups import history, is_internal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modelfile.stores.protocol import ListedModel, Store


def rm(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Models.")],
    host: Host = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    kept: Annotated[bool, typer.Option("--kept", help="Also what is kept of them for `mf rollback`.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take names away, and the layers that no other name needs. There is no way back. If one is missing, none goes.

    With --json: {"removed": [{"name", "digest", "size", "modified"}, ...], "failed": [{"name", "error", "hint"}, ...]}.
    """
    wanted = [*dict.fromkeys(ModelName.parse(name) for name in names)]
    removed: list[ListedModel] = []
    failed: list[tuple[ModelName, ModelfileError]] = []
    with open_store(host) as store:
        listed = store.list()
        found: list[ListedModel] = []
        for name in wanted:
            try:
                found += _meant(name, listed, store.place, kept=kept)
            except NotFound as error:
                print_error(error.message, error.hint)
                failed.append((name, error))
        histories = [old for name in wanted for old in history(name, listed)]
        going = list(dict.fromkeys((*found, *(histories if kept else ()))))
        agreed = not failed and (yes or _agreed(going, listed, store.place))
        if agreed:
            removed, failed = _remove(going, listed, store, quiet=as_json)
        elif going and failed:
            print_note("nothing was taken away")
    if as_json:
        told = [{"name": str(name), "error": error.message, "hint": error.hint} for name, error in failed]
        print_json({"removed": [described(model) for model in removed], "failed": told})
    elif agreed and (staying := {old.name for old in histories} - {model.name for model in going}):
        typer.echo(
            f"{len(staying)} kept for `mf rollback` stay{'s' * (len(staying) == 1)}; --kept takes them too", err=True
        )
    if failed or not agreed:
        raise typer.Exit(3 if failed else 1)


def _remove(
    going: list[ListedModel], listed: tuple[ListedModel, ...], store: Store, *, quiet: bool
) -> tuple[list[ListedModel], list[tuple[ModelName, ModelfileError]]]:
    """Take names away, and tell it unless `quiet`; what is gone, and what is not."""
    from modelfile.report.models import size

    removed: list[ListedModel] = []
    failed: list[tuple[ModelName, ModelfileError]] = []
    for model in going:
        try:
            with contextlib.suppress(NotFound):  # somebody else was quicker
                store.remove(model.name)
        except ServerError as error:
            print_error(f"{model.name} is not gone: {error.message}", error.hint)
            failed.append((model.name, error))
            continue
        removed.append(model)
        if not quiet:
            typer.echo(f"{model.name}: gone ({size(model.size)}){_shared(model, going, listed)}")
    return removed, failed


def _meant(name: ModelName, listed: tuple[ListedModel, ...], place: str, *, kept: bool) -> list[ListedModel]:
    """What has that name; nothing has it where only its history is left, and that is meant too.

    Raises:
        NotFound: Nothing has it.
    """
    try:
        return [lookup(name, listed, place)]
    except NotFound as error:
        old = history(name, listed)
        if not old:
            raise
        if kept:
            return []
        hint = f"{len(old)} of it {'is' if len(old) == 1 else 'are'} kept for `mf rollback`: --kept takes what is kept"
        raise NotFound(error.message, hint=hint) from error


def _agreed(going: list[ListedModel], listed: Iterable[ListedModel], place: str) -> bool:
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


def _shared(model: ListedModel, going: list[ListedModel], listed: Iterable[ListedModel]) -> str:
    """Which other names hold the same, so that its layers stay."""
    from modelfile.report.models import short_name

    others = [str(other.name) for other in listed if other.digest == model.digest and other not in going]
    shown = [name for name in others if not is_internal(ModelName.parse(name))] or others[:1]
    return f"; its layers stay, for {', '.join(map(short_name, shown))} has the same" if others else ""
