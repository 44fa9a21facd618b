"""`mf ls`."""

from __future__ import annotations

from typing import Annotated

import typer

from modelfile.cli.options import open_store
from modelfile.cli.parameters import AsJson, Host
from modelfile.library.lookup import list_models
from modelfile.report.json_output import listed_as_json, print_json
from modelfile.report.models import print_models
from modelfile.report.terminal import current


def ls(
    pattern: Annotated[
        str | None, typer.Argument(metavar="PATTERN", help="Names to list: 'bot', 'bot:v*', '*llama*'; default: all.")
    ] = None,
    host: Host = None,
    *,
    internal: Annotated[
        bool, typer.Option("--all", "-a", help="Also list backups and models that are being built.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the models of an Ollama server, the newest first.

    With --json: a list of {"name", "digest", "size", "modified"}.
    """
    with open_store(host) as store:
        listed = list_models(store, pattern, internal=internal)
    if as_json:
        print_json([listed_as_json(model) for model in listed], current.get())
    elif listed:
        print_models(listed, current.get())
    else:
        current.get().print_note(
            f"no model on {store.location} matches `{pattern}`" if pattern else f"{store.location} has no models"
        )
