"""Pin bases anew, and describe what that changes: in the bases, and in the models built on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from modelfile.differ.comparison import Change
from modelfile.differ.models import compare_models
from modelfile.errors import InputError, ModelfileError
from modelfile.events import Clock, Events, ignore
from modelfile.immutable import record, replace
from modelfile.lockfile.lock import Base, Pin
from modelfile.manifest import Manifest
from modelfile.names import ModelName
from modelfile.pinning.locked_models import LockedModels, key_of_base
from modelfile.pinning.outdated import LayerChange, layer_changes
from modelfile.pinning.pin import OnFailure, PinChange, pin, raise_failure
from modelfile.pinning.pinner import PinOptions
from modelfile.pinning.resolver import Resolver
from modelfile.project.target import Target
from modelfile.recipe.model import Model
from modelfile.stores.protocol import Registry, Store


@record(kw_only=True)
class UpdatedBase:
    """A base that was pinned anew, as another model."""

    previous: Base
    base: Base
    modelfiles: tuple[str, ...]
    """Keys of the Modelfiles that are FROM it."""
    changes: tuple[Change, ...]
    """The differences by meaning; empty if the contents are the same, or one of them cannot be read."""
    layers: tuple[LayerChange, ...]
    """The layers that differ, where both manifests are known."""
    missing: ModelfileError | None = None
    """The reason why the contents cannot be compared."""

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that differ, in words."""
        return tuple(change.title for change in self.changes) or tuple(change.layer for change in self.layers)


@record(kw_only=True)
class UpdatedModel:
    """A model whose entry in the lock changed, because it is built on a base that was pinned anew."""

    key: str
    """Key of its Modelfile."""
    names: tuple[str, ...]
    """Its names in the configuration."""
    previous: Pin
    pin: Pin
    changes: tuple[Change, ...]
    """The differences that its base brings; empty if there are none, or one of the models cannot be known."""
    inherited: tuple[str, ...] = ()
    """The parts that change as they do in its base, in words."""
    own: tuple[str, ...] = ()
    """The parts that change in its base but not in it, since its Modelfile sets them."""
    missing: ModelfileError | None = None
    """The reason why the models cannot be compared."""

    @property
    def is_edited(self) -> bool:
        """True if its Modelfile was edited since it was pinned."""
        return self.previous.text != self.pin.text


@record(kw_only=True)
class UpdateSummary:
    """The result of `update`."""

    bases: tuple[UpdatedBase, ...]
    models: tuple[UpdatedModel, ...]
    pins: tuple[PinChange, ...]
    """All entries that changed, are new, or were removed."""

    @property
    def others(self) -> tuple[PinChange, ...]:
        """The entries that changed for another reason than a base."""
        known = {model.key for model in self.models}
        return tuple(change for change in self.pins if change.key not in known)


def update(  # noqa: PLR0913  # the options of the command
    targets: Sequence[Target],
    store: Store,
    registry: Registry | None = None,
    *,
    bases: Sequence[str] = (),
    options: PinOptions | None = None,
    dry_run: bool = False,
    on_failure: OnFailure = raise_failure,
    on_warning: Callable[[str], None] = lambda _: None,
    clock: Clock | None = None,
    events: Events = ignore,
) -> UpdateSummary:
    r"""Pin bases as their registries have them now, and return what that changes.

    >>> from pathlib import Path
    >>> import modelfile
    >>> from modelfile.names import ModelName
    >>> from modelfile.recipe.model import Model
    >>> from modelfile.stores.memory import MemoryRegistry, MemoryStore
    >>> _ = Path("Modelfile").write_text("FROM llama3.2:3b\nPARAMETER num_ctx 8192\n")
    >>> store, registry = MemoryStore(), MemoryRegistry.with_models("llama3.2:3b")
    >>> _ = modelfile.pin(modelfile.Project().modelfiles(), store, registry)
    >>> weights = registry.resolve(ModelName.parse("llama3.2:3b")).layers[0].digest
    >>> _ = registry.push(ModelName.parse("llama3.2:3b"), Model(weights=(weights,), system="Be brief."))
    >>> summary = modelfile.update(modelfile.Project().modelfiles(), store, registry)
    >>> [(base.base.written, base.parts) for base in summary.bases], [model.inherited for model in summary.models]
    ([('llama3.2:3b', ('system',))], [('system',)])

    Args:
        targets: The Modelfiles.
        store: The store of bases that no registry has.
        registry: The registries; None: only the store is asked.
        bases: The bases to pin anew, each with a tag, or without one for all tags of the model; default: all.
        options: The options of each pin; its `update` is that of `bases`.
        dry_run: Whether to leave the lock as it is.
        on_failure: Called with each Modelfile that cannot be pinned; raises the error by default.
        on_warning: Called with a line for each base of which the store has an older model than its registry.
        clock: The clock for the time of resolution; default: this machine's.
        events: Receives progress.

    Raises:
        InputError: No Modelfile is FROM one of the bases, or as for `pin`.
        NotFound: Neither a registry nor the store has a base.
        ServerError: A registry or the store cannot answer.
        UsageError: A base has an invalid name.
    """
    wanted = _wanted(bases, targets)
    changes = pin(
        targets,
        store,
        registry,
        options=replace(options or PinOptions(), update=wanted),
        dry_run=dry_run,
        on_failure=on_failure,
        on_warning=on_warning,
        clock=clock,
        events=events,
    )
    comparison = _Comparison(targets, changes, Resolver(store, registry, events=events))
    pins = tuple(change for change in changes if change.kind)
    return UpdateSummary(bases=tuple(comparison.bases()), models=tuple(comparison.models()), pins=pins)


def _wanted(bases: Sequence[str], targets: Sequence[Target]) -> Callable[[ModelName], bool]:
    """Return whether a base is to be pinned anew, as a function."""
    names = {written: ModelName.parse(written) for written in bases}
    used = [target.base for target in targets] if names else []
    for written, name in names.items():
        if not any(base and _means(name, base) for base in used):
            raise InputError(f"no Modelfile here is FROM {written}", hint="name a base as FROM does")
    return lambda base: not names or any(_means(name, base) for name in names.values())


def _means(name: ModelName, base: ModelName) -> bool:
    return base.same_as(name) if name.tagged else base.same_model_as(name)


_Compared: TypeAlias = "tuple[tuple[Change, ...], ModelfileError | None]"
"""Differences, and the reason why there are none because they cannot be known."""


class _Comparison:
    """The models of entries before and after an update."""

    def __init__(self, targets: Sequence[Target], changes: Sequence[PinChange], resolver: Resolver) -> None:
        self._entries = {(change.lock, change.key): change for change in changes}
        self._locked = LockedModels(targets, resolver)
        self._compared: dict[object, _Compared] = {}

    def bases(self) -> Iterator[UpdatedBase]:
        """Yield the bases that changed, each once."""
        found: dict[tuple[str | None, ...], tuple[Base, Base, list[str]]] = {}
        for change in self._entries.values():
            old, new = _base_of(change.previous), _base_of(change.pin)
            if old and new and old != new and old.modelfile is new.modelfile is None and old.name == new.name:
                found.setdefault(key_of_base(old) + key_of_base(new), (old, new, []))[2].append(change.key)
        for old, new, keys in found.values():
            changes, missing = self._compare_bases(old, new)
            manifests = [Manifest.parse(base.manifest, "the manifest") for base in (old, new) if base.manifest]
            yield UpdatedBase(
                previous=old,
                base=new,
                modelfiles=tuple(keys),
                changes=changes,
                layers=layer_changes(*manifests) if len(manifests) > 1 else (),
                missing=missing,
            )

    def models(self) -> Iterator[UpdatedModel]:
        """Yield the models whose bases changed, or that are built on such a model."""
        for place, change in self._entries.items():
            old, new, target = change.previous, change.pin, self._locked.target(place)
            if old is None or new is None or target is None or old.base is None or old.base == new.base:
                continue
            changes, missing = self._compare_models(place)
            brought = self._brought(place)
            yield UpdatedModel(
                key=change.key,
                names=tuple(str(model.named) for model in target.project.targets if _is_same_file(model, target)),
                previous=old,
                pin=new,
                changes=changes,
                inherited=tuple(each.title for each in brought if each in changes),
                own=() if missing else tuple(each.title for each in brought if each not in changes),
                missing=missing,
            )

    def _brought(self, place: tuple[Path, str]) -> tuple[Change, ...]:
        """Return the differences of the base of a model."""
        change = self._entries[place]
        old, new = _base_of(change.previous), _base_of(change.pin)
        if old is None or new is None:
            return ()
        if new.modelfile is None:
            return self._compare_bases(old, new)[0] if old.modelfile is None else ()
        above = place[0], new.modelfile
        return self._compare_models(above)[0] if above in self._entries else ()

    def _compare_bases(self, old: Base, new: Base) -> _Compared:
        restore = self._locked.base
        return self._compare((*key_of_base(old), *key_of_base(new)), lambda: restore(old), lambda: restore(new))

    def _compare_models(self, place: tuple[Path, str]) -> _Compared:
        build = self._locked.build
        return self._compare(place, lambda: build(place, self._previous), lambda: build(place, self._current))

    def _previous(self, place: tuple[Path, str]) -> Pin | None:
        return self._entries[place].previous if place in self._entries else None

    def _current(self, place: tuple[Path, str]) -> Pin | None:
        return self._entries[place].pin if place in self._entries else None

    def _compare(self, key: object, old: Callable[[], Model], new: Callable[[], Model]) -> _Compared:
        if key not in self._compared:
            try:
                models = old(), new()
            except ModelfileError as error:
                self._compared[key] = (), error
            else:
                self._compared[key] = compare_models(*models), None
        return self._compared[key]


def _base_of(entry: Pin | None) -> Base | None:
    return entry.base if entry else None


def _is_same_file(model: Target, target: Target) -> bool:
    return target.project.real_path(model.path) == target.project.real_path(target.path)
