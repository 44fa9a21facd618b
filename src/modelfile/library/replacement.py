"""Give a name another model: immutable tags, copy and pull."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, TypeAlias

from modelfile.errors import UsageError, WouldReplace
from modelfile.events import Events, ignore
from modelfile.immutable import record, replace
from modelfile.library.lookup import find_named
from modelfile.names import ModelName, shorten_digest
from modelfile.project import DEFAULT_IMMUTABLE, DEFAULT_KEEP
from modelfile.stores.backups import back_up, guarded, replace_tag
from modelfile.stores.protocol import ListedModel, Store, StoreLocation, find_listed, missing_after
from modelfile.stores.uploads import pull_model

if TYPE_CHECKING:
    from modelfile.differ.comparison import Change


def is_immutable(name: ModelName, patterns: Iterable[str]) -> bool:
    """Return whether a name's tag matches one of the patterns, as in shells; case is ignored, as Ollama does.

    >>> from modelfile.project import DEFAULT_IMMUTABLE
    >>> tags = ("v1", "V1.2", "1.2.3", "vision", "latest", "8b", "1.5b")
    >>> [tag for tag in tags if is_immutable(ModelName(model="bot", tag=tag), DEFAULT_IMMUTABLE)]
    ['v1', 'V1.2', '1.2.3', '1.5b']
    """
    return any(fnmatchcase(name.tag.lower(), pattern.lower()) for pattern in patterns)


def would_replace(
    name: ModelName,
    location: StoreLocation,
    current: str,
    new: str,
    *,
    immutable: bool = True,
    details: Iterable[str] = (),
) -> WouldReplace:
    """Return the error for a tag that has another model.

    Args:
        name: The tag.
        location: The location of its store.
        current: Fingerprint of the model that it has, or its digest.
        new: Fingerprint of the model that would replace it, or its digest.
        immutable: Whether the tag is immutable.
        details: Lines on what would be different.
    """
    has = "is an immutable tag and has" if immutable else "already has"
    message = f"{name} {location.where} {has} another model: {shorten_digest(current)}, not {shorten_digest(new)}"
    return WouldReplace(message, hint="use a new tag, or pass --replace to replace the model", details=details)


@record(kw_only=True)
class Copied:
    """The result of `copy`."""

    source: ModelName
    destination: ModelName
    digest: str
    copied: bool
    """True if anything was copied; false if the destination was already the same model."""
    backup: ModelName | None
    """The alias of the model that was replaced."""


def copy(source: str, destination: str, store: Store, *, replace: bool = False, keep: int = DEFAULT_KEEP) -> Copied:
    """Copy a model to another name; this takes no disk space.

    >>> import modelfile
    >>> from modelfile.stores.memory import MemoryStore
    >>> store = MemoryStore.with_models("llama3.2:3b")
    >>> modelfile.copy("llama3.2:3b", "bot:v1", store).copied
    True
    >>> [str(model.name) for model in modelfile.list_models(store)]
    ['bot:v1', 'llama3.2:3b']

    Args:
        source: The name of the model, or the start of its digest.
        destination: The other name, with a tag.
        store: The store.
        replace: Whether to replace another model of that name, after backing it up; the tag need not be immutable.
        keep: The number of backups that a tag may have; 0: none, and the replaced model is lost.

    Raises:
        UsageError: A name is invalid, or the destination has no tag.
        WouldReplace: The destination has another model.
        NotFound: The store has no such source.
        ServerError: The store cannot copy it.
        VerificationError: The copy differs from the source.
    """
    new, listed = _tagged(destination), store.list()
    model, existing, backup = find_named(source, listed, store), find_listed(new, listed), None
    if existing and existing.digest == model.digest:
        return Copied(source=model.name, destination=existing.name, digest=model.digest, copied=False, backup=None)
    if existing:
        if not replace:
            reject_other_model(existing, model, store, immutable=False)
        backup = back_up(existing.name, store, keep)
    name = replace_tag(model.name, new, store)[0].name
    return Copied(source=model.name, destination=name, digest=model.digest, copied=True, backup=backup)


def copy_between(  # noqa: PLR0913  # the two sides, and how to replace
    source: str,
    origin: Store,
    destination: str,
    store: Store,
    events: Events = ignore,
    *,
    replace: bool = False,
    keep: int = DEFAULT_KEEP,
) -> Copied:
    """Copy a model of a folder to another folder, or to a server.

    Args:
        source: The name of the model, or the start of its digest.
        origin: The store that has it: a folder.
        destination: The name in the other store, with a tag.
        store: The other store.
        events: Receives progress.
        replace: Whether to replace another model of that name, after backing it up; the tag need not be immutable.
        keep: The number of backups that a tag may have; 0: none, and the replaced model is lost.

    Raises:
        UsageError: A name is invalid, the destination has no tag, or the model is on a server.
        WouldReplace: The destination has another model.
        NotFound: There is no such source.
        InputError: The source is damaged, or the folder cannot be written.
        ServerError: The store cannot take it.
        VerificationError: A server makes another model of it.
    """
    from modelfile.transfer import copy_model  # most copies stay in one store

    new = _tagged(destination)
    model, existing = find_named(source, origin.list(), origin), find_listed(new, store.list())
    backup, ours, both = None, existing.name if existing else new, {"source": model.name}
    if existing:
        error = _replacement(existing, model, store, immutable=False, origin=origin)
        if error is None:
            return Copied(**both, destination=ours, digest=existing.digest, copied=False, backup=None)
        if not replace:
            raise error
        backup = back_up(existing.name, store, keep)
    copy_model(origin, model.name, store, ours, events)
    if (now := find_listed(new, store.list())) is None:
        raise missing_after("created", new, store.location)
    return Copied(**both, destination=now.name, digest=now.digest, copied=True, backup=backup)


def _tagged(destination: str) -> ModelName:
    new = ModelName.parse(destination)
    if not new.tagged:
        hint = f"write {destination}:v1, or {destination}:latest if that is intended"
        raise UsageError(f"`{destination}` has no tag", hint=hint)
    return new


def reject_other_model(current: ListedModel, new: ListedModel, store: Store, *, immutable: bool) -> None:
    """Raise an error if a model differs from the one that it would replace.

    Raises:
        WouldReplace: It does.
        ServerError: The store cannot answer.
    """
    if error := _replacement(current, new, store, immutable=immutable):
        raise error


def _replacement(  # both models, and where they are
    current: ListedModel,
    new: ListedModel,
    store: Store,
    *,
    immutable: bool,
    name: ModelName | None = None,
    origin: Store | None = None,
) -> WouldReplace | None:
    """Return the error for a model that would replace a different one of a tag; None if both have one fingerprint."""
    if current.digest == new.digest and origin is None:
        return None
    known, made = store.read(current), (origin or store).read(new)
    if not known or not made:
        return would_replace(name or current.name, store.location, current.digest, new.digest, immutable=immutable)
    if known.fingerprint == made.fingerprint:
        return None
    from modelfile.differ.models import compare_models  # most copies and pulls replace nothing

    details = describe_changes(compare_models(known.model, made.model))
    both = (known.fingerprint, made.fingerprint)
    return would_replace(name or current.name, store.location, *both, immutable=immutable, details=details)


def describe_changes(changes: Iterable[Change] | None) -> list[str]:
    """Return a line on what would be different in a model, for `would_replace`; none if that is not known."""
    if not (known := (*(changes or ()),)):
        return []
    from modelfile.differ.comparison import impact_of

    return [f"changes: {', '.join(change.title for change in known)} ({impact_of(known).phrase})"]


@record(kw_only=True)
class Pulled:
    """The result of `pull`."""

    name: ModelName
    digest: str
    previous: str | None
    """The digest before the pull; None if the model is new."""
    backup: ModelName | None = None
    """The alias of the model that was replaced, if the tag is immutable."""


Approve: TypeAlias = Callable[[WouldReplace], bool]
"""Is given the error for a tag that has another model; returns whether to replace that model."""


def pull(
    name: str,
    store: Store,
    events: Events = ignore,
    *,
    immutable: Iterable[str] = DEFAULT_IMMUTABLE,
    approve: Approve = lambda _: False,
    keep: int = DEFAULT_KEEP,
) -> Pulled:
    """Pull a model from its registry, or update it.

    Only after the pull it is known whether an immutable tag has another model then; unless that is approved, the tag
    gets its previous model back.

    >>> import modelfile
    >>> from modelfile.stores.memory import MemoryStore
    >>> pulled = modelfile.pull("llama3.2:3b", MemoryStore.with_models("llama3.2:3b"))
    >>> pulled.digest == pulled.previous  # it was up to date
    True

    Args:
        name: The name of the model; without a tag, `latest` is intended.
        store: The store that pulls it.
        events: Receives progress.
        immutable: The patterns of immutable tags.
        approve: Asked whether to replace the model of an immutable tag; default: no.
        keep: The number of backups that an immutable tag may have; 0: none, and the replaced model is lost.

    Raises:
        UsageError: The name is invalid.
        WouldReplace: The tag is immutable, and its model in the registry is another one.
        ServerError: The store cannot pull it.
        VerificationError: The store does not have it afterwards.
    """
    model = ModelName.parse(name)
    before = find_listed(model, store.list())
    if before is None or not is_immutable(model, immutable):
        return _pull(model, before, store, events)
    with guarded(before, store, keep) as guard:
        pulled = _pull(model, before, store, events)
        now = ListedModel(name=pulled.name, digest=pulled.digest, size=0, modified=before.modified)
        error = _replacement(replace(before, name=guard.alias), now, store, immutable=True, name=before.name)
        if error and not approve(error):
            raise error
        guard.replaced = error is not None
    return replace(pulled, backup=guard.alias if guard.replaced and keep else None)


def _pull(model: ModelName, before: ListedModel | None, store: Store, events: Events) -> Pulled:
    pull_model(model, store, events, named=str(model))
    now = find_listed(model, store.list())
    if now is None:
        raise missing_after("pulled", model, store.location)
    return Pulled(name=now.name, digest=now.digest, previous=before.digest if before else None)


def pull_through(  # noqa: PLR0913  # the two stores, and how to replace
    name: str,
    folder: Store,
    store: Store,
    events: Events = ignore,
    *,
    immutable: Iterable[str] = DEFAULT_IMMUTABLE,
    approve: Approve = lambda _: False,
    keep: int = DEFAULT_KEEP,
) -> Pulled:
    """Pull a model into a folder, and give it to a server from there, which then need not reach the registry.

    Args:
        name: The name of the model; without a tag, `latest` is intended.
        folder: The folder.
        store: The server.
        events: Receives progress.
        immutable: The patterns of immutable tags.
        approve: Asked whether to replace the model of an immutable tag, in the folder and on the server; default: no.
        keep: The number of backups that an immutable tag may have; 0: none, and the replaced model is lost.

    Raises:
        ModelfileError: As of `pull` and `copy_between`.
    """
    pulled = pull(name, folder, events, immutable=immutable, approve=approve, keep=keep)
    text, before = str(pulled.name), find_listed(pulled.name, store.list())
    asks = is_immutable(pulled.name, immutable)

    def copied(*, replace: bool) -> Copied:
        return copy_between(text, folder, text, store, events, replace=replace, keep=keep if asks else 0)

    try:
        done = copied(replace=not asks)
    except WouldReplace as error:
        if not approve(error):
            raise
        done = copied(replace=True)
    previous = before.digest if before else None
    return Pulled(name=done.destination, digest=done.digest, previous=previous, backup=done.backup)


def fingerprint_of(listed: ListedModel, store: Store) -> str | None:
    """Return the fingerprint of a listed model; None if the store cannot read it."""
    stored = store.read(listed)
    return stored.fingerprint if stored else None
