"""Locked bases: where a server has the base that a lock records, and the pin alias that builds go FROM.

The tag of a base may have moved since. A pin alias, as `llama3.2:sha256-…`, never does; it is a copy, which takes no
disk space.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from threading import Lock
from typing import TYPE_CHECKING

from modelfile.builder.constraints import UPDATE, PinConstraints
from modelfile.builder.snapshot import Snapshot
from modelfile.errors import ModelfileError, NotFound, ServerError, VerificationError
from modelfile.events import Events
from modelfile.filesystem import format_size
from modelfile.immutable import record, replace
from modelfile.lockfile.drift import describe_change
from modelfile.lockfile.lock import SERVER, Base
from modelfile.locks import name_lock
from modelfile.manifest import Layer, Manifest
from modelfile.names import ModelName, shorten_digest
from modelfile.stores.backups import guarded, pin_alias, replace_tag
from modelfile.stores.protocol import ListedModel, Registry, Store, StoredModel, find_listed
from modelfile.stores.staging import STAGING
from modelfile.transfer import WEIGHTS, fetch_base

if TYPE_CHECKING:
    from modelfile.builder.plan import Fetch, Plan


class RegistryTags:
    """The tags of bases in their registries; each is asked for once, whichever builds need it."""

    def __init__(self, registry: Registry) -> None:
        """Ask nothing yet."""
        self.registry = registry
        self._lock = Lock()
        self._restorable: dict[str, bool] = {}
        self._answers: dict[str, str | ModelfileError | None] = {}

    def digest(self, name: ModelName) -> str | None:
        """Return the digest of the manifest that a tag has now; None if the registry has no such tag.

        Raises:
            ModelfileError: The registry cannot be asked, or its answer is invalid.
        """
        with self._lock:
            key = name.full.lower()
            if key not in self._answers:
                try:
                    manifest = self.registry.resolve(name)
                    self._answers[key] = manifest.digest if manifest else None
                except ModelfileError as error:
                    self._answers[key] = error
            answer = self._answers[key]
        if isinstance(answer, ModelfileError):
            raise answer
        return answer

    def has_layers(self, name: ModelName, manifest: Manifest, store: Store) -> bool:
        """Return whether a manifest that a tag had can be restored: from the store's weights and the registry's layers.

        False, too, if the registry cannot be asked: the error about the tag says more.
        """
        with self._lock:
            key = f"{name.full.lower()} {manifest.digest}"
            if key not in self._restorable:
                layers = {layer.digest: layer for layer in manifest.blobs}
                try:
                    self._restorable[key] = all(
                        (layer.kind in WEIGHTS and store.has_blob(layer.digest, layer.size))
                        or self.registry.has(name, layer)
                        for layer in layers.values()
                    )
                except ModelfileError:
                    self._restorable[key] = False
            return self._restorable[key]


@record(kw_only=True)
class LocatedBase:
    """A locked base on a server, or in a registry."""

    stored: StoredModel | None
    """The base; None if it is still to be pulled."""
    alias: ModelName
    """Its pin alias."""
    discarded: str = ""
    """The digest of another model that has the alias now."""
    replaced: ListedModel | None = None
    """The model that the tag has now, and that a pull replaces."""
    replaced_fingerprint: str = ""
    """The fingerprint of that model, or its digest if the server cannot read it."""
    manifest: Manifest | None = None
    """The locked manifest, if the registry has the layers, but no longer under the tag."""

    @property
    def is_pinned(self) -> bool:
        """True if the alias has the base already."""
        return self.stored is not None and self.stored.name == self.alias


def find_base(
    name: ModelName,
    required: PinConstraints,
    existing: StoredModel | None,
    snapshot: Snapshot,
    store: Store,
    tags: RegistryTags | None,
) -> tuple[StoredModel | None, LocatedBase | None]:
    """Return the base of a model, and where it is if the lock records it and the model is not up to date.

    Args:
        name: The name in FROM.
        required: The requirements of the lock.
        existing: The model that the build would replace.
        snapshot: The models of the store.
        store: The store.
        tags: The registries, as in `locate`.

    Raises:
        ModelfileError: As in `locate`.
    """
    base = required.base
    if base is None or base.digest is None or base.fingerprint is None:  # the tags of the project's own bases are built
        return snapshot.find(name), None
    if existing and existing.fingerprint == required.locked_fingerprint(store.ollama):
        tag = snapshot.find(name)  # which may have moved since
        return (tag if tag and tag.fingerprint == base.fingerprint else None), None
    located = locate(name, base, snapshot, store, tags)
    return located.stored, located


def locate(name: ModelName, base: Base, snapshot: Snapshot, store: Store, tags: RegistryTags | None) -> LocatedBase:
    """Find a locked base: by its tag, by its pin alias, by any other name, or in its registry by tag or by digests.

    Args:
        name: The name in FROM.
        base: The base in the lock, which has a digest and a fingerprint.
        snapshot: The models of the store.
        store: The store.
        tags: The registries, which are asked only if the store does not have the base; None: none is asked.

    Raises:
        InputError: The lock contradicts itself.
        ServerError: The store cannot answer.
        UsageError: The configuration does not allow its registry.
        VerificationError: It is lost: the store does not have it, and its registry neither the tag nor all layers.
    """
    found = _look_up(name, base, snapshot)
    if found.stored:
        _check_locked(base, found.stored)
        return found
    tag, listed = snapshot.find(name), find_listed(name, snapshot.listed)
    reason = _why_not_pulled(name, base, tags, is_listed=listed is not None)
    if reason is None:
        current = tag.fingerprint if tag else listed.digest if listed else ""
        return replace(found, replaced=listed, replaced_fingerprint=current)
    if tags and base.manifest is not None and base.source != SERVER:
        manifest = _manifest_of(base, base.manifest)
        if tags.has_layers(name, manifest, store):
            return replace(found, manifest=manifest)
    raise _lost(name, base, tag, store, reason)


def _check_locked(base: Base, stored: StoredModel) -> None:
    if base.manifest is not None:
        from modelfile.pinning.resolver import check_built_on  # 1 ms that a lock without a manifest saves

        check_built_on(base, stored.model)


def find_locked(name: ModelName, base: Base, store: Store) -> StoredModel | None:
    """Return a locked base that a store has under any name, as the model of the name in FROM; None if it has none.

    Raises:
        ServerError: The store cannot answer.
    """
    found = _look_up(name, base, Snapshot(store)).stored
    return replace(found, name=name, known_fingerprint=found.fingerprint) if found else None


def _look_up(name: ModelName, base: Base, snapshot: Snapshot) -> LocatedBase:
    """Return where a store has a base, which is None if it does not have it."""
    tag, listed = snapshot.find(name), find_listed(name, snapshot.listed)
    known = find_listed(alias := pin_alias(listed.name if listed else name, str(base.digest)), snapshot.listed)
    alias = known.name if known else alias
    stored = tag if tag and tag.fingerprint == base.fingerprint else None
    if known:
        same = stored if stored and stored.digest == known.digest else snapshot.find(alias)
        if same and same.fingerprint == base.fingerprint:
            pinned = replace(same, name=alias, known_fingerprint=same.fingerprint)
            return LocatedBase(stored=pinned, alias=alias)
    stored = stored or _find_elsewhere(name, alias, base, snapshot)
    return LocatedBase(stored=stored, alias=alias, discarded=known.digest if known else "")


def _find_elsewhere(name: ModelName, alias: ModelName, base: Base, snapshot: Snapshot) -> StoredModel | None:
    """Return the base under another name; what the cache knows is not asked for, and the search ends with a match."""
    others: dict[str, ListedModel] = {}
    for model in sorted(snapshot.listed, key=lambda model: not model.name.same_model_as(name)):
        if not (model.name.same_as(name) or model.name.same_as(alias) or model.name.tag.startswith(STAGING)):
            others.setdefault(model.digest, model)
    unknown: list[ListedModel] = []
    for model in others.values():
        if (stored := snapshot.recall(model)) is None:
            unknown.append(model)
        elif stored.fingerprint == base.fingerprint:
            return stored
    size = sum(layer.size for layer in _layers(base))
    for model in sorted(unknown, key=lambda model: (not model.name.same_model_as(name), model.size != size)):
        found = snapshot.find(model.name)
        if found and found.fingerprint == base.fingerprint:
            return found
    return None


def _why_not_pulled(
    name: ModelName, base: Base, tags: RegistryTags | None, *, is_listed: bool
) -> ModelfileError | None:
    """Return why a pull would not give the base; None if it would, or may where the tag has no model that is lost."""
    if base.source in (None, SERVER) or tags is None:
        why = "no registry has it" if base.source == SERVER else "no registry was asked for it"
        return NotFound(why) if is_listed else None
    try:
        current = tags.digest(name)
    except ServerError as error:  # the server may reach it nevertheless
        return error if is_listed else None
    if current == base.digest:
        return None
    return NotFound(f"{base.source} {'has another model under this tag now' if current else 'no longer has this tag'}")


def _lost(
    name: ModelName, base: Base, tag: StoredModel | None, store: Store, reason: ModelfileError
) -> VerificationError:
    locked = str(base.fingerprint)
    if tag:
        message = describe_change(str(tag.name), locked, tag.fingerprint)
    else:
        message = f"the locked base {name} ({shorten_digest(locked)}) is not {store.location.where}"
    details = [reason.message, *_missing(base, store)]
    if base.resolved:
        where = "where it was pinned" if base.source in (None, SERVER) else f"in {base.source}"
        details.append(f"last seen at {base.resolved} {where}")
    hint = reason.hint or f"{UPDATE}; or restore the base {store.location.there}"
    return VerificationError(message, hint=hint, details=details)


def _missing(base: Base, store: Store) -> Iterator[str]:
    """Yield a line for each layer of a base that a store does not have."""
    seen: set[str] = set()
    for layer in _layers(base):
        if layer.digest not in seen and not store.has_blob(layer.digest):
            yield f"missing: {layer.kind} {shorten_digest(layer.digest)}, {format_size(layer.size)}"
        seen.add(layer.digest)


def _layers(base: Base) -> tuple[Layer, ...]:
    """Return the layers and the config of a base, as its registry listed them; none of a base from a server."""
    if base.manifest is None:
        return ()
    manifest = _manifest_of(base, base.manifest)
    return (*manifest.layers, manifest.config)


def _manifest_of(base: Base, text: str) -> Manifest:
    return Manifest.parse(text, f"the manifest of {base.written}")


def make_alias(base: StoredModel, alias: ModelName, store: Store) -> None:
    """Copy a base to its pin alias; another model that has the alias is backed up.

    Raises:
        NotFound: The name has no model any longer.
        ServerError: It could not be copied.
        VerificationError: The name has another model by now.
    """
    try:
        copied, _ = replace_tag(base.name, alias, store, previous_digest=None)
        if copied.digest == base.digest:
            return
    except VerificationError:
        pass
    with contextlib.suppress(NotFound):
        store.delete(alias)
    message = f"{base.name} {store.location.where} was changed during the build"
    raise VerificationError(message, hint="run the command again")


def fetch(step: Fetch, tags: RegistryTags | None, store: Store, events: Events, prepare: Callable[[], Plan]) -> Plan:
    """Download a locked base by its digests, and plan again.

    Args:
        step: The step of the plan.
        tags: The registries, which were asked whether they have the layers.
        store: The store.
        events: Receives progress.
        prepare: Returns the plan by what the store has now.

    Raises:
        ModelfileError: As of `transfer.fetch_base`.
        VerificationError: The lock contradicts itself.
    """
    with name_lock(step.alias.full, str(store.location), events, f"download of {step.base}"):
        if (planned := prepare()).fetch and tags:  # another build may have downloaded it since
            current = find_listed(step.alias, store.list())
            with guarded(current, store, 1) if current else contextlib.nullcontext() as guard:
                fetch_base(step.base, step.manifest, store, step.alias, tags.registry, events)
                if (planned := prepare()).fetch:
                    message = f"{step.alias} {store.location.where} is not the base that mf.lock has"
                    raise VerificationError(message, hint=UPDATE)
                if guard:
                    guard.replaced = True
    return planned
