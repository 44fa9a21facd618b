"""`mf rollback`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final

import typer

from modelfile.cli.models import AsJson, described, print_json
from modelfile.cli.server import Host, open_store
from modelfile.errors import NotFound, UsageError
from modelfile.names import ModelName
from modelfile.stores.protocol import held

if TYPE_CHECKING:
    from modelfile.stores.protocol import Store

_ALIAS: Final = re.compile(r"(?:.*:)?(?P<digest>sha256-[0-9a-f]+)…?(?:[-.].+)?", re.IGNORECASE)
_MARK: Final = "mf1:"


def rollback(
    name: Annotated[str, typer.Argument(metavar="NAME:TAG", help="The model to set back.")],
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="DIGEST",
            help="The beginning of the digest or fingerprint (mf1:...) of the one that is meant, or its alias.",
        ),
    ] = None,
    host: Host = None,
    *,
    only_list: Annotated[
        bool, typer.Option("--list", help="Change nothing; list what is kept, * is what the tag holds.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Give a tag the last model that is kept of it and is another than it holds; a second rollback undoes the first.

    What a build with --no-keep overwrote is not kept, and is passed over.

    With --json: {"name", "digest", "fingerprint", "before", "kept"}: what it holds now and held until now, and where
    that is kept; with --list, a list of {"name", "digest", "size", "modified", "fingerprint", "current"}, the last kept
    first.
    """
    model = ModelName.parse(name)
    if only_list and to is not None:
        raise UsageError("--list changes nothing, and --to does", hint="leave one of the two out")
    if to is not None and to.lower() in ("", "sha256:", "sha256-", _MARK):
        raise UsageError(f"--to `{to}` says nothing of which is meant", hint=f"see `mf rollback {name} --list`")
    from modelfile.stores.backups import history
    from modelfile.stores.backups import rollback as roll_back

    with open_store(host) as store:
        if only_list:
            _list(model, store, as_json=as_json)
            return
        done = roll_back(model, store, _digest(model, to, store) if to is not None else None)
        made = _fingerprint(done.name, store)
        since = next((old for old in history(done.name, store.list()) if old.digest == done.digest), None)
    if as_json:
        kept = str(done.kept) if done.kept else None
        digests = {"digest": done.digest, "fingerprint": made, "before": done.before}
        print_json({"name": str(done.name), **digests, "kept": kept})
        return
    from modelfile.report.models import ago

    typer.echo(f"{done.name} is {done.digest} again")
    if told := ", ".join(filter(None, (made, f"kept {ago(since.modified)}" if since else ""))):
        typer.echo(f"  {told}")
    if done.before:
        typer.echo(f"  it was {done.before}, which is kept: `mf rollback {done.name}` brings it back")


def _fingerprint(name: ModelName, store: Store) -> str | None:
    from modelfile.recipe.model import fingerprint

    stored = store.find(name)
    return fingerprint(stored.model) if stored else None


def _digest(name: ModelName, to: str, store: Store) -> str:
    """The beginning of the digest that is meant by a digest, an alias or a fingerprint.

    Raises:
        NotFound: Nothing of that fingerprint is kept.
        UsageError: Several fingerprints begin so.
    """
    if alias := _ALIAS.fullmatch(to):
        return alias["digest"]
    if not to.lower().startswith(_MARK):
        return to.rstrip("…")
    from modelfile.stores.backups import history

    kept = [(_fingerprint(old.name, store), old.digest) for old in history(name, store.list())]
    found = {made: digest for made, digest in reversed(kept) if made and made.startswith(to.lower().rstrip("…"))}
    match [*found]:
        case [made]:
            return found[made]
        case []:
            hint = f"`mf rollback {name} --list` tells what is"
            raise NotFound(f"no model of fingerprint {to} is kept of {name} on {store.place}", hint=hint)
        case several:
            what = f"several models kept of {name} have a fingerprint that begins with {to}"
            raise UsageError(what, hint=", ".join(filter(None, several)))


def _list(name: ModelName, store: Store, *, as_json: bool) -> None:
    from modelfile.report.models import print_kept
    from modelfile.stores.backups import history

    listed = store.list()
    now = held(name, listed)
    kept = [(old, _fingerprint(old.name, store)) for old in history(name, listed)]
    if as_json:
        current = now and now.digest
        print_json([{**described(old), "fingerprint": made, "current": old.digest == current} for old, made in kept])
    elif kept:
        print_kept(kept, now.digest if now else None)
    else:
        typer.echo(f"nothing is kept of {name} on {store.place}", err=True)
