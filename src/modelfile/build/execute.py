"""Build a model: plan, do, and look at what was made."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, assert_never

from modelfile.build.expected import expected
from modelfile.build.plan import Create, Pull, Step, Upload, plan
from modelfile.diff.changes import Change
from modelfile.diff.compare import compare_models
from modelfile.errors import InputError, ModelfileError, VerificationError
from modelfile.names import ModelName
from modelfile.semantics.files import digests_of
from modelfile.semantics.fingerprint import fingerprint
from modelfile.semantics.recipe import Recipe
from modelfile.store.base import Store, Stored
from modelfile.store.transfer import Listener, fetch, send

_LONGEST_TAG: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """What a lock says of a build. None: nothing."""

    base: str | None = None
    """The fingerprint that the base must have."""
    model: str | None = None
    """The fingerprint that the model must have."""


NOTHING_PINNED: Final = Pinned()


def build(name: ModelName, recipe: Recipe, store: Store, listen: Listener, pinned: Pinned = NOTHING_PINNED) -> Stored:
    """Make `name` of a recipe, and return what the store then has.

    It is made under another name and looked at before it takes `name`, so that a build that fails changes nothing.

    Raises:
        InputError: The recipe has nothing to build from, or a local file cannot be read.
        ServerError: The store did not do it.
        VerificationError: The base or the model is not the one that was pinned, or not what was asked.
    """
    if not recipe.base and not recipe.files:
        raise InputError("FROM names nothing to build from")
    digests = digests_of(recipe)
    base = store.find(ModelName.parse(recipe.base)) if recipe.base else None
    if recipe.base and base is None:
        _do(Pull(ModelName.parse(recipe.base)), store, listen)
        base = store.find(ModelName.parse(recipe.base))
    if base:
        if pinned.base:
            _refuse_another(f"the base {base.name} on {store.place}", pinned.base, fingerprint(base.model))
        if not base.name.spelled_as(ModelName.parse(recipe.base or "")):
            recipe = replace(recipe, base=str(base.name))  # create compares names with case, unlike all else (0.9.3)
    blobs = frozenset(digest for digest in {*digests.values()} if store.has_blob(digest))
    with _scratch(name, store) as scratch:
        for step in plan(scratch, recipe, digests, blobs=blobs):
            _do(step, store, listen)
        made = store.find(scratch)
        if made is None:
            raise VerificationError(f"{store.place} says it made {name}, and does not have it")
        _verify(name, recipe, digests, base, made, store)
        if pinned.model:
            _refuse_another(f"what a build of {name} gives", pinned.model, fingerprint(made.model))
        store.copy(scratch, name)
    return replace(made, name=name)


def _refuse_another(what: str, pinned: str, now: str) -> None:
    if now != pinned:
        raise VerificationError(
            f"{what} is not what was pinned: {pinned[:16]}… then, {now[:16]}… now",
            hint="nothing was changed; run `mf pin` if it is meant, and look at what that changes in mf.lock",
        )


@contextlib.contextmanager
def _scratch(name: ModelName, store: Store) -> Iterator[ModelName]:
    """A name to build under, gone at the end; one that a killed build left is built over by the next."""
    scratch = replace(name, tag=f"mf-building-{name.tag}"[:_LONGEST_TAG], tagged=True)
    try:
        yield scratch
    finally:
        with contextlib.suppress(ModelfileError):  # the failure that led here says more
            store.remove(scratch)


def _verify(
    name: ModelName, recipe: Recipe, digests: Mapping[Path, str], base: Stored | None, made: Stored, store: Store
) -> None:
    asked = expected(recipe, digests, base=base.model if base else None, made=made.model, version=store.version())
    if changes := compare_models(asked, made.model):
        raise VerificationError(
            f"{store.place} made something else of {name} than was asked:\n" + "\n".join(map(_tell, changes)),
            hint=f"{name} is as it was; does this version of Ollama know all that the Modelfile uses?",
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
