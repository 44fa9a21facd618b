"""`mf show`."""

from __future__ import annotations

from typing import Annotated

import typer

from modelfile.cli.options import AsJson, Host, load_project, open_store
from modelfile.errors import NotFound, UsageError
from modelfile.library.lookup import show as find_model
from modelfile.report.json_output import model_as_json, print_json
from modelfile.report.models import print_model
from modelfile.report.terminal import current
from modelfile.stores.protocol import Store, StoredModel


def show(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Model, the start of its digest, or a tag of the model here.")
    ],
    host: Host = None,
    *,
    modelfile: Annotated[
        bool, typer.Option("--modelfile", help="Print a Modelfile that builds the same model from this one.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print the contents of a model.

    With --json: {"name", "fingerprint", "digest", "weights", "adapters", "drafts", "parameters", "template", "system",
    "messages", "license", "renderer", "parser", "requires"}; all keys are always there.
    """
    if modelfile and as_json:
        raise UsageError("--modelfile cannot be used with --json")
    with open_store(host) as store:
        stored = _find(name, store)
    if as_json:
        print_json(model_as_json(stored), current.get())
    elif modelfile:
        from modelfile.importer import export

        current.get().write_content(export(stored))
    else:
        print_model(stored, current.get())


def _find(name: str, store: Store) -> StoredModel:
    """Return a model of the server, or where there is none, the tag of the model here that a word means."""
    try:
        return find_model(name, store)
    except NotFound as error:
        from modelfile.sides import find_models, tags_here

        project = load_project()
        found = find_models([name], project, store, current.get().print_note)
        if name in found and (stored := store.find(found[name])):
            return stored
        if name not in found and (tried := tags_here(name, project)):
            raise NotFound(f"{error.message}, nor {' or '.join(tried)}", hint=error.hint) from error
        raise
