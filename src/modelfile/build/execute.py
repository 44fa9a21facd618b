"""Build a model: plan, do, and look at what was made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, assert_never

from modelfile.build.plan import Create, Pull, Step, Upload, plan
from modelfile.diff.changes import Change
from modelfile.diff.compare import compare_models
from modelfile.errors import InputError, VerificationError
from modelfile.names import ModelName
from modelfile.semantics.files import digests_of
from modelfile.semantics.fingerprint import fingerprint
from modelfile.semantics.recipe import Model, Recipe
from modelfile.store.base import Store, Stored
from modelfile.store.transfer import Listener, fetch, send

_REWRITES_WEIGHTS_SINCE: Final = (0, 30)
"""From this Ollama version on, weights from a local GGUF may be rewritten by the server (measured on 0.33)."""


def build(name: ModelName, recipe: Recipe, store: Store, listen: Listener, *, pinned: str | None = None) -> Stored:
    """Make `name` of a recipe, and return what the store then has.

    Args:
        name: The model to make.
        recipe: What to make.
        store: Where to make it.
        listen: Is told how it goes.
        pinned: The fingerprint that the base must have.

    Raises:
        InputError: The recipe has nothing to build from, or a local file cannot be read.
        ServerError: The store did not do it.
        VerificationError: The base is not the one that was pinned, or what was made is not what was asked.
    """
    if not recipe.base and not recipe.files:
        raise InputError("FROM names nothing to build from")
    base_name = ModelName.parse(recipe.base) if recipe.base else None
    digests = digests_of(recipe)
    base = store.find(base_name) if base_name else None
    blobs = frozenset(digest for digest in set(digests.values()) if store.has_blob(digest))
    for step in plan(name, recipe, digests, has_base=base is not None, blobs=blobs):
        if isinstance(step, Create) and pinned and base:
            _refuse_moved(base, pinned, store)
        _do(step, store, listen)
        if isinstance(step, Pull):
            base = store.find(step.base)
    made = store.find(name)
    if made is None:
        raise VerificationError(f"{store.place} says it made {name}, and does not have it")
    inherited = base.model if base else brought_along(made.model, recipe, digests, store.version())
    if changes := compare_models(inherited.with_recipe(recipe, digests), made.model):
        raise VerificationError(
            f"{store.place} made something else of {name} than was asked:\n" + "\n".join(map(_tell, changes)),
            hint=f"{name} is what the server made; build it again, or with another version of Ollama",
        )
    return made


def brought_along(made: Model, recipe: Recipe, digests: Mapping[Path, str], version: str) -> Model:
    """What local weights were to begin with, by the model that was made of them.

    A template and parameters that Ollama recognises in a GGUF come along; what safetensors become, and from 0.30 on a
    GGUF, is the server's affair. Everything else must be what was sent.
    """
    sent = tuple(digests[path] for path in recipe.files)
    converted = any(path.suffix != ".gguf" for path in recipe.files) or _release(version) >= _REWRITES_WEIGHTS_SINCE
    return Model(
        weights=made.weights if converted or sorted(made.weights) == sorted(sent) else sent,
        template=made.template,
        parameters=made.parameters,
        renderer=made.renderer,
        parser=made.parser,
    )


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])


def _refuse_moved(base: Stored, pinned: str, store: Store) -> None:
    if (now := fingerprint(base.model)) != pinned:
        raise VerificationError(
            f"the base {base.name} on {store.place} is not the one that was pinned: {pinned[:16]}…, now {now[:16]}…",
            hint="nothing was built; run `mf pin` to take the new base, or bring back the old one",
        )


def _do(step: Step, store: Store, listen: Listener) -> None:
    match step:
        case Pull(base):
            fetch(base, store, listen)
        case Upload(path, digest):
            send(path, digest, store, listen)
        case Create(name, request):
            for progress in store.create(name, request):
                listen(progress)
        case _:
            assert_never(step)


def _tell(change: Change) -> str:
    return f"  {change.title}: asked {change.old or 'none'}, made {change.new or 'none'}"
