"""Record bases, files and fingerprints in the lock."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from modelfile.catalog.versions import release
from modelfile.errors import InputError, ModelfileError, NotFound
from modelfile.events import Events, ignore
from modelfile.filesystem import name_lock
from modelfile.lockfile.file import LockFile
from modelfile.lockfile.lock import Base, Lock, Pin
from modelfile.names import ModelName
from modelfile.pinning.check import changed_files, is_gone
from modelfile.project.target import Target
from modelfile.recipe.model import Model, fingerprint
from modelfile.recipe.recipe import Recipe
from modelfile.stores.protocol import Store, missing_after
from modelfile.stores.staging import staging_name
from modelfile.stores.uploads import pull_base, upload_all


@dataclass(frozen=True, slots=True, kw_only=True)
class PinChange:
    """An entry of a lock before and after `pin`."""

    lock: Path
    key: str
    previous: Pin | None
    """None if the entry is new."""
    pin: Pin | None
    """None if the Modelfile no longer exists."""

    @property
    def kind(self) -> str | None:
        """`new`, `changed` or `removed`; None if it stayed the same."""
        if self.pin is None:
            return "removed"
        if self.previous is None:
            return "new"
        return None if self.pin == self.previous else "changed"


def pin(
    targets: Sequence[Target], store: Store, *, pull: bool = True, events: Events = ignore
) -> tuple[PinChange, ...]:
    r"""Record in the lock the current base of each Modelfile, and the fingerprint that a build must have.

    Entries of Modelfiles that do not exist are removed; all others stay. A lock that would not change is not written.

    >>> from pathlib import Path
    >>> import modelfile
    >>> from modelfile.stores.memory import MemoryStore
    >>> _ = Path("Modelfile").write_text("FROM llama3.2:3b\nSYSTEM Be brief.\n")
    >>> target, store = modelfile.Project().target("bot:v1"), MemoryStore.with_models("llama3.2:3b")
    >>> [(change.key, change.pin.base.written) for change in modelfile.pin([target], store)]
    [('Modelfile', 'llama3.2:3b')]

    Args:
        targets: The Modelfiles.
        store: The store to ask for bases; it also makes models of local weights, to see what it makes of them.
        pull: Whether to pull a base that the store does not have.
        events: Receives progress.

    Raises:
        InputError: A FROM is empty, a file cannot be read, or the lock is damaged.
        NotFound: The store does not have a base, and `pull` is false.
        ServerError: The store cannot answer, or cannot pull.
    """
    return tuple(
        change
        for lock, group in _by_lock(targets).items()
        for change in _pin_group(lock, group, store, events, pull=pull)
    )


def _by_lock(targets: Iterable[Target]) -> dict[LockFile, list[Target]]:
    groups: dict[LockFile, list[Target]] = {}
    for target in targets:
        groups.setdefault(target.project.lock_to_write(target.folder), []).append(target)
    return groups


def _pin_group(
    lock: LockFile, targets: Sequence[Target], store: Store, events: Events, *, pull: bool
) -> Iterator[PinChange]:
    """Pin Modelfiles of one lock.

    Only their entries change, in the lock as it is when they are written: another process may have pinned others since.
    If it pinned one of their bases, they are pinned again.
    """
    lock.check_writable()
    while True:
        read = _Entries(lock.lock.modelfiles)
        pins = _pin_all(targets, read, store, events, pull=pull)
        try:
            before, after = lock.update(partial(_merge, pins, read, lock.path.parent), events)
        except _BaseMovedError:
            continue
        break
    for key in sorted(before.modelfiles.keys() - after.modelfiles.keys()):
        yield PinChange(lock=lock.path, key=key, previous=before.modelfiles[key], pin=None)
    for key, entry in sorted(pins.items()):
        yield PinChange(lock=lock.path, key=key, previous=before.modelfiles.get(key), pin=entry)


class _Entries:
    """Entries of a lock, with a record of the bases among them that pins depend on."""

    def __init__(self, pins: Mapping[str, Pin]) -> None:
        self.pins = pins
        self.bases: dict[str, Pin | None] = {}

    def of_base(self, key: str) -> Pin | None:
        """Return the entry of a base."""
        return self.bases.setdefault(key, self.pins.get(key))


class _BaseMovedError(Exception):
    """Another process pinned a base while a Modelfile on it was pinned."""


def _merge(pins: Mapping[str, Pin], read: _Entries, folder: Path, current: Lock) -> Lock:
    """Return the current lock with new pins, and without the entries of Modelfiles that no longer exist."""
    if any(current.modelfiles.get(key) != entry for key, entry in read.bases.items()):
        raise _BaseMovedError
    remaining = {key: entry for key, entry in current.modelfiles.items() if key in pins or not is_gone(folder / key)}
    return Lock(modelfiles={**remaining, **pins})


@dataclass(frozen=True, slots=True, kw_only=True)
class _PinnedTarget:
    """A target with its pin."""

    target: Target
    pin: Pin
    model: Callable[[], Model]
    """Returns the model of a build; lazy, because a server may have to create it although the pin is up to date."""


def _pin_all(targets: Sequence[Target], read: _Entries, store: Store, events: Events, *, pull: bool) -> dict[str, Pin]:
    """Pin Modelfiles, each after its base.

    If the project builds a base, and its Modelfile is pinned too or up to date in the lock, the base is the model that
    it builds, whether or not the store has that yet.
    """
    targets_by_key = {target.key: target for target in targets}
    done: dict[str, _PinnedTarget | None] = {}

    def pinned(target: Target) -> _PinnedTarget | None:
        if target.key not in done:
            done[target.key] = None  # in progress: in a cycle, one base is taken from the store
            base = pinned_base(target)
            done[target.key] = _pin_one(target, read.pins.get(target.key), store, events, pull=pull, base=base)
        return done[target.key]

    def pinned_base(target: Target) -> _PinnedTarget | None:
        maker = target.project.base_of(target)
        if maker is None or not _is_in_lock_folder(maker, target):
            return None
        if maker.key in targets_by_key:
            return pinned(targets_by_key[maker.key])
        entry = read.of_base(maker.key)
        if entry is None or any(changed_files(maker, entry, events)):
            return None
        now = pinned(maker)
        return now if now and now.pin.fingerprint == entry.fingerprint else None

    return {key: now.pin for key, target in targets_by_key.items() if (now := pinned(target))}


def _is_in_lock_folder(maker: Target, target: Target) -> bool:
    """Return whether a Modelfile can be read and has the same lock as another one."""
    with contextlib.suppress(InputError):
        maker.source  # noqa: B018  # raises if it cannot be read
        return bool(maker.key) and maker.project.lock_to_write(maker.folder) is target.project.lock_to_write(
            target.folder
        )
    return False


def _pin_one(
    target: Target, previous: Pin | None, store: Store, events: Events, *, pull: bool, base: _PinnedTarget | None
) -> _PinnedTarget:
    """Pin one Modelfile.

    If the local files and the Ollama version match the previous pin, the store is not asked again.
    """
    version = store.ollama
    recipe, digests = target.recipe(release(version)), target.digests(release(version), events)
    text, files = target.text_digest, target.portable_digests(release(version))

    def apply_recipe(model: Model) -> Model:
        return model.with_recipe(recipe, digests)

    if recipe.base and base:
        recorded = _project_base(recipe.base, base)
        if previous and (previous.text, previous.files, previous.base) == (text, files, recorded):
            return _PinnedTarget(
                target=target, pin=previous, model=lambda: apply_recipe(_base_model(recorded, base, store))
            )
        model = apply_recipe(_base_model(recorded, base, store))
        entry = Pin(text=text, base=recorded, files=files, fingerprint=fingerprint(model))
    elif recipe.base:
        pinned_base, base_model = _pin_base(recipe.base, store, events, pull=pull)
        model = apply_recipe(base_model)
        entry = Pin(text=text, base=pinned_base, files=files, fingerprint=fingerprint(model))
    elif not recipe.files:
        raise InputError(f"`{target.key}`: FROM is empty", hint="name a model, or weights in a file or folder")
    elif previous and (previous.text, previous.files, previous.ollama) == (text, files, version):
        return _PinnedTarget(
            target=target, pin=previous, model=lambda: apply_recipe(_probe(recipe, digests, store, events))
        )
    else:
        probed = _probe(recipe, digests, store, events)
        model = apply_recipe(probed)
        entry = Pin(
            text=text,
            files=files,
            fingerprint=fingerprint(model),
            ollama=version,
            built=tuple(digest for digest in probed.weights if digest not in digests.values()) or None,
        )
    return _PinnedTarget(target=target, pin=entry, model=lambda: model)


def _project_base(written: str, base: _PinnedTarget) -> Base:
    name = ModelName.parse(written).full
    return Base(written=written, name=name, fingerprint=base.pin.fingerprint, modelfile=base.target.key)


def _base_model(recorded: Base, base: _PinnedTarget, store: Store) -> Model:
    """Return the base's contents: from the store if it has them, otherwise from its Modelfile."""
    found = store.find(ModelName.parse(recorded.name))
    return found.model if found and found.fingerprint == recorded.fingerprint else base.model()


def _pin_base(written: str, store: Store, events: Events, *, pull: bool) -> tuple[Base, Model]:
    name = ModelName.parse(written)
    found = store.find(name)
    if found is None and pull:
        pull_base(name, store, events)
        found = store.find(name)
    if found is None and pull:
        raise missing_after("pulled", name, store.location)
    if found is None:
        hint = f"run `mf pull {name}`, or leave out --no-pull"
        raise NotFound(f"base {name} not found on {store.location}", hint=hint)
    return Base(written=written, name=name.full, digest=found.digest, fingerprint=found.fingerprint), found.model


def _probe(recipe: Recipe, digests: Mapping[Path, str], store: Store, events: Events) -> Model:
    """Create a model from the local weights alone: the store may add a template and parameters, or rewrite weights."""
    bare = Recipe(files=recipe.files)
    name = staging_name(ModelName(model="mf-probe", tag=digests[recipe.files[0]].replace(":", "-")))
    with name_lock(
        name.full, str(store.location), events, f"pin of {recipe.files[0].name}"
    ):  # deleting it deletes its blobs
        upload_all({path: digests[path] for path in recipe.files}, store, events)
        try:
            store.create(name, bare, digests, events)
            found = store.find(name)
            if found is None:
                raise missing_after("created", name, store.location)
            return found.model
        finally:
            with contextlib.suppress(ModelfileError):  # an error in the block above matters more
                store.delete(name)
