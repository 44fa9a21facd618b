"""`mf store du`."""

from __future__ import annotations

from modelfile.cli.locations import Use, open_named_folder
from modelfile.cli.parameters import AsJson, NamedFolder
from modelfile.report.json_output import print_json
from modelfile.report.stores import print_usage, usage_as_json
from modelfile.report.terminal import current
from modelfile.stores.disk.usage import disk_usage


def du(
    store: NamedFolder = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Print the disk space of each model: what it has to itself, and what it shares.

    UNIQUE is the space that `mf rm` would free; SHARED is that of blobs which other models name, too: a base and what
    is built on it share their weights. A bar shows both, relative to the largest model.

    With --json: {"store", "models": [{"name", "digest", "size", "unique", "shared", "missing": [DIGEST, ...]}, ...],
    "blobs": AMOUNT, "unnamed": AMOUNT, "partial": AMOUNT, "temporary": AMOUNT, "unreadable": [FILE, ...]}; an AMOUNT
    is {"files", "size"}, unnamed are the blobs that no model names, partial the downloads, unreadable the manifests
    that cannot be read.
    """
    terminal = current.get()
    with open_named_folder(store, Use.READ) as opened:
        usage = disk_usage(opened)
    if as_json:
        print_json({"store": str(opened.location), **usage_as_json(usage)}, terminal)
    else:
        print_usage(usage, terminal)
