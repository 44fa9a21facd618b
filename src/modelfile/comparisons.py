"""Comparisons of two sides, wherever they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from modelfile.catalog.versions import Version, release
from modelfile.differ.comparison import Aspect, Change, ComparedSide, Comparison
from modelfile.differ.cosmetics import compare_cosmetics
from modelfile.differ.models import compare_models, compare_recipes
from modelfile.errors import InputError
from modelfile.immutable import replace
from modelfile.pinning.check import version_of
from modelfile.prediction import ExpectedModel, expect_beside
from modelfile.project.project import Project
from modelfile.project.target import Target
from modelfile.recipe.model import fingerprint
from modelfile.sides import ModelfileSide, ModelSide, Sources, read_side, read_sides
from modelfile.stores.protocol import Registry, Store, StoredModel

Check: TypeAlias = Callable[[Target, Version | None], object]


def diff(  # noqa: PLR0913  # each is a choice of its own
    a: str,
    b: str,
    project: Project,
    store: Store,
    check: Check = lambda *_: None,
    on_note: Callable[[str], object] = lambda _: None,
    *,
    folder: Store | None = None,
    registry: Registry | None = None,
    other_store: Store | None = None,
    cosmetic: bool = False,
    on_expected: Callable[[Target, ExpectedModel], object] = lambda *_: None,
) -> Comparison:
    r"""Compare two models, by meaning.

    Two Modelfiles are compared as written, without the store. What a server adds to the local weights of a Modelfile is
    known to the cache after a build; otherwise the lock says whether it is the same, or it is not compared.

    >>> from pathlib import Path
    >>> import modelfile
    >>> from modelfile.stores.memory import MemoryStore
    >>> _ = Path("Modelfile").write_text("FROM llama3.2:3b\nSYSTEM Be brief.\n")
    >>> store = MemoryStore.with_models("llama3.2:3b")
    >>> comparison = modelfile.diff("llama3.2:3b", "Modelfile", modelfile.Project(), store)
    >>> [(change.title, change.old, change.new) for change in comparison.changes]
    [('system', None, 'Be brief.')]

    Args:
        a: A Modelfile, a model in the store or the start of its digest, or a tag of a model of the project; after
            `file:`, `model:`, `store:`, `lock:`, `registry:` or `git:` only a Modelfile, a model in the store, a model
            in the folder, a locked base, a model in a registry, or a Modelfile at a revision of git.
        b: The same.
        project: The project that tags and paths belong to.
        store: The store of the models.
        check: Called with each Modelfile on the disk and the version of the store's Ollama, None if there are two
            Modelfiles or it is not known; raises an error if it cannot be used.
        on_note: Receives a note if a tag belongs to a model that the project does not know.
        folder: The store of sides with `store:`, and of the base of a Modelfile on the other side.
        registry: The registries of sides with `registry:`.
        other_store: The store of the models of `b`, if it is another.
        cosmetic: Whether to compare comments, order and notation of two Modelfiles, too.
        on_expected: Receives a Modelfile, and the model that a build of it would create.

    Raises:
        InputError: A Modelfile does not exist or is rejected.
        NotFound: A side is neither a file nor a model in the store, or not in its registry.
        ServerError: The store or a registry cannot answer.
    """
    sources = Sources(project=project, store=store, folder=folder, registry=registry, on_note=on_note)
    if other_store:
        old, new = read_side(a, sources), read_side(b, replace(sources, store=other_store))
    else:
        old, new = read_sides((a, b), sources)
    if isinstance(old, ModelSide):
        if isinstance(new, ModelSide):
            return _compare_stored(old, new, project)
        return _compare_with_model(new, old, sources, check, on_expected).mirrored()
    if isinstance(new, ModelSide):
        return _compare_with_model(old, new, sources, check, on_expected)
    for side in (old, new):
        _check(side, check, None)
    return compare_modelfiles(old, new, cosmetic=cosmetic)


def _check(side: ModelfileSide, check: Check, version: Version | None) -> None:
    """Reject a Modelfile that Ollama would; findings on an earlier version of one help nobody."""
    if side.commit is None:
        check(side.target, version)
    elif error := side.target.modelfile.first_error:
        line = side.target.source.line_of(error.span.start)
        raise InputError(f"cannot compare `{side.name}`: Ollama would reject it (line {line}: {error.message})")


def compare_modelfiles(old: ModelfileSide, new: ModelfileSide, *, cosmetic: bool = False) -> Comparison:
    """Return the differences of two Modelfiles as written.

    Args:
        old: The old one.
        new: The new one.
        cosmetic: Whether to compare comments, order and notation, too.

    Raises:
        InputError: One cannot be read, or Ollama would reject it.
    """
    one, other = old.target, new.target
    digests = {**one.digests(), **other.digests()}
    ollama = release(other.project.config.ollama or "")
    changes = compare_recipes(one.recipe(), other.recipe(), digests, ollama=ollama)
    more = compare_cosmetics(one.modelfile, other.modelfile) if cosmetic else ()
    sides = ComparedSide(name=old.name), ComparedSide(name=new.name)
    return Comparison(old=sides[0], new=sides[1], changes=(*changes, *more), same=not changes)


def _compare_stored(old: ModelSide, new: ModelSide, project: Project) -> Comparison:
    one, other = old.stored, new.stored
    stores = sorted((side.store for side in (new, old) if side.store), key=lambda store: store.location.is_folder)
    asked = stores[0] if stores and one.model.parameters != other.model.parameters else None
    ollama = version_of(asked) if asked else release(project.config.ollama or "")
    changes = compare_models(one.model, other.model, ollama=ollama, facts=(_facts(one), _facts(other)))
    return Comparison(old=_compared(old), new=_compared(new), changes=changes, same=not changes)


def _compare_with_model(
    modelfile: ModelfileSide,
    model: ModelSide,
    sources: Sources,
    check: Check,
    on_expected: Callable[[Target, ExpectedModel], object],
) -> Comparison:
    """Return the differences of the model that a build of a Modelfile would create from another."""
    target, other, store = modelfile.target, model.stored, model.store or sources.store
    version = version_of(store)
    _check(modelfile, check, version)
    expected = expect_beside(target, other, store, sources.registry)
    on_expected(target, expected)
    facts = _facts(expected.base) if expected.base else {}
    changes = compare_models(expected.model, other.model, ollama=version, facts=(facts, _facts(other)))
    if not changes and expected.fingerprint:
        changes = (Change(aspect=Aspect.FINGERPRINT, old=expected.fingerprint, new=other.fingerprint),)
    known = expected.fingerprint or (None if expected.undecided else fingerprint(expected.model))
    return Comparison(
        old=ComparedSide(name=modelfile.name, fingerprint=known),
        new=_compared(model),
        changes=changes,
        same=False if changes else None if expected.undecided else True,
        undecided=expected.undecided,
        dropped_capabilities=tuple(name for name, _ in expected.dropped_capabilities),
    )


def _compared(side: ModelSide) -> ComparedSide:
    return ComparedSide(name=side.name, fingerprint=side.stored.fingerprint, digest=side.stored.digest)


def _facts(stored: StoredModel) -> dict[Aspect, str]:
    """Return what is known of the weights of a model."""
    facts = {Aspect.ARCHITECTURE: stored.family, Aspect.SIZE: stored.size, Aspect.QUANTIZATION: stored.quantization}
    return {aspect: text for aspect, text in facts.items() if text}
