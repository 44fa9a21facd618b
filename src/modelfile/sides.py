"""The sides of `mf diff`: a Modelfile, a model in a store or a registry, or a tag of this project's model."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from modelfile.catalog.versions import Version, release
from modelfile.differ.comparison import Aspect, Change, ComparedSide, Comparison
from modelfile.differ.cosmetics import compare_cosmetics
from modelfile.differ.models import compare_models, compare_recipes
from modelfile.errors import InputError, NotFound, UsageError
from modelfile.library.lookup import show
from modelfile.library.published import show_published
from modelfile.lockfile.lock import Base
from modelfile.names import ModelName, Prefix, digest_start, join_alternatives, modelfile_at, split_prefix
from modelfile.pinning.check import version_of
from modelfile.prediction import ExpectedModel, expect_beside, restore_base
from modelfile.project.project import Project
from modelfile.project.target import Target
from modelfile.recipe.model import fingerprint
from modelfile.stores.backups import is_internal
from modelfile.stores.protocol import ListedModel, Registry, Store, StoredModel, find_listed


def diff(  # noqa: PLR0913  # each is a choice of its own
    a: str,
    b: str,
    project: Project,
    store: Store,
    check: Callable[[Target, Version | None], object] = lambda *_: None,
    on_note: Callable[[str], object] = lambda _: None,
    *,
    folder: Store | None = None,
    registry: Registry | None = None,
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
            `file:`, `model:`, `store:`, `lock:` or `registry:` only a Modelfile, a model in the store, a model in the
            folder, a locked base or a model in a registry.
        b: The same.
        project: The project that tags and paths belong to.
        store: The store of the models.
        check: Called with each Modelfile and the version of the store's Ollama, None if there are two Modelfiles or it
            is not known; raises an error if it cannot be used.
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
    old, new = _target(a, project), _target(b, project)
    if folder and (old or new) and Prefix.STORE in (split_prefix(a)[0], split_prefix(b)[0]):
        store = folder
    prefixed = {
        text: model
        for text, side in ((a, old), (b, new))
        if side is None and (model := _by_prefix(text, project, store, folder, registry))
    }
    version = version_of(store) if (old is None) != (new is None) else None
    for side in filter(None, (old, new)):
        check(side, version)
    configured, texts = release(project.config.ollama or ""), ((a, old), (b, new))
    if old and new:
        changes = compare_recipes(old.recipe(), new.recipe(), {**old.digests(), **new.digests()}, ollama=configured)
        written = [ComparedSide(name=str(side.path)) for side in (old, new)]
        more = compare_cosmetics(old.modelfile, new.modelfile) if cosmetic else ()
        return Comparison(old=written[0], new=written[1], changes=(*changes, *more), same=not changes)
    named = [text for text, side in texts if side is None and text not in prefixed]
    found = find_models(named, project, store, on_note)
    models = {text: prefixed.get(text) or _stored(text, found, project, store) for text, side in texts if side is None}
    sides = {text: _side(stored, text if text in prefixed else "") for text, stored in models.items()}
    if not (target := old or new):
        one, other = models[a], models[b]
        asked = store if named or Prefix.MODEL in (split_prefix(a)[0], split_prefix(b)[0]) else folder
        ollama = version_of(asked) if asked and one.model.parameters != other.model.parameters else configured
        changes = compare_models(one.model, other.model, ollama=ollama, facts=(_facts(one), _facts(other)))
        return Comparison(old=sides[a], new=sides[b], changes=changes, same=not changes)
    ((text, other),) = models.items()
    expected = expect_beside(target, other, store, registry)
    on_expected(target, expected)
    facts = _facts(expected.base) if expected.base else {}
    changes = compare_models(expected.model, other.model, ollama=version, facts=(facts, _facts(other)))
    if not changes and expected.fingerprint:
        changes = (Change(aspect=Aspect.FINGERPRINT, old=expected.fingerprint, new=other.fingerprint),)
    known = expected.fingerprint or (None if expected.undecided else fingerprint(expected.model))
    comparison = Comparison(
        old=ComparedSide(name=str(target.path), fingerprint=known),
        new=sides[text],
        changes=changes,
        same=False if changes else None if expected.undecided else True,
        undecided=expected.undecided,
        dropped_capabilities=tuple(name for name, _ in expected.dropped_capabilities),
    )
    return comparison if old else comparison.mirrored()


def _side(stored: StoredModel, name: str) -> ComparedSide:
    return ComparedSide(name=name or str(stored.name), fingerprint=stored.fingerprint, digest=stored.digest)


def _facts(stored: StoredModel) -> dict[Aspect, str]:
    """Return what is known of the weights of a model."""
    facts = {Aspect.ARCHITECTURE: stored.family, Aspect.SIZE: stored.size, Aspect.QUANTIZATION: stored.quantization}
    return {aspect: text for aspect, text in facts.items() if text}


def _target(text: str, project: Project) -> Target | None:
    path = modelfile_at(text)
    return Target(project, path) if path else None


def _by_prefix(
    text: str, project: Project, store: Store, folder: Store | None, registry: Registry | None
) -> StoredModel | None:
    """Return the model of a side with a prefix; None if it has none."""
    match split_prefix(text):
        case (Prefix.MODEL, name):
            return show(name, store)
        case (Prefix.STORE, name):
            if folder is None:
                raise UsageError(f"`{text}` cannot be read: no folder was given")
            return show(name, folder)
        case (Prefix.LOCK, name):
            return show_locked(name, project, store, registry)
        case (Prefix.REGISTRY, name):
            if registry is None:
                raise UsageError(f"`{text}` cannot be read: no registry was given")
            return show_published(name, registry)
        case _:
            return None


def show_locked(name: str, project: Project, store: Store, registry: Registry | None) -> StoredModel:
    """Return a base as the locks of a project have it, from them and small layers.

    Args:
        name: The name of the base, where no tag means `latest`.
        project: The project.
        store: The store of bases that no registry has.
        registry: The registries of layers that are not in the cache.

    Raises:
        UsageError: The name is invalid, or several versions of the base are locked.
        NotFound: None is.
        InputError: A lock is damaged.
        ServerError: Its layers cannot be read.
    """
    from modelfile.pinning.pin_aliases import locks_of

    wanted, found = ModelName.parse(name), dict[str, tuple[str, Base]]()
    for lock in locks_of(project):
        for key, pin in lock.modelfiles.items():
            if pin.base and pin.base.fingerprint and wanted.same_as(ModelName.parse(pin.base.name)):
                found.setdefault(pin.base.fingerprint, (key, pin.base))
    if not found:
        raise NotFound(f"no base {wanted} in mf.lock", hint="run `mf pin`, or name a base as FROM does")
    if len(found) > 1:
        keys = " and ".join(f"`{key}`" for key, _ in found.values())
        raise UsageError(f"several versions of {wanted} in mf.lock: those of {keys}", hint="run `mf update`")
    ((_, base),) = found.values()
    return restore_base(wanted, base, store, registry)


def _stored(text: str, found: Mapping[str, ModelName], project: Project, store: Store) -> StoredModel:
    if text in found:
        return show(str(found[text]), store)
    if digest_start(text):
        with contextlib.suppress(NotFound):
            return show(text, store)
    raise _missing(text, project, store)


def _missing(text: str, project: Project, store: Store) -> NotFound:
    if digest_start(text) and "…" in text:
        tried = ["its digest"]
    else:
        tried = list(dict.fromkeys((*tags_here(text, project), str(ModelName.parse(text)))))
    tagged = [f"`{model.name}`" for model in _visible(store) if model.name.tag == text]
    hint = "name a Modelfile, a model, or a tag of the model here"
    hint = f"name the model: {join_alternatives(tagged)}" if tagged else hint
    return NotFound(
        f"no file or model `{text}` (looked for {join_alternatives(tried)} {store.location.where})", hint=hint
    )


def tags_here(text: str, project: Project) -> tuple[str, ...]:
    """Return the names that a text means as a tag of the models here; none if it cannot be a tag alone."""
    return tuple(f"{model}:{text}" for model in project.models_here()) if _is_word(text) else ()


def _is_word(text: str) -> bool:
    return not {"/", ":"} & set(text)


def _visible(store: Store) -> tuple[ListedModel, ...]:
    return tuple(model for model in store.list() if not is_internal(model.name))


def find_models(
    texts: Iterable[str], project: Project, store: Store, on_note: Callable[[str], object] = lambda _: None
) -> dict[str, ModelName]:
    """Return the models that texts mean: tags of one model of the project, if all are, or else each by itself.

    A word without `/` and `:` is a tag of a model of the project before it is a model of the store. If it is neither,
    and a single model of the store has all such tags, it is a tag of that model, which is reported.

    Args:
        texts: Names, or tags alone.
        project: The project whose models the tags may belong to.
        store: The store of the models.
        on_note: Receives a note if the tags are those of a model that the project does not know, or of one of several
            that the configuration lists here.

    Returns:
        The models by text; without those that are not found.

    Raises:
        InputError: Several models that the configuration lists here have the tags, or each a different one.
        ServerError: The store cannot answer.
    """
    texts = tuple(dict.fromkeys(texts))
    if not texts:
        return {}
    listed, words = _visible(store), [*filter(_is_word, texts)]
    here = project.models_here() if words else ()
    if words and (complete := _having_all(here, words, listed)):
        configured = {target.named.untagged for target in project.targets} & {*here}
        if len(rivals := [name for name in complete if name in configured]) > 1:
            tags = [f"`{name}:{word}`" for word in words for name in rivals]
            raise InputError(f"{_tags(words)} of several models", hint=f"name the model: {join_alternatives(tags)}")
        if len(configured) > 1:
            on_note(f"{_tags(words)} of {complete[0]}")
        return _by_themselves(texts, listed) | _tags_of(complete[0], words, listed)
    found = _by_themselves(texts, listed) | _tags_of_one(here, words, listed)
    unknown = [word for word in words if word not in found]
    for wanted in (words, unknown) if unknown else ():
        names = dict.fromkeys(model.name.untagged for model in listed if model.name.tag in wanted)
        if len(complete := _having_all(names, wanted, listed)) == 1:
            on_note(f"{_tags(wanted)} of {complete[0]}")
            return found | _tags_of(complete[0], wanted, listed)
    others = {word: name for model in reversed(here) for word, name in _tags_of(model, words, listed).items()}
    if len(others) > 1 and not found.keys() & others.keys():
        by_word = {word: f"`{others[word]}`" for word in words if word in others}
        hint = f"name the models: {' and '.join(by_word.values())}"
        raise InputError(f"{_tags(by_word)} of different models", hint=hint)
    return found


def _having_all(names: Iterable[str], words: Sequence[str], listed: Sequence[ListedModel]) -> list[str]:
    """Return the models that have all words as tags."""
    return [name for name in names if len(_tags_of(name, words, listed)) == len(words)]


def _tags(words: Collection[str]) -> str:
    """Return the subject and the verb of a message on tags."""
    return f"{' and '.join(f'`{word}`' for word in words)} {'are tags' if len(words) > 1 else 'is a tag'}"


def _by_themselves(texts: Iterable[str], listed: Sequence[ListedModel]) -> dict[str, ModelName]:
    return {text: found for text in texts if (found := _listed(text, listed))}


def _tags_of_one(here: Sequence[str], words: Sequence[str], listed: Sequence[ListedModel]) -> dict[str, ModelName]:
    """Return the models of which words are a tag each; none if they were tags of different models."""
    tags: dict[str, ModelName] = {}
    for name in reversed(here):
        tags |= _tags_of(name, words, listed)
    return tags if len({tag.untagged for tag in tags.values()}) == 1 else {}


def _tags_of(model: str, words: Iterable[str], listed: Sequence[ListedModel]) -> dict[str, ModelName]:
    """Return the tags of a model that are listed, by word."""
    return {word: found for word in words if (found := _listed(f"{model}:{word}", listed))}


def _listed(text: str, listed: Sequence[ListedModel]) -> ModelName | None:
    try:
        found = find_listed(ModelName.parse(text), listed)
    except UsageError:  # a folder may have a name that no model can have
        return None
    return found.name if found else None
