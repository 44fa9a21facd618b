"""`mf ls`."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated

import typer

from modelfile.cli.models import AsJson, described, print_json
from modelfile.cli.server import Host, open_store
from modelfile.names import ModelName
from modelfile.stores.backups import is_internal


def ls(
    pattern: Annotated[
        str | None,
        typer.Argument(
            metavar="PATTERN", help="Only models of that name, or of names like it: 'bot', 'bot:v*', '*llama*'."
        ),
    ] = None,
    host: Host = None,
    *,
    everything: Annotated[
        bool, typer.Option("--all", "-a", help="Also what is kept for `mf rollback`, and what is being built.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the models of an Ollama server, the newest first.

    With --json, a list of {"name", "digest", "size", "modified"}.
    """
    from modelfile.report.models import print_models

    with open_store(host) as store:
        listed = [
            model
            for model in store.list()
            if (everything or not is_internal(model.name)) and (pattern is None or _matches(model.name, pattern))
        ]
    if as_json:
        print_json([described(model) for model in listed])
    else:
        print_models(listed)


def _matches(name: ModelName, pattern: str) -> bool:
    """Whether a name is like a pattern, which may leave out the tag; names have no case."""
    shown = str(name).lower()
    return any(fnmatchcase(text, pattern.lower()) for text in (shown, shown.rpartition(":")[0]))
