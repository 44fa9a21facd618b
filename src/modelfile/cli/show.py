"""`mf show`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from modelfile.cli.models import AsJson, lookup, print_json
from modelfile.cli.server import Host, open_store
from modelfile.errors import NotFound, UsageError
from modelfile.names import ModelName

if TYPE_CHECKING:
    from modelfile.stores.protocol import StoredModel


def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The model; without a tag, `latest` is meant.")],
    host: Host = None,
    *,
    modelfile: Annotated[
        bool, typer.Option("--modelfile", help="Print a Modelfile that builds the same model from this one.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what a model holds.

    With --json: {"name", "fingerprint", "digest", "weights", "adapters", "drafts", "parameters", "template", "system",
    "messages", "license", "renderer", "parser", "requires"}; all keys are always there.
    """
    if modelfile and as_json:
        raise UsageError("--modelfile is no JSON", hint="leave one of the two out")
    model = ModelName.parse(name)
    with open_store(host) as store:
        stored = store.find(model)
        if stored is None:
            lookup(model, store.list(), store.place)
            raise NotFound(
                f"{model} is listed on {store.place} and cannot be shown", hint=f"take it away with `mf rm {model}`"
            )
    if as_json:
        print_json(_described(stored))
    elif modelfile:
        from modelfile.importer import export

        typer.echo(export(stored), nl=False)
    else:
        from modelfile.report.models import print_model

        print_model(stored)


def _described(stored: StoredModel) -> dict[str, Any]:
    from dataclasses import asdict

    from modelfile.recipe.model import fingerprint

    return {
        "name": str(stored.name),
        "fingerprint": fingerprint(stored.model),
        "digest": stored.digest,
        **asdict(stored.model),
        "parameters": {name: _plain(value) for name, value in sorted(stored.model.parameters.items())},
    }


def _plain(value: Any) -> Any:
    """A whole number without its `.0`."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
