"""`mf rollback`."""

from __future__ import annotations

from typing import Annotated

from modelfile.cli.locations import Use, names_of, open_store
from modelfile.cli.options import load_project, with_consent
from modelfile.cli.parameters import Argument, AsJson, Host, Option, Replace, StoreFolder
from modelfile.errors import UsageError
from modelfile.library.history import backups
from modelfile.library.history import rollback as roll_back
from modelfile.names import ModelName
from modelfile.report.json_output import backup_as_json, print_json
from modelfile.report.models import age, print_backups, rollback_command
from modelfile.report.terminal import current


def rollback(  # noqa: PLR0913  # each is an option
    name: Annotated[str, Argument(metavar="NAME:TAG", help="Model to roll back.")],
    to: Annotated[
        str | None,
        Option(metavar="DIGEST", help="Backup: start of its digest or fingerprint, or its alias."),
    ] = None,
    host: Host = None,
    store: StoreFolder = None,
    *,
    replace: Replace = False,
    only_list: Annotated[bool, Option("--list", help="List the backups; change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Restore the previous model of a tag; a second rollback undoes the first.

    A model that was replaced with --keep 0 has no backup. If the tag is immutable, asks before its model is replaced.

    With --json: {"name", "digest", "fingerprint", "previous", "backup"}, where previous is the digest before the
    rollback and backup its alias; with --list, a list of {"name", "digest", "size", "modified", "fingerprint",
    "current"}, the newest first.
    """
    if only_list and to is not None:
        raise UsageError("--list cannot be used with --to")
    terminal, (name,) = current.get(), names_of([name], host, store)
    with open_store(host, store, use=Use.READ if only_list else Use.CHANGE) as opened:
        if only_list:
            found = backups(name, opened)
            if as_json:
                print_json([backup_as_json(backup) for backup in found], terminal)
            elif found:
                print_backups(found, terminal)
            else:
                terminal.print_note(f"no backups of {ModelName.parse(name)} {opened.location.where}")
            return
        immutable = load_project().config.immutable
        done = with_consent(
            lambda agreed: roll_back(name, opened, to, immutable=immutable, replace=agreed),
            replace=replace,
            as_json=as_json,
        )
    if as_json:
        digests = {"digest": done.digest, "fingerprint": done.fingerprint, "previous": done.previous}
        print_json({"name": str(done.name), **digests, "backup": str(done.backup) if done.backup else None}, terminal)
        return
    if done.previous == done.digest:
        terminal.print(f"{done.name} is already {done.digest}")
        return
    terminal.print(f"{done.name} is again {done.digest}")
    restored = f"backed up {age(terminal.clock.now(), done.since.modified)}" if done.since else ""
    if details := ", ".join(filter(None, (done.fingerprint, restored))):
        terminal.print(f"  {details}")
    if done.previous:
        undo = f"`{rollback_command(done.name, immutable)}`"
        terminal.print(f"  it was {done.previous}; {terminal.complete(undo)} restores that")
