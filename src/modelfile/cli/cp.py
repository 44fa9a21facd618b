"""`mf cp`."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

from modelfile.cli.locations import Use, folder_of, location_of, open_at
from modelfile.cli.options import load_project, with_consent
from modelfile.cli.parameters import Argument, AsJson, Host, Replace, StoreFolder
from modelfile.library.replacement import Copied, copy, copy_between
from modelfile.names import Prefix, name_on_server, split_prefix
from modelfile.report.json_output import print_json
from modelfile.report.models import print_backup
from modelfile.report.progress import progress
from modelfile.report.terminal import current

if TYPE_CHECKING:
    from modelfile.cli.locations import Location


def cp(
    source: Annotated[str, Argument(metavar="SOURCE", help="Model to copy, or the start of its digest.")],
    destination: Annotated[str, Argument(metavar="DESTINATION", help="New name, with a tag.")],
    host: Host = None,
    store: StoreFolder = None,
    *,
    replace: Replace = False,
    as_json: AsJson = False,
) -> None:
    """Copy a model to another name; within a store, this takes no disk space.

    `store:` before a name means a folder: that of --store, MF_STORE or mf.toml. A model of a folder is so copied to the
    server, or with --host to that one. A server does not give out weights: name its folder instead.

    If DESTINATION has another model, asks before it is replaced.

    With --json: {"source", "destination", "digest", "copied", "backup"}; backup is the alias of the model that was
    replaced, or null.
    """
    config = load_project().config
    (source, origin), (destination, target) = (_side(text, host, store) for text in (source, destination))
    with ExitStack() as stack:
        opened = stack.enter_context(open_at(target, use=Use.CHANGE if origin == target else Use.CREATE))
        if origin == target:

            def act(agreed: bool) -> Copied:  # noqa: FBT001  # as `with_consent` calls it
                return copy(source, destination, opened, replace=agreed, keep=config.keep)
        else:
            other = stack.enter_context(open_at(origin, use=Use.READ))

            def act(agreed: bool) -> Copied:  # noqa: FBT001  # as above
                with progress(f"copying {source}", current.get()) as events:
                    return copy_between(source, other, destination, opened, events, replace=agreed, keep=config.keep)

        done = with_consent(act, replace=replace, as_json=as_json)
    terminal = current.get()
    if as_json:
        names = {"source": str(done.source), "destination": str(done.destination), "digest": done.digest}
        print_json({**names, "copied": done.copied, "backup": str(done.backup) if done.backup else None}, terminal)
    elif done.copied:
        terminal.print(f"{done.source} -> {done.destination}")
        print_backup(done.destination, done.backup, config.immutable, terminal)
    else:
        terminal.print(f"{done.destination} is already the same as {done.source}")


def _side(text: str, host: str | None, store: str | None) -> tuple[str, Location]:
    """Return the name and the location of a side: `store:` is the folder, all others go by the options."""
    prefix, name = split_prefix(text)
    if prefix is Prefix.STORE:
        return name, folder_of(store, Use.CREATE)
    return name_on_server(text), location_of(host, None if host else store)
