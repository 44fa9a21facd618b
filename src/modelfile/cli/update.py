"""`mf update`."""

from __future__ import annotations

from typing import Annotated

import typer

from modelfile.cli.options import load_project
from modelfile.cli.parameters import AsJson, ForceExclude, FromServer, Host
from modelfile.cli.pin import pin_all
from modelfile.errors import InputError
from modelfile.names import ModelName
from modelfile.pinning.pinner import PinOptions
from modelfile.report.terminal import current


def update(
    bases: Annotated[
        list[str] | None, typer.Argument(metavar="[BASE...]", help="Bases; without a tag: all tags of the model.")
    ] = None,
    host: Host = None,
    *,
    from_server: FromServer = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change; do not write mf.lock.")] = False,
    force_exclude: ForceExclude = False,
    as_json: AsJson = False,
) -> None:
    """Pin the bases of this folder's Modelfiles as their registries have them now.

    Default: all bases. What has not changed stays to the byte; only entries that change are printed. A base that no
    registry has is looked up on the server. Modelfiles that have changed are pinned, too.

    With --json: a list as `mf pin --json` prints it, of the entries that change.
    """
    terminal = current.get()
    project = load_project(force_exclude=force_exclude)
    wanted = {written: ModelName.parse(written) for written in bases or ()}
    used = [target.base for target in project.modelfiles(["."])] if wanted else []
    for written, name in wanted.items():
        if not any(base and _means(name, base) for base in used):
            raise InputError(f"no Modelfile here is FROM {written}", hint="name a base as FROM does")

    def is_wanted(base: ModelName) -> bool:
        return not wanted or any(_means(name, base) for name in wanted.values())

    options = PinOptions(from_server=from_server, update=is_wanted)
    codes = pin_all(project, None, host, options=options, dry_run=dry_run, as_json=as_json, changed_only=True)
    if codes:
        raise typer.Exit(max(codes))
    if not as_json:
        terminal.print_note("mf.lock is unchanged" if dry_run else "mf.lock is up to date")


def _means(name: ModelName, base: ModelName) -> bool:
    return base.same_as(name) if name.tagged else base.same_model_as(name)
