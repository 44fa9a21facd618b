"""Names of models on the command line, and what a server has of that name."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from typing import Annotated, Any, TypeAlias

import typer

from modelfile.build.history import is_ours
from modelfile.errors import NotFound
from modelfile.names import ModelName
from modelfile.store.base import Listed, held

AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]


def print_json(document: Any) -> None:
    """Print a document for programs."""
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))


def described(model: Listed) -> dict[str, Any]:
    """A listed model for programs."""
    return {
        "name": str(model.name),
        "digest": model.digest,
        "size": model.size,
        "modified": model.modified.isoformat(),
    }


def lookup(name: ModelName, listed: Collection[Listed], place: str) -> Listed:
    """What is listed under a name.

    Raises:
        NotFound: Nothing is.
    """
    if found := held(name, listed):
        return found
    raise NotFound(f"there is no {name} on {place}", hint=_suggestion(name, [model.name for model in listed]))


def _suggestion(name: ModelName, listed: Iterable[ModelName]) -> str:
    from difflib import get_close_matches

    shown = [other for other in listed if not is_ours(other)]
    close = get_close_matches(str(name), map(str, shown), cutoff=0.7)
    tags = (str(other) for other in shown if other.model.lower() == name.model.lower())
    if meant := list(dict.fromkeys((*close, *tags)))[:3]:
        return f"did you mean {' or '.join(f'`{other}`' for other in meant)}?"
    return "`mf ls` lists what it has" if shown else "it has no models; `mf pull` or `mf build` gives it one"
