"""Record bases, files and fingerprints in the lock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeAlias

from modelfile.errors import ModelfileError
from modelfile.events import Clock, Events, ignore
from modelfile.immutable import record
from modelfile.lockfile.file import LockFile
from modelfile.lockfile.lock import Lock, Pin, newest_base
from modelfile.pinning.check import group_by_lock, is_gone
from modelfile.pinning.pinner import Pinner, PinOptions
from modelfile.pinning.resolver import Resolver
from modelfile.project.target import Target
from modelfile.stores.protocol import Registry, Store


@record(kw_only=True)
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


OnFailure: TypeAlias = Callable[[Target, ModelfileError], None]
"""Is given each Modelfile that cannot be pinned because of its files, its base or that of its base."""


def raise_failure(_: Target, error: ModelfileError) -> None:
    """Raise the error of a Modelfile that cannot be pinned."""
    raise error


def pin(  # noqa: PLR0913  # the options of the command
    targets: Sequence[Target],
    store: Store,
    registry: Registry | None = None,
    *,
    options: PinOptions | None = None,
    pull: bool = True,
    dry_run: bool = False,
    on_failure: OnFailure = raise_failure,
    on_warning: Callable[[str], None] = lambda _: None,
    clock: Clock | None = None,
    events: Events = ignore,
) -> tuple[PinChange, ...]:
    r"""Record in the lock the current base of each Modelfile, and the fingerprint that a build must have.

    An entry that holds stays as it is. Entries of Modelfiles that do not exist are removed; all others stay. A lock
    that would not change is not written. Of a lock with merge conflicts, the entries of both sides are merged, and
    those that differ are made anew.

    >>> from pathlib import Path
    >>> import modelfile
    >>> from modelfile.stores.memory import MemoryRegistry, MemoryStore
    >>> _ = Path("Modelfile").write_text("FROM llama3.2:3b\nSYSTEM Be brief.\n")
    >>> target, registry = modelfile.Project().target("bot:v1"), MemoryRegistry.with_models("llama3.2:3b")
    >>> changes = modelfile.pin([target], MemoryStore(), registry)
    >>> [(change.key, change.pin.base.written, change.pin.base.source) for change in changes]
    [('Modelfile', 'llama3.2:3b', 'https://registry.ollama.ai')]

    Args:
        targets: The Modelfiles.
        store: The store of bases that no registry has; it also makes models of local weights, to see what it makes of
            them. It is asked for nothing else.
        registry: The registries; None: only the store is asked.
        options: The options of each pin.
        pull: Whether the store pulls a base that it does not have, if no registry is asked.
        dry_run: Whether to leave the lock as it is.
        on_failure: Called with each Modelfile that cannot be pinned because of its files or its base, whose entry then
            stays as it is; raises the error by default, and then nothing is pinned.
        on_warning: Called with a line for each base of which the store has an older model than its registry.
        clock: The clock for the time of resolution; default: this machine's.
        events: Receives progress.

    Raises:
        InputError: The lock is damaged, or of a newer format, or a FROM is empty, a file cannot be read, a registry is
            not allowed, or the server could not use the weights or quantize them as configured.
        NotFound: Neither a registry nor the store has a base.
        ServerError: A registry or the store cannot answer, or the store cannot pull.
    """
    resolver = Resolver(store, registry, pull=pull, clock=clock, events=events)
    make = partial(Pinner, resolver=resolver, events=events, options=options or PinOptions())
    write = _show if dry_run else _write
    changes = tuple(
        change
        for lock, group in group_by_lock(targets).items()
        for change in _pin_group(lock, _with_conflicts(lock, group), make, on_failure, partial(write, events=events))
    )
    for line in resolver.disagreements():
        on_warning(line)
    return changes


_Write: TypeAlias = Callable[[LockFile, Callable[[Lock], Lock]], tuple[Lock, Lock]]
"""Changes a lock, and returns it as it was and as it is."""


def _write(lock: LockFile, change: Callable[[Lock], Lock], *, events: Events) -> tuple[Lock, Lock]:
    return lock.update(change, events)


def _show(lock: LockFile, change: Callable[[Lock], Lock], *, events: Events) -> tuple[Lock, Lock]:
    del events  # nobody is waited for
    return lock.lock, change(lock.lock)


def _with_conflicts(lock: LockFile, targets: Sequence[Target]) -> Sequence[Target]:
    """Return targets, and those whose entries a merge of conflicts left out, so that none is lost."""
    lock.merge_conflicts()
    keys, project = {target.key for target in targets}, targets[0].project
    _ = lock.lock  # which names them
    paths = [lock.path.parent / key for key in lock.conflicts if key not in keys]
    return [*targets, *(project.at(path) for path in paths if not is_gone(path))]


def _pin_group(
    lock: LockFile,
    targets: Sequence[Target],
    make: Callable[[Sequence[Target], Mapping[str, Pin]], Pinner],
    on_failure: OnFailure,
    write: _Write,
) -> Iterator[PinChange]:
    """Pin Modelfiles of one lock.

    Only their entries change, in the lock as it is when they are written: another process may have pinned others since.
    If it pinned one of them or of their bases, all files are read again, as they may have changed, too.
    """
    lock.check_writable()
    while True:
        pinner = make(targets, lock.lock.modelfiles)
        pinner.fetch()
        pins: dict[str, Pin] = {}
        failures: list[tuple[Target, ModelfileError]] = []
        for target in targets:
            try:
                if pinned := pinner.pin(target):
                    pins[target.key] = pinned.pin
            except ModelfileError as error:
                failures.append((target, error))
        for failed in failures:
            on_failure(*failed)
        if failures and not pins and not lock.exists:
            return
        try:
            before, after = write(lock, partial(_merge, pins, pinner, lock.path.parent))
        except _EntryMovedError:
            project = targets[0].project.reread()
            targets = [Target(project, target.path) for target in targets]
            lock = project.lock_to_write(targets[0].folder)
            continue
        break
    for key in sorted(before.modelfiles.keys() - after.modelfiles.keys()):
        yield PinChange(lock=lock.path, key=key, previous=before.modelfiles[key], pin=None)
    for key, entry in sorted(pins.items()):
        yield PinChange(lock=lock.path, key=key, previous=before.modelfiles.get(key), pin=entry)


class _EntryMovedError(Exception):
    """Another process pinned a Modelfile, or the base of it, while it was pinned here."""


def _merge(pins: Mapping[str, Pin], pinner: Pinner, folder: Path, current: Lock) -> Lock:
    """Return the current lock with new pins, and without the entries of Modelfiles that no longer exist."""
    if any(current.modelfiles.get(key) != entry for key, entry in pinner.read.items()):
        raise _EntryMovedError
    if any(newest_base(current.modelfiles.values(), name) for name in pinner.missing):
        raise _EntryMovedError
    remaining = {key: entry for key, entry in current.modelfiles.items() if key in pins or not is_gone(folder / key)}
    return Lock(modelfiles={**remaining, **pins})
