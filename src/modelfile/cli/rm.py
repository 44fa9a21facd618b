"""`mf rm`."""

from __future__ import annotations

from typing import Annotated, Any

from modelfile.cli.locations import names_of, open_store
from modelfile.cli.parameters import Argument, AsJson, Host, Option, StoreFolder
from modelfile.errors import ExitCode, UsageError
from modelfile.library.removal import Removal, plan_removal, remove
from modelfile.report.json_output import error_as_json, listed_as_json, print_json
from modelfile.report.models import describe_removal
from modelfile.report.terminal import current
from modelfile.stores.protocol import StoreLocation


def rm(
    names: Annotated[
        list[str], Argument(metavar="NAME...", help="Models to remove: names, 'bot:v*', or starts of digests.")
    ],
    host: Host = None,
    store: StoreFolder = None,
    *,
    yes: Annotated[bool, Option("--yes", "-y", help="Remove without asking.")] = False,
    backups: Annotated[bool, Option("--backups", help="Also remove their backups.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove models, and the layers that no other model needs; this cannot be undone.

    If one does not exist, nothing is removed.

    With --json: {"removed": [{"name", "digest", "size", "modified"}, ...], "failed": [{"name", "error"}, ...]}.
    """
    terminal = current.get()
    removed: list[dict[str, Any]] = []
    with open_store(host, store) as opened:
        removal = plan_removal(names_of(names, host, store), opened, backups=backups)
        failed = [{"name": name, **error_as_json(error)} for name, error in removal.missing]
        for _, missing in removal.missing:
            terminal.print_error(missing.message, missing.hint)
        confirmed = not failed and (yes or _confirm(removal, opened.location))
        if failed and removal.models:
            terminal.print_note("nothing was removed")
        for model, error in remove(removal, opened) if confirmed else ():
            if error:
                terminal.print_error(f"cannot remove {model.name}: {error.message}", error.hint)
                failed.append({"name": str(model.name), **error_as_json(error)})
                continue
            removed.append(listed_as_json(model))
            if not as_json:
                terminal.print(f"removed {describe_removal(model, removal)}")
    if as_json:
        print_json({"removed": removed, "failed": failed}, terminal)
    elif confirmed and (left := removal.backups_left):
        terminal.print_note(
            f"{left} backup{'s' * (left != 1)} remain{'s' * (left == 1)}; pass --backups to remove them"
        )
    if failed or not confirmed:
        raise SystemExit(ExitCode.FAILED if failed else ExitCode.FINDINGS)


def _confirm(removal: Removal, location: StoreLocation) -> bool:
    terminal = current.get()
    for model in removal.models:
        terminal.print(describe_removal(model, removal), err=True)
    if not terminal.stdin.isatty():
        raise UsageError("cannot ask for confirmation: standard input is not a terminal", hint="pass --yes")
    which = "it" if len(removal.models) == 1 else f"these {len(removal.models)}"
    confirmed = terminal.confirm(f"remove {which} from {location}?")
    if not confirmed:
        terminal.print_note("nothing was removed")
    return confirmed
