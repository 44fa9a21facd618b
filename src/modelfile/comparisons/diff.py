"""The differences of two sides, wherever they are."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from modelfile.catalog.versions import Version, release
from modelfile.comparisons.sides import (
    Check,
    ModelfileSide,
    ModelSide,
    OnExpected,
    RevisionSide,
    Side,
    Sources,
    only_one,
    read_sides,
)
from modelfile.differ.comparison import Aspect, Change, ComparedSide, Comparison
from modelfile.differ.cosmetics import compare_cosmetics
from modelfile.differ.models import compare_models, compare_recipes
from modelfile.errors import InputError, ModelfileError, NotFound, ServerError
from modelfile.immutable import field, record
from modelfile.names import modelfile_at, split_prefix
from modelfile.pinning.check import version_of
from modelfile.prediction import expect_beside
from modelfile.project.project import Project
from modelfile.recipe.model import fingerprint
from modelfile.recipe.recipe import Recipe
from modelfile.stores.protocol import Registry, Store, StoredModel

if TYPE_CHECKING:
    from modelfile.weights.facts import WeightsFacts
    from modelfile.weights.reading import Weights

_MOST_KINDS: Final = 4
"""Number of kinds of tensors that a summary lists."""


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
    cosmetic: bool = False,
    on_expected: OnExpected = lambda *_: None,
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
        a: A Modelfile, weights, a model in the store or the start of its digest, or a tag of a model of the project;
            after `file:`, `model:`, `store:`, `lock:`, `registry:` or `git:` only a Modelfile or weights, a model in
            the store, a model in the folder, a locked base, a model in a registry, or a Modelfile at a revision of git.
        b: The same.
        project: The project that tags and paths belong to.
        store: The store of the models.
        check: Called with each Modelfile on the disk and the version of the store's Ollama, None if there are two
            Modelfiles or it is not known; raises an error if it cannot be used.
        on_note: Receives a note if a tag belongs to a model that the project does not know.
        folder: The store of sides with `store:`, and of the base of a Modelfile on the other side.
        registry: The registries of sides with `registry:`.
        cosmetic: Whether to compare comments, order and notation of two Modelfiles, too.
        on_expected: Receives a Modelfile, and the model that a build of it would create.

    Raises:
        InputError: A Modelfile does not exist or is rejected.
        NotFound: A side is neither a file nor a model in the store, or not in its registry.
        ServerError: The store or a registry cannot answer.
    """
    sources = Sources(
        project=project,
        store=store,
        folder=folder,
        registry=registry,
        on_note=on_note,
        check=check,
        on_expected=on_expected,
    )
    old, new = (only_one(side) for side in read_both((a, b), sources))
    return compare_sides(old, new, sources, cosmetic=cosmetic)


def read_both(texts: Sequence[str], sources: Sources) -> tuple[Side | RevisionSide, ...]:
    """Return two sides, as `read_sides`; if a store does not have one, what is wrong in a Modelfile comes first.

    Raises:
        ModelfileError: As of `diff`.
    """
    try:
        return read_sides(texts, sources)
    except (NotFound, ServerError):
        from modelfile.weights.reading import is_weights

        named = [path for text in texts if split_prefix(text)[0] is None and (path := modelfile_at(text))]
        paths = [path for path in named if not is_weights(path)]
        for path in paths:
            sources.check(sources.project.at(path), version_of(sources.store) if len(paths) == 1 else None)
        raise


def compare_sides(old: Side, new: Side, sources: Sources, *, cosmetic: bool = False) -> Comparison:
    """Return the differences of two sides.

    Args:
        old: The old side.
        new: The new side.
        sources: The store and the registries of the base of a Modelfile.
        cosmetic: Whether to compare comments, order and notation of two Modelfiles, too.

    Raises:
        ModelfileError: As of `diff`.
    """
    if isinstance(old, ModelSide):
        if isinstance(new, ModelSide):
            return _compare_stored(old, new, sources.project)
        return _compare_with_model(new, old, sources).mirrored()
    if isinstance(new, ModelSide):
        return _compare_with_model(old, new, sources)
    for side in (old, new):
        _check(side, sources.check, None)
    return compare_modelfiles(old, new, cosmetic=cosmetic)


def _check(side: ModelfileSide, check: Check, version: Version | None) -> None:
    """Reject a Modelfile that Ollama would; findings on an earlier version of one help nobody."""
    if side.is_weights:
        from modelfile.weights.reading import read_files

        read_files(recipe_of(side).weight_files)
    elif side.commit:
        recipe_of(side)
    else:
        check(side.target, version)


def recipe_of(side: ModelfileSide | None) -> Recipe:
    """Return the recipe of a Modelfile; that of none is empty.

    Raises:
        InputError: Ollama would reject it.
    """
    if side is None:
        return Recipe()
    if error := side.target.modelfile.first_error:
        reason = f"line {side.target.source.line_of(error.span.start)}: {error.message}"
        raise InputError(f"Ollama would reject `{side.name}`: {reason}", hint="`git diff` compares it by line")
    return side.target.recipe()


def compare_modelfiles(
    old: ModelfileSide | None, new: ModelfileSide | None, *, cosmetic: bool = False, hashes: bool = True
) -> Comparison:
    """Return the differences of two Modelfiles as written; None stands for one that does not exist.

    Args:
        old: The old one.
        new: The new one.
        cosmetic: Whether to compare comments, order and notation, too.
        hashes: Whether to hash local files whose digests neither the cache nor a lock has.

    Raises:
        InputError: One cannot be read, or Ollama would reject it.
    """
    one, other = recipe_of(old), recipe_of(new)
    digests = _digests(new, {}, hashes=hashes)
    before = _digests(old, digests, hashes=hashes)
    configured = next(side.target.project.config.ollama for side in (new, old) if side)
    changes = compare_recipes(
        one,
        other,
        digests,
        old_digests=before,
        ollama=release(configured or ""),
        facts=lambda: _facts(lambda: _local_weights(old), lambda: _local_weights(new)),
    )
    more = compare_cosmetics(old.target.modelfile, new.target.modelfile) if cosmetic and old and new else ()
    sides = [ComparedSide(name=side.name if side else "") for side in (old, new)]
    same = not changes and None not in (old, new)
    return Comparison(old=sides[0], new=sides[1], changes=(*changes, *more), same=same)


def _digests(side: ModelfileSide | None, newer: Mapping[Path, str], *, hashes: bool) -> dict[Path, str]:
    """Return the digests of a Modelfile's local files: at a revision, those of its lock."""
    if side is None:
        return {}
    target, locked = side.target, dict[str, str]()
    files = target.recipe().local_files
    if files and (side.commit or not hashes):
        with contextlib.suppress(InputError):  # a damaged lock decides nothing
            locked = dict(target.pin.files) if target.pin else {}
    known = {path: digest for path in files if (digest := locked.get(target.portable(path)) or newer.get(path))}
    if hashes or (not side.commit and target.is_hashed()):
        return {**target.digests(), **(known if side.commit else {})}
    return {path: known.get(path) or f"file {target.portable(path)}" for path in files}


def _compare_stored(old: ModelSide, new: ModelSide, project: Project) -> Comparison:
    one, other = old.stored, new.stored
    stores = sorted((side.store for side in (new, old) if side.store), key=lambda store: store.location.is_folder)
    asked = stores[0] if stores and one.model.parameters != other.model.parameters else None
    ollama = version_of(asked) if asked else release(project.config.ollama or "")
    changes = compare_models(
        one.model,
        other.model,
        ollama=ollama,
        facts=lambda: _facts(lambda: _stored_weights(one, old.store), lambda: _stored_weights(other, new.store)),
    )
    return Comparison(old=_compared(old), new=_compared(new), changes=changes, same=not changes)


def _compare_with_model(modelfile: ModelfileSide, model: ModelSide, sources: Sources) -> Comparison:
    """Return the differences of the model that a build of a Modelfile would create from another."""
    target, other, store = modelfile.target, model.stored, model.store or sources.store
    version = version_of(store)
    _check(modelfile, sources.check, version)
    expected = expect_beside(target, other, store, sources.registry)
    sources.on_expected(target, expected)
    base = expected.base
    changes = compare_models(
        expected.model,
        other.model,
        ollama=version,
        facts=lambda: _facts(
            lambda: _stored_weights(base, store) if base else _local_weights(modelfile),
            lambda: _stored_weights(other, model.store),
        ),
    )
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


@record(kw_only=True)
class _KnownWeights:
    """The facts that are known of the weights of a side."""

    said: Mapping[Aspect, str] = field(default_factory=dict)
    """The words of the store."""
    header: Weights | None = None


def _facts(old: Callable[[], _KnownWeights], new: Callable[[], _KnownWeights]) -> Sequence[Mapping[Aspect, str]]:
    """Return what the weights of two sides tell of themselves; nothing of what only one side is known to tell."""
    known = old(), new()
    one, other = ({**each.said, **(_header_facts(each.header.facts) if each.header else {})} for each in known)
    if known[0].header and known[1].header:
        with contextlib.suppress(ModelfileError):  # what can be read is compared
            one[Aspect.TENSORS], other[Aspect.TENSORS] = _differing_tensors(known[0].header, known[1].header)
    return one, other


def _header_facts(facts: WeightsFacts) -> dict[Aspect, str]:
    from modelfile.catalog.families import turns_in

    context = f"{facts.context_length:,} tokens" if facts.context_length else ""
    found = _known(facts.architecture, facts.parameter_size, facts.file_type)
    found |= {
        aspect: text for aspect, text in ((Aspect.CONTEXT, context), (Aspect.WEIGHTS_LICENSE, facts.license)) if text
    }
    if facts.chat_template or (facts.chat_template is not None and facts.format == "gguf"):
        turns = turns_in(facts.chat_template)
        found |= {Aspect.CHAT_TEMPLATE: facts.chat_template, Aspect.TURNS: turns.title if turns else ""}
    return found


def _differing_tensors(old: Weights, new: Weights) -> tuple[str, str]:
    """Return the tensors that differ in name, shape or type: by type, or where those are the same, also by shape."""
    listed = [{each.name: (each.type, each.shape) for each in side.tensors()} for side in (old, new)]
    sides = [
        {name: facts for name, facts in each.items() if other.get(name) != facts}
        for each, other in (listed, listed[::-1])
    ]
    by_type, by_shape, by_name = (
        tuple(_summarize(map(describe, side.items())) for side in sides)
        for describe in (
            lambda each: each[1][0],
            lambda each: f"{each[1][0]} of {' x '.join(map(str, each[1][1]))}",
            lambda each: f"{each[0]}",
        )
    )
    one, other = next((pair for pair in (by_type, by_shape) if pair[0] != pair[1]), by_name)
    return one, other


def _summarize(kinds: Iterable[str]) -> str:
    """Return how many there are of each kind, the most first."""
    counts = Counter(kinds).most_common()
    shown = [f"{count} {kind}" for kind, count in counts[:_MOST_KINDS]]
    return ", ".join([*shown, *(["…"] if len(counts) > _MOST_KINDS else [])])


def _local_weights(side: ModelfileSide | None) -> _KnownWeights:
    """Return what the header of local weights says; nothing of those at a revision, which are not at hand."""
    if side is None or side.commit:
        return _KnownWeights()
    from modelfile.weights.reading import read_files

    recipe = side.target.recipe()
    with contextlib.suppress(InputError):  # what they are is not known, but that they differ
        for each in read_files(recipe.weight_files):
            if each.facts.kind == "model":
                if not recipe.quantize:
                    return _KnownWeights(header=each)
                facts = _header_facts(each.facts)
                return _KnownWeights(
                    said={aspect: facts[aspect] for aspect in facts if aspect is not Aspect.QUANTIZATION}
                )
    return _KnownWeights()


def _stored_weights(stored: StoredModel, store: Store | None) -> _KnownWeights:
    """Return what a store knows of the weights of a model, by their header if it has them."""
    said, header = _known(stored.family, stored.size, stored.quantization), None
    if store:
        with contextlib.suppress(ModelfileError):  # the words of the store are enough
            header = next((each for each in store.weights(stored) if each.facts.kind == "model"), None)
    return _KnownWeights(said=said, header=header)


def _known(architecture: str, size: str, quantization: str) -> dict[Aspect, str]:
    facts = {Aspect.ARCHITECTURE: architecture, Aspect.SIZE: size, Aspect.QUANTIZATION: quantization}
    return {aspect: text for aspect, text in facts.items() if text}
