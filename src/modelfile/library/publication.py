"""Pushes of models to their registries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelfile.errors import InvalidRegistryAnswer, ServerError, VerificationError, WouldReplace
from modelfile.events import Events, ignore
from modelfile.immutable import record
from modelfile.library.lookup import find_named
from modelfile.library.published import read_published
from modelfile.library.replacement import describe_changes, would_replace
from modelfile.names import ModelName
from modelfile.stores.protocol import Registry, Store, StoredModel, StoreLocation

if TYPE_CHECKING:
    from modelfile.manifest import Manifest


@record(kw_only=True)
class Pushed:
    """The result of `push`."""

    name: ModelName
    digest: str
    """The digest of the manifest in the registry."""
    previous: str | None
    """The digest before the push; None if the tag is new."""

    @property
    def was_up_to_date(self) -> bool:
        """True if the registry had the same model already, and nothing was pushed."""
        return self.digest == self.previous


def push(name: str, store: Store, registry: Registry, events: Events = ignore, *, replace: bool = False) -> Pushed:
    """Push a model to the registry of its name; nothing is sent if it has the same model under this tag.

    >>> import modelfile
    >>> from modelfile.stores.memory import MemoryRegistry, MemoryStore
    >>> registry = MemoryRegistry.with_models("llama3.2:3b")
    >>> modelfile.push("llama3.2:3b", MemoryStore.with_models("llama3.2:3b"), registry).was_up_to_date
    True

    Args:
        name: The name of the model, which has the registry's host, or the start of its digest.
        store: The store that has the model, and that pushes it.
        registry: The registries, to look at the tag before and after.
        events: Receives progress.
        replace: Whether to replace another model of the tag in the registry, which has no backups.

    Raises:
        UsageError: The name is invalid, or the configuration does not allow its registry.
        NotFound: The store has no such model.
        WouldReplace: The tag has another model in the registry.
        InputError: The model is damaged.
        ServerError: The store or the registry fails, or denies access.
        VerificationError: The registry has another model afterwards.
    """
    listed = find_named(name, store.list(), store)
    model, current = listed.name, registry.resolve(listed.name)
    stored = store.read(listed)
    if current:
        error = _replacement(model, current, stored, listed.digest, registry)
        if error is None:
            return Pushed(name=model, digest=current.digest, previous=current.digest)
        if not replace:
            raise error
    _push(model, store, events)
    published = registry.resolve(model)
    if published is None or (stored and _fingerprint(model, published, registry) not in (None, stored.fingerprint)):
        what = "another model of this name" if published else "no model of this name"
        message = f"{registry.url(model)} has {what} after the push of {model}"
        raise VerificationError(message, hint="run the command again")
    return Pushed(name=model, digest=published.digest, previous=current.digest if current else None)


def _push(name: ModelName, store: Store, events: Events) -> None:
    try:
        store.push(name, events)
    except ServerError as error:
        if type(error) is not ServerError:
            raise
        hint = error.hint or f"check that you may push to {name.host}, and that the server can reach it"
        raise ServerError(f"cannot push {name}: {error.message}", hint=hint) from error


def _replacement(
    name: ModelName, current: Manifest, stored: StoredModel | None, digest: str, registry: Registry
) -> WouldReplace | None:
    """Return the error for a model that would replace a different one in a registry."""
    location = StoreLocation(url=registry.url(name))
    try:
        published = read_published(name, current, registry)
    except InvalidRegistryAnswer:  # it is none, such as a cloud model
        published = None
    if not stored or not published:
        return would_replace(name, location, current.digest, digest, immutable=False)
    if published.fingerprint == stored.fingerprint:
        return None
    from modelfile.differ.models import compare_models  # most pushes replace nothing

    details = describe_changes(compare_models(published.model, stored.model))
    both = published.fingerprint, stored.fingerprint
    return would_replace(name, location, *both, immutable=False, details=details)


def _fingerprint(name: ModelName, manifest: Manifest, registry: Registry) -> str | None:
    try:
        return read_published(name, manifest, registry).fingerprint
    except InvalidRegistryAnswer:
        return None
