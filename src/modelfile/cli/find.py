"""`mf find`."""

from __future__ import annotations

from typing import Annotated

from modelfile.cli.locations import Use, open_store
from modelfile.cli.options import load_project
from modelfile.cli.parameters import Argument, AsJson, Host, StoreFolder
from modelfile.pinning.find import find as find_digest
from modelfile.report.discoveries import found_as_json, print_found
from modelfile.report.json_output import print_json
from modelfile.report.progress import progress
from modelfile.report.terminal import current


def find(
    digest: Annotated[str, Argument(metavar="DIGEST|FINGERPRINT", help="At least 6 of its hex digits.")],
    host: Host = None,
    store: StoreFolder = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Find out what a digest or a fingerprint is: a model, a base, a layer, a file, a backup, an alias.

    Searched are mf.lock, its versions in git (the last 1,000 commits of it), and the models of the server or the
    folder; without a server, a note says so. If several digests begin with these digits, all are printed.

    With --json: {"version", "digests": [{"digest", "occurrences": [{"location", "kind", "name", "modelfile", "since",
    "until"}, ...]}, ...], "unasked": [TEXT, ...]}; location is "lock", "server", "store" (a folder)
    or "history"; since and until are
    {"commit", "time"} or null.
    """
    terminal, project = current.get(), load_project()
    with open_store(host, store, use=Use.READ) as opened, progress("searching", terminal) as events:
        result = find_digest(digest, project, opened, events=events)
    if as_json:
        print_json(found_as_json(result), terminal)
    else:
        print_found(result, terminal)
