"""`mf store prune`."""

from __future__ import annotations

from typing import Annotated

from modelfile.cli.locations import Use, open_named_folder
from modelfile.cli.options import load_project
from modelfile.cli.parameters import AsJson, NamedFolder, Option
from modelfile.errors import ExitCode
from modelfile.report.json_output import print_json
from modelfile.report.progress import progress
from modelfile.report.stores import print_prune_plan, print_pruned, pruned_as_json
from modelfile.report.terminal import current
from modelfile.stores.disk.prune import LockedNames, Pruned, PruneOptions, PrunePlan, plan_prune
from modelfile.stores.disk.prune import prune as execute


def prune(
    store: NamedFolder = None,
    *,
    yes: Annotated[bool, Option("--yes", "-y", help="Remove without asking.")] = False,
    keep: Annotated[
        int | None, Option(min=0, metavar="N", help="Backups to leave for each tag; default: `keep`, or 3.")
    ] = None,
    unlocked: Annotated[
        bool, Option("--unlocked", help="Also remove models that no mf.lock of the project names.")
    ] = False,
    all_partial: Annotated[
        bool, Option("--all", help="Also remove partial downloads of today, which could be resumed.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Remove what no model needs: blobs, old backups, stale staging tags, partial downloads and temporary files.

    Prints what would be removed, and asks; where nobody can be asked, only --yes removes, and without it the exit code
    is 1 if there is anything to remove. A blob that no model names is spared for an hour, because a server or a build
    may be about to name it, or for a day while a download is under way; a partial download is spared for a day. With
    --unlocked, bases and pin aliases that a lock names stay, as do all tags of models built from locked Modelfiles.
    Everything is looked at again before it is removed.

    With --json: {"store", "pruned": BOOL, "size", "stale": [ITEM, ...], "spared": [ITEM, ...], "failed": [{"path",
    "error"}, ...], "changed": [FILE, ...]}; an ITEM is {"path", "name", "digest", "reason", "size", "modified"}, and
    size is the disk space that is freed.
    """
    terminal, project = current.get(), load_project()
    locked = _locked_names() if unlocked else None
    limit = project.config.keep if keep is None else keep
    options = PruneOptions(keep=limit, locked=locked, all_partial=all_partial)
    with open_named_folder(store, Use.CHANGE) as opened:
        plan = plan_prune(opened, options)
        if not as_json:
            print_prune_plan(plan, terminal)
        agreed = bool(plan.stale) and (yes or (not as_json and _agree(plan)))
        done = None
        if agreed:
            with progress("pruning", terminal) as events:
                done = execute(plan, opened, events)
    if as_json:
        print_json({"store": str(opened.location), **pruned_as_json(plan, done)}, terminal)
    elif done:
        print_pruned(done, terminal)
    if code := _code(plan, done):
        raise SystemExit(code)


def _locked_names() -> LockedNames:
    from modelfile.pinning.pin_aliases import locked_names

    return locked_names(load_project())


def _agree(plan: PrunePlan) -> bool:
    terminal = current.get()
    if not terminal.stdin.isatty():
        terminal.print_note("nothing was removed; pass --yes to remove this")
        return False
    count = len(plan.stale)
    agreed = terminal.confirm(f"remove {'it' if count == 1 else f'these {count}'}?")
    if not agreed:
        terminal.print_note("nothing was removed")
    return agreed


def _code(plan: PrunePlan, done: Pruned | None) -> ExitCode:
    if done is None:
        return ExitCode.FINDINGS if plan.stale else ExitCode.CLEAN
    return ExitCode.FAILED if done.failed else ExitCode.CLEAN
