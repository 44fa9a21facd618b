"""The models of a store: list, show, copy, remove, pull, roll back."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Final, TypeAlias

from modelfile.errors import NotFound, RegistryUnreachable, ServerError, UsageError, WouldReplace
from modelfile.events import Events, ignore
from modelfile.names import ModelName, digest_start, short_digest, shorten_digest
from modelfile.project import DEFAULT_IMMUTABLE, DEFAULT_KEEP
from modelfile.stores.backups import back_up, backups_of, guarded, is_internal, replace_tag, restore
from modelfile.stores.protocol import ListedModel, Store, StoredModel, StoreLocation, find_listed, missing_after

_MIN_LENGTH: Final = 3
"""Length below which a name resembles too many others to suggest one."""
_ALIAS: Final = re.compile(r"(?:.*:)?(?P<digest>sha256-[0-9a-f]+)…?(?:[-.].+)?", re.IGNORECASE)
_FINGERPRINT: Final = "mf1:"


def list_models(store: Store, pattern: str | None = None, *, internal: bool = False) -> tuple[ListedModel, ...]:
    """Return the models of a store, the newest first.

    >>> import modelfile
    >>> from modelfile.stores.memory import MemoryStore
    >>> store = MemoryStore.with_models("llama3.2:3b", "qwen3:8b")
    >>> [str(model.name) for model in modelfile.list_models(store, "qwen*")]
    ['qwen3:8b']

    Args:
        store: The store.
        pattern: A glob that the name has to match, with or without its tag, in any case; None: all models.
        internal: Whether to include backups and staging tags.

    Raises:
        ServerError: The store cannot answer.
    """
    return tuple(
        model
        for model in store.list()
        if (internal or not is_internal(model.name)) and (pattern is None or _matches(model.name, pattern))
    )


def _matches(name: ModelName, pattern: str) -> bool:
    shown = str(name).lower()
    return any(fnmatchcase(text, pattern.lower()) for text in (shown, shown.rpartition(":")[0]))


def show(name: str, store: Store) -> StoredModel:
    """Return a model with its contents.

    >>> import modelfile
    >>> from modelfile.stores.memory import MemoryStore
    >>> modelfile.show("llama3.2:3b", MemoryStore.with_models("llama3.2:3b")).model.template
    '{{ .Prompt }}'

    Args:
        name: The name of the model, where no tag means `latest`, or the start of its digest.
        store: The store.

    Raises:
        UsageError: The name is invalid, or several models have a digest with this start.
        NotFound: The store has no such model, or lists it but cannot read it.
        ServerError: The store cannot answer.
    """
    wanted = _name_in(name)
    if wanted and (stored := store.find(wanted)):
        return stored
    model = find_named(name, store.list(), store).name
    if not (wanted and wanted.same_as(model)) and (stored := store.find(model)):
        return stored
    raise NotFound(f"{model} is listed on {store.location}, but cannot be read", hint=f"remove it with `mf rm {model}`")


def _name_in(text: str) -> ModelName | None:
    """Return a text as a name; None if it can only be the start of a digest."""
    try:
        return ModelName.parse(text)
    except UsageError:
        if digest_start(text):
            return None
        raise


def find_named(text: str, listed: Sequence[ListedModel], store: Store, *, one_name: bool = False) -> ListedModel:
    """Return the listed model that a text names: by its name, or else by the start of its digest.

    Backups and staging tags count only where no other name has the digest.

    Args:
        text: A name, where no tag means `latest`, or at least 6 digits of a digest, with or without `sha256:`.
        listed: The models of the store.
        store: The store, for messages.
        one_name: Whether to reject a digest that several names have.

    Raises:
        UsageError: The name is invalid, or the digest is ambiguous.
        NotFound: There is no such model.
    """
    name, start = _name_in(text), digest_start(text)
    if name and (named := find_listed(name, listed)):
        return named
    found = [model for model in listed if start and model.digest.removeprefix("sha256:").startswith(start)]
    found = [model for model in found if not is_internal(model.name)] or found
    if not found:
        if name:
            return find(name, listed, store)  # its error suggests similar names
        raise NotFound(f"no model on {store.location} has a digest starting with {start}", hint="run `mf ls -a`")
    several = len({model.digest for model in found}) > 1
    if several or (one_name and len(found) > 1):
        names = ", ".join(f"{model.name} ({short_digest(model.digest)})" for model in found)
        which = "models have digests" if several else "names have a digest"
        raise UsageError(
            f"several {which} starting with {start} on {store.location}",
            hint=f"{'give more digits, or name one' if several else 'name one'}: {names}",
        )
    return found[0]


def find(name: ModelName, listed: Sequence[ListedModel], store: Store) -> ListedModel:
    """Return the listed model of a name.

    Raises:
        NotFound: There is none; the hint suggests similar names.
    """
    if found := find_listed(name, listed):
        return found
    hint = _suggestion(name, [model.name for model in listed])
    raise NotFound(f"{name} not found on {store.location}", hint=hint)


def _suggestion(name: ModelName, listed: Iterable[ModelName]) -> str:
    from difflib import get_close_matches

    shown = [other for other in listed if not is_internal(other)]
    wanted = name.model.lower()
    models = {other.model.lower() for other in shown}
    similar = {wanted, *(get_close_matches(wanted, models, cutoff=0.75) if len(wanted) >= _MIN_LENGTH else ())}
    likely = [str(other) for other in shown if other.model.lower() in similar]
    if close := get_close_matches(str(name), likely, cutoff=0):
        return f"did you mean {' or '.join(f'`{other}`' for other in close)}?"
    return "run `mf ls` to list its models" if shown else "it has no models: run `mf pull` or `mf build`"


def is_immutable(name: ModelName, patterns: Iterable[str]) -> bool:
    """Return whether a name's tag matches one of the patterns, as in shells; case is ignored, as Ollama does.

    >>> from modelfile.project import DEFAULT_IMMUTABLE
    >>> tags = ("v1", "V1.2", "1.2.3", "vision", "latest", "8b", "1.5b")
    >>> [tag for tag in tags if is_immutable(ModelName(model="bot", tag=tag), DEFAULT_IMMUTABLE)]
    ['v1', 'V1.2', '1.2.3', '1.5b']
    """
    return any(fnmatchcase(name.tag.lower(), pattern.lower()) for pattern in patterns)


def would_replace(
    name: ModelName, location: StoreLocation, current: str, new: str, *, immutable: bool = True
) -> WouldReplace:
    """Return the error for a tag that has another model.

    Args:
        name: The tag.
        location: The location of its store.
        current: Fingerprint of the model that it has, or its digest.
        new: Fingerprint of the model that would replace it, or its digest.
        immutable: Whether the tag is immutable.
    """
    has = "is an immutable tag and has" if immutable else "already has"
    message = f"{name} on {location} {has} another model: {shorten_digest(current)}, not {shorten_digest(new)}"
    return WouldReplace(message, hint="use a new tag, or pass --replace to replace the model")


@dataclass(frozen=True, slots=True, kw_only=True)
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
    new = ModelName.parse(destination)
    if not new.tagged:
        hint = f"write {destination}:v1, or {destination}:latest if that is intended"
        raise UsageError(f"`{destination}` has no tag", hint=hint)
    listed = store.list()
    model, existing, backup = find_named(source, listed, store), find_listed(new, listed), None
    if existing and existing.digest == model.digest:
        return Copied(source=model.name, destination=existing.name, digest=model.digest, copied=False, backup=None)
    if existing:
        if not replace:
            _reject_other_model(existing, model, store, immutable=False)
        backup = back_up(existing.name, store, keep)
    name = replace_tag(model.name, new, store)[0].name
    return Copied(source=model.name, destination=name, digest=model.digest, copied=True, backup=backup)


def _reject_other_model(current: ListedModel, new: ListedModel, store: Store, *, immutable: bool) -> None:
    if error := _replacement(current, new, store, immutable=immutable):
        raise error


def _replacement(
    current: ListedModel, new: ListedModel, store: Store, *, immutable: bool, name: ModelName | None = None
) -> WouldReplace | None:
    """Return the error for a model that would replace a different one of a tag; None if both have one fingerprint."""
    if current.digest == new.digest:
        return None
    known, made = _fingerprint(current.name, store), _fingerprint(new.name, store)
    if known and known == made:
        return None
    both = (known, made) if known and made else (current.digest, new.digest)
    return would_replace(name or current.name, store.location, *both, immutable=immutable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """The models that `remove` would remove."""

    models: tuple[ListedModel, ...]
    missing: tuple[tuple[str, NotFound], ...]
    """Names and patterns of which the store has no model; if there are any, nothing is removed."""
    backups_left: int
    """The number of backups that are not removed."""
    listed: tuple[ListedModel, ...]
    """All models of the store."""

    def sharing(self, model: ListedModel) -> tuple[ModelName, ...]:
        """Return the remaining names of the same model, which keep its layers."""
        others = [other.name for other in self.listed if other.digest == model.digest and other not in self.models]
        return tuple(name for name in others if not is_internal(name)) or tuple(others[:1])


def plan_removal(names: Iterable[str], store: Store, *, backups: bool = False) -> Removal:
    """Return the models that `remove` would remove for these names; nothing is removed.

    >>> import modelfile
    >>> from modelfile.stores.memory import MemoryStore
    >>> removal = modelfile.plan_removal(["qwen3:8b", "bot"], MemoryStore.with_models("qwen3:8b"))
    >>> [str(model.name) for model in removal.models], [str(name) for name, _ in removal.missing]
    (['qwen3:8b'], ['bot:latest'])

    Args:
        names: Names of models, starts of their digests, or globs as `list_models` takes them.
        store: The store.
        backups: Whether to include their backups.

    Raises:
        UsageError: A name is invalid, or a digest is ambiguous.
        ServerError: The store cannot answer.
    """
    listed = store.list()
    found: list[ListedModel] = []
    missing: list[tuple[str, NotFound]] = []
    tags: list[ModelName] = []
    for text in dict.fromkeys(names):
        try:
            for name in _names_to_remove(text, listed, store):
                tags.append(name)
                found += _models_to_remove(name, listed, store, backups=backups)
        except NotFound as error:
            name_or_text = None if _is_pattern(text) else _name_in(text)
            missing.append((str(name_or_text or text), error))
    old = [backup for name in tags for backup in backups_of(name, listed)]
    models = tuple(dict.fromkeys((*found, *(old if backups else ()))))
    left = {backup.name for backup in old} - {model.name for model in models}
    return Removal(models=models, missing=tuple(missing), backups_left=len(left), listed=listed)


def _is_pattern(text: str) -> bool:
    return not {"*", "?", "["}.isdisjoint(text)  # no name contains them


def _names_to_remove(text: str, listed: Sequence[ListedModel], store: Store) -> list[ModelName]:
    if _is_pattern(text):
        matching = [model.name for model in listed if not is_internal(model.name) and _matches(model.name, text)]
        if not matching:
            raise NotFound(f"no model on {store.location} matches `{text}`", hint="run `mf ls` to list its models")
        return matching
    try:
        return [find_named(text, listed, store, one_name=True).name]
    except NotFound:
        if name := _name_in(text):
            return [name]  # its backups may be left
        raise


def _models_to_remove(
    name: ModelName, listed: Sequence[ListedModel], store: Store, *, backups: bool
) -> list[ListedModel]:
    """Return the model of a name; nothing if only its backups are left, and they are to be removed."""
    try:
        return [find(name, listed, store)]
    except NotFound as error:
        old = backups_of(name, listed)
        if not old:
            raise
        if backups:
            return []
        count = f"{len(old)} backup{'s' * (len(old) != 1)}"
        hint = f"it has {count}: restore one with `mf rollback {name}`, or pass --backups to remove them"
        raise NotFound(error.message, hint=hint) from error


def remove(removal: Removal, store: Store) -> Iterator[tuple[ListedModel, ServerError | None]]:
    """Remove models one by one, and the layers that no other name needs; this cannot be undone.

    Nothing happens until the result is iterated over. `removal.missing` is ignored.

    >>> import modelfile
    >>> from modelfile.stores.memory import MemoryStore
    >>> store = MemoryStore.with_models("llama3.2:3b", "qwen3:8b")
    >>> for model, error in modelfile.remove(modelfile.plan_removal(["qwen3:8b"], store), store):
    ...     print(model.name, error or "removed")
    qwen3:8b removed

    Args:
        removal: The models, as `plan_removal` returns them.
        store: The store that they are in.

    Yields:
        Each model, and the error if the store could not remove it.
    """
    for model in removal.models:
        try:
            with contextlib.suppress(NotFound):  # another program removed it first
                store.delete(model.name)
        except ServerError as error:
            yield model, error
        else:
            yield model, None


@dataclass(frozen=True, slots=True, kw_only=True)
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
    try:
        store.pull(model, events)
    except RegistryUnreachable as error:
        raise RegistryUnreachable(f"cannot pull {model}: {error.message}", hint=error.hint) from error
    except ServerError as error:
        if type(error) is not ServerError:
            raise
        hint = error.hint or "check its name and tag, and whether the server can reach the registry"
        raise ServerError(f"cannot pull {model}: {error.message}", hint=hint) from error
    now = find_listed(model, store.list())
    if now is None:
        raise missing_after("pulled", model, store.location)
    return Pulled(name=now.name, digest=now.digest, previous=before.digest if before else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelBackup:
    """A previous model of a tag."""

    model: ListedModel
    fingerprint: str | None
    """None if the store cannot read it."""
    current: bool
    """True if the tag has this model now."""


def backups(name: str, store: Store) -> tuple[ModelBackup, ...]:
    """Return the backups of a tag, the newest first.

    >>> import modelfile
    >>> from modelfile.stores.memory import MemoryStore
    >>> store = MemoryStore.with_models("bot:v1", "qwen3:8b")
    >>> _ = modelfile.copy("qwen3:8b", "bot:v1", store, replace=True)
    >>> [(backup.model.name.tag[-3:], backup.current) for backup in modelfile.backups("bot:v1", store)]
    [('-v1', False)]

    Args:
        name: The tag, as in `bot:v1`.
        store: The store.

    Raises:
        UsageError: The name is invalid.
        ServerError: The store cannot answer.
    """
    model, listed = ModelName.parse(name), store.list()
    now = find_listed(model, listed)
    return tuple(
        ModelBackup(
            model=old, fingerprint=_fingerprint(old.name, store), current=bool(now and now.digest == old.digest)
        )
        for old in backups_of(model, listed)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackResult:
    """The result of `rollback`."""

    name: ModelName
    digest: str
    fingerprint: str | None
    previous: str | None
    """The digest before the rollback; None if there was no such tag."""
    backup: ModelName | None
    """The alias of the previous model."""
    since: ListedModel | None
    """The backup that was restored."""


def rollback(
    name: str,
    store: Store,
    to: str | None = None,
    *,
    immutable: Iterable[str] = DEFAULT_IMMUTABLE,
    replace: bool = False,
) -> RollbackResult:
    """Restore the previous model of a tag; a second rollback undoes the first.

    >>> import modelfile
    >>> from modelfile.stores.memory import MemoryStore
    >>> store = MemoryStore.with_models("bot:v1", "qwen3:8b")
    >>> replaced = modelfile.copy("qwen3:8b", "bot:v1", store, replace=True)
    >>> modelfile.rollback("bot:v1", store, replace=True).previous == replaced.digest
    True

    Args:
        name: The tag, as in `bot:v1`.
        store: The store.
        to: The start of a digest or fingerprint, or an alias; None: the newest backup that differs from the tag.
        immutable: The patterns of immutable tags.
        replace: Whether to replace the model of an immutable tag; it is backed up.

    Raises:
        UsageError: The name is invalid, or `to` matches several backups.
        WouldReplace: The tag is immutable, and the backup is another model.
        NotFound: There is no such backup.
        ServerError: The store cannot copy it; the tag is unchanged.
        VerificationError: The copy differs from the backup.
    """
    model = ModelName.parse(name)
    if to is not None and to.lower() in ("", "sha256:", "sha256-", _FINGERPRINT):
        raise UsageError(f"--to `{to}` matches every backup", hint=f"run `mf rollback {name} --list` to list them")

    def approve(current: ListedModel, backup: ListedModel) -> None:
        if not replace and is_immutable(model, immutable):
            _reject_other_model(current, backup, store, immutable=True)

    done = restore(model, store, _digest(model, to, store) if to is not None else None, approve)
    made = _fingerprint(done.name, store)
    since = next((old for old in backups_of(done.name, store.list()) if old.digest == done.digest), None)
    return RollbackResult(
        name=done.name,
        digest=done.digest,
        fingerprint=made,
        previous=done.previous_digest,
        backup=done.backup,
        since=since,
    )


def _fingerprint(name: ModelName, store: Store) -> str | None:
    stored = store.find(name)
    return stored.fingerprint if stored else None


def _digest(name: ModelName, to: str, store: Store) -> str:
    """Return the start of a backup's digest, given the start of its digest or fingerprint, or its alias."""
    if alias := _ALIAS.fullmatch(to):
        return alias["digest"]
    if not to.lower().startswith(_FINGERPRINT):
        return to.rstrip("…")
    old = [(_fingerprint(backup.name, store), backup.digest) for backup in backups_of(name, store.list())]
    start = to.lower().rstrip("…")
    found = {made: digest for made, digest in reversed(old) if made and made.startswith(start)}
    match [*found]:
        case [one]:
            return found[one]
        case []:
            hint = f"run `mf rollback {name} --list` to list them"
            raise NotFound(f"no backup of {name} on {store.location} has a fingerprint starting with {to}", hint=hint)
        case several:
            message = f"several backups of {name} have a fingerprint starting with {to}"
            raise UsageError(message, hint=f"give more of it: {', '.join(several)}")
