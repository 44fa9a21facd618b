"""Entries that a build adds to the lock, of Modelfiles that it does not have yet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from modelfile.errors import ModelfileError
from modelfile.events import Events
from modelfile.project.target import Target
from modelfile.stores.protocol import Registry, Store, StoredModel

if TYPE_CHECKING:
    from modelfile.lockfile.lock import Base
    from modelfile.names import ModelName
    from modelfile.recipe.model import Model

OnAdded: TypeAlias = Callable[[Target, ModelfileError | None], None]
"""Is given each Modelfile that was added to its lock, or that could not be, with the error."""


def is_missing(target: Target) -> bool:
    """Return whether a build is to add a Modelfile to its lock: there is a lock, and it has no entry for it.

    A model that is quantized on the command line only is not added: `mf pin` goes by the configuration.

    Raises:
        InputError: The lock is damaged.
    """
    return (
        target.lock is not None
        and target.lock.exists
        and target.pin is None
        and bool(target.key)
        and not target.is_stdin
        and target.quantize in target.project.quantizations(target)
    )


def inherited_base(target: Target, name: ModelName) -> Base | None:
    """Return what the lock has of a base for the Modelfile that is added to it: what other entries have."""
    if target.lock is None or not is_missing(target) or target.project.base_of(target):
        return None
    from modelfile.lockfile.lock import newest_base  # 2 ms that a project without a lock saves

    return newest_base(target.lock.lock.modelfiles.values(), name)


def add_missing(
    built: Iterable[tuple[Target, Store, StoredModel]], registry: Registry | None, on_added: OnAdded, events: Events
) -> None:
    """Add Modelfiles to their locks.

    If the registry has a newer base than the one that was built on, the latter is pinned, as the store has it.

    Args:
        built: Modelfiles, the stores that they were built on, and the models; those that are in
            the lock are ignored.
        registry: The registries of bases; None: only the store is asked.
        on_added: Called with each Modelfile that was missing.
        events: Receives progress.
    """
    missing: dict[Path, tuple[Target, Store, StoredModel]] = {}
    for target, store, made in sorted(built, key=lambda item: bool(item[0].quantize)):
        if is_missing(target):
            missing.setdefault(target.path, (target, store, made))
    groups: dict[int, list[tuple[Target, Store, StoredModel]]] = {}
    for item in missing.values():
        groups.setdefault(id(item[1]), []).append(item)
    for group in groups.values():
        errors: dict[Path, ModelfileError] = {}
        targets, store, made_of = (
            [item[0] for item in group],
            group[0][1],
            {item[0].key: item[2] for item in group if not item[0].quantize},
        )
        try:
            _pin(targets, made_of, store, registry, errors, events)
        except ModelfileError as error:
            errors = {target.path: error for target in targets}
        for target in targets:
            on_added(target, errors.get(target.path))


def _pin(  # what a pin needs
    targets: Sequence[Target],
    made_of: Mapping[str, StoredModel],
    store: Store,
    registry: Registry | None,
    errors: dict[Path, ModelfileError],
    events: Events,
) -> None:
    from modelfile.pinning.pin import pin  # pydantic and more, which a build without a new Modelfile does not need
    from modelfile.pinning.pinner import PinOptions

    def on_failure(target: Target, error: ModelfileError) -> None:
        errors[target.path] = error

    def known(target: Target) -> Model | None:
        return made_of[target.key].model if target.key in made_of else None

    pin_all = partial(pin, store=store, pull=False, on_failure=on_failure, events=events)
    changes = pin_all(targets, registry=registry, options=PinOptions(known=known))
    made = {key: stored.fingerprint for key, stored in made_of.items()}
    pins = {change.key: change.pin for change in changes if change.pin}
    others = {key for key, pin in pins.items() if pin.fingerprint and made.get(key) not in (None, pin.fingerprint)}
    if again := [target for target in targets if target.key in others]:
        pin_all(again, options=PinOptions(from_server=True, update=lambda _: True))
