"""`mf diff`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modelfile.cli.checked import load_for_build
from modelfile.cli.locks import load_lock
from modelfile.cli.server import Host, open_store
from modelfile.errors import InputError, NotFound, UsageError
from modelfile.lockfile import find_lock
from modelfile.names import ModelName, model_for
from modelfile.report.terminal import print_changes

if TYPE_CHECKING:
    from modelfile.differ import Change
    from modelfile.recipe.model import Model
    from modelfile.recipe.recipe import Recipe
    from modelfile.stores.protocol import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """A side that is a Modelfile."""

    path: str
    recipe: Recipe
    digests: Mapping[Path, str]


def diff(
    a: Annotated[
        str, typer.Argument(metavar="A", help="A Modelfile, a model on the server, or a tag of this project's.")
    ],
    b: Annotated[str, typer.Argument(metavar="B", help="The same.")],
    host: Host = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the changes as JSON.")] = False,
) -> None:
    """Show what differs between two models, by meaning.

    Two Modelfiles are compared as they are written, without a server. Exits 0 if they are the same, 1 if not.
    """
    changes = _changes(a, b, host)
    if as_json:
        listed = [
            {"aspect": str(change.aspect), "name": change.name, "old": change.old, "new": change.new}
            for change in changes
        ]
        typer.echo(json.dumps({"a": a, "b": b, "same": not changes, "changes": listed}, indent=2, ensure_ascii=False))
    else:
        print_changes(changes)
    if changes:
        raise typer.Exit(1)


def _changes(a: str, b: str, host: str | None) -> tuple[Change, ...]:
    from modelfile.differ import compare_models, compare_recipes

    old, new = _file(a), _file(b)
    if old and new:
        return compare_recipes(old.recipe, new.recipe, {**old.digests, **new.digests})
    with open_store(host) as store:
        if old:
            made = _stored(b, store)
            return compare_models(_expected(old, made, store), made)
        made = _stored(a, store)
        return compare_models(made, _expected(new, made, store) if new else _stored(b, store))


def _file(text: str) -> _File | None:
    from modelfile.recipe.recipe import resolve
    from modelfile.weights.digests import digests_of

    path = Path(text)
    if path.is_dir() and (path / "Modelfile").is_file():
        path /= "Modelfile"
    if not path.is_file():
        if text.startswith((".", "/", "~")):
            raise InputError(f"`{text}` does not exist")
        return None
    recipe = resolve(load_for_build(str(path)).modelfile, path.parent)
    return _File(path=str(path), recipe=recipe, digests=digests_of(recipe.local_files))


def _expected(side: _File, other: Model, store: Store) -> Model:
    """What a build of a Modelfile would give on this store now, as far as a model that may come of it tells."""
    from modelfile.builder.forecast import expected

    base = None
    if side.recipe.base:
        name = ModelName.parse(side.recipe.base)
        base = store.find(name)
        if base is None:
            hint = f"run `ollama pull {name}`; to compare two Modelfiles as they are written, no server is needed"
            raise NotFound(f"the base {name} of `{side.path}` is not on {store.place}", hint=hint)
    return expected(side.recipe, side.digests, base=base.model if base else None, made=other, version=store.version())


def _stored(text: str, store: Store) -> Model:
    names = _names(text)
    for name in names:
        if found := store.find(name):
            return found.model
    tried = " or ".join(str(name) for name in names)
    hint = "`mf diff` takes paths of Modelfiles, names of models, and tags of the model whose folder it is run in"
    raise NotFound(f"`{text}` is neither a file here nor a model on {store.place} (looked for {tried})", hint=hint)


def _names(text: str) -> list[ModelName]:
    """The models that a word may mean: a tag of the project's only model first, then a model of that name."""
    names = []
    if not {"/", ":"} & set(text) and (model := _model_here()):
        names.append(ModelName.parse(f"{model}:{text}"))
    try:
        names.append(ModelName.parse(text))
    except UsageError:
        if not names:
            raise
    return names


def _model_here() -> str | None:
    """The model of the Modelfile in this folder, else of the lock's only one."""
    if Path("Modelfile").is_file():
        return model_for(Path("Modelfile"))
    lock = find_lock(Path())
    keys = list(load_lock(lock).modelfiles) if lock else []
    return model_for(lock.parent / keys[0]) if lock and len(keys) == 1 else None
