"""`mf store check`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from modelfile.cli.locations import Use, open_named_folder
from modelfile.cli.options import load_project, open_registry
from modelfile.cli.parameters import AsJson, NamedFolder, Option
from modelfile.diagnostics import Severity
from modelfile.errors import ExitCode
from modelfile.report.json_output import print_json
from modelfile.report.progress import progress
from modelfile.report.stores import damage_as_json, print_damage, print_repair, print_verdict
from modelfile.report.terminal import current
from modelfile.stores.disk.damage import Damage
from modelfile.stores.disk.integrity import find_damage

if TYPE_CHECKING:
    from modelfile.stores.disk.repair import Repaired
    from modelfile.stores.disk.store import FolderStore


def check(
    store: NamedFolder = None,
    *,
    sizes_only: Annotated[
        bool, Option("--sizes-only", help="Do not read the blobs; compare their sizes only.")
    ] = False,
    repair: Annotated[
        bool, Option("--repair", help="Repair what is found, with blobs from registries by digest.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check a folder of models: manifests, names and modes first, then each blob against its digest.

    All blobs are read, at the speed of the disk; --sizes-only takes milliseconds, and finds what is missing or
    truncated. Exits 1 if anything is found, or with --repair if anything is left.

    --repair downloads a missing or damaged blob by its digest from the registries of the models that name it; the good
    one takes the place of the damaged one when it is there whole. An empty manifest or a dangling symlink, because of
    which a server may list no model at all, is pulled again, or removed if no registry has it. A manifest that is
    damaged otherwise is only ever replaced.

    With --json: {"store", "blobs_read": BOOL, "findings": [{"code", "severity", "path", "message", "help", "repaired",
    "error"}, ...]}; repaired says how, and error why not; both are null without --repair.
    """
    terminal = current.get()
    with open_named_folder(store, Use.CHANGE if repair else Use.READ) as opened:
        found = list[Damage]()
        with progress("checking", terminal) as events:
            for damage in find_damage(opened, events, read_blobs=not sizes_only):
                found.append(damage)
                if not (repair or as_json):
                    print_damage(damage, terminal)
        outcomes = _repair(found, opened, as_json=as_json) if repair else []
    if as_json:
        by_damage = {outcome.damage: outcome for outcome in outcomes}
        findings = [damage_as_json(damage, by_damage.get(damage)) for damage in found]
        print_json({"store": str(opened.location), "blobs_read": not sizes_only, "findings": findings}, terminal)
    else:
        print_verdict(found, outcomes, terminal, str(opened.location))
    left = [outcome.damage for outcome in outcomes if outcome.done is None] if repair else found
    if any(damage.severity is not Severity.INFO for damage in left):
        raise SystemExit(ExitCode.FINDINGS)


def _repair(found: list[Damage], store: FolderStore, *, as_json: bool) -> list[Repaired]:
    from modelfile.stores.disk.repair import repair

    terminal, outcomes = current.get(), list["Repaired"]()
    with open_registry(load_project().config) as registry, progress("repairing", terminal) as events:
        for outcome in repair(found, store, registry, events):
            outcomes.append(outcome)
            if not as_json:
                print_repair(outcome, terminal)
    return outcomes
