"""`mf outdated`."""

from __future__ import annotations

from typing import Annotated

from modelfile.cli.locations import Use, open_store
from modelfile.cli.options import load_project, open_registry
from modelfile.cli.parameters import Argument, AsJson, ForceExclude, Host, StoreFolder
from modelfile.errors import ExitCode
from modelfile.pinning.check import with_locked
from modelfile.pinning.outdated import outdated as find_outdated
from modelfile.report.outdated import outdated_as_json, print_outdated, print_unknown
from modelfile.report.progress import progress
from modelfile.report.terminal import current


def outdated(
    paths: Annotated[list[str] | None, Argument(help="Modelfiles, or folders to search.")] = None,
    host: Host = None,
    store: StoreFolder = None,
    *,
    force_exclude: ForceExclude = False,
    as_json: AsJson = False,
) -> None:
    """List the bases in mf.lock that have moved: the registry now has another model under the tag, or none.

    Default: the current folder, and what mf.lock has of it. Exits 1 if one has moved; `mf update` pins it again. Each
    base is asked for once, and its tags once if it has a version; nothing is pulled. No Ollama server is needed: one is
    asked only for bases that were pinned from it, and if it does not answer, a warning names them.

    CHANGED names the parts that differ, by their digests. NEWER TAGS are those of the same model with a higher version
    number, where the registry lists tags; they do not count as moved, since FROM decides the tag.

    With --json: {"version", "outdated", "bases", "unpinned"}, as docs/schema/outdated.schema.json has it.
    """
    terminal, project = current.get(), load_project(force_exclude=force_exclude)
    targets = project.modelfiles(paths or ["."])
    if paths is None:
        targets = with_locked(targets)
    with (
        open_registry(project.config) as registry,
        open_store(host, store, use=Use.READ) as opened,
        progress("asking", terminal) as events,
    ):
        result = find_outdated(targets, registry, opened, events=events)
    outdated_as_json(result, terminal) if as_json else print_outdated(result, terminal)
    failed = print_unknown(result, terminal)
    if result.moved:
        raise SystemExit(ExitCode.FINDINGS)
    if failed:
        raise SystemExit(failed)
