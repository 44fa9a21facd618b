"""Names of models on the command line, and what a server has of that name."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from typing import Annotated, Any, Final, TypeAlias

import typer

from modelfile.errors import NotFound
from modelfile.names import ModelName
from modelfile.stores.backups import is_internal
from modelfile.stores.protocol import ListedModel, held

_TELLING: Final = 3
"""A name of fewer characters is like too many others."""

AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]


def print_json(document: Any) -> None:
    """Print a document for programs."""
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))


def described(model: ListedModel) -> dict[str, Any]:
    """A listed model for programs."""
    return {
        "name": str(model.name),
        "digest": model.digest,
        "size": model.size,
        "modified": model.modified.isoformat(),
    }


def lookup(name: ModelName, listed: Collection[ListedModel], place: str) -> ListedModel:
    """What is listed under a name.

    Raises:
        NotFound: Nothing is.
    """
    if found := held(name, listed):
        return found
    raise NotFound(f"there is no {name} on {place}", hint=_suggestion(name, [model.name for model in listed]))


def _suggestion(name: ModelName, listed: Iterable[ModelName]) -> str:
    from difflib import get_close_matches

    shown = [other for other in listed if not is_internal(other)]
    wanted = name.model.lower()
    models = {other.model.lower() for other in shown}
    alike = {wanted, *(get_close_matches(wanted, models, cutoff=0.75) if len(wanted) >= _TELLING else ())}
    likely = [str(other) for other in shown if other.model.lower() in alike]
    if meant := get_close_matches(str(name), likely, cutoff=0):
        return f"did you mean {' or '.join(f'`{other}`' for other in meant)}?"
    return "`mf ls` lists what it has" if shown else "it has no models; `mf pull` or `mf build` gives it one"
