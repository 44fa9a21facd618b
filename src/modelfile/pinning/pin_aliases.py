"""Pin aliases: the names under which a server has the bases of locks, whatever becomes of their tags."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from modelfile.errors import NotFound, UsageError
from modelfile.git import find_repository
from modelfile.lockfile.lock import Lock
from modelfile.names import ModelName
from modelfile.pinning.check import group_by_lock, with_locked
from modelfile.project.project import Project
from modelfile.stores.backups import is_pin_alias, pin_alias
from modelfile.stores.disk.prune import LockedNames
from modelfile.stores.protocol import ListedModel, Store


def locks_of(project: Project) -> tuple[Lock, ...]:
    """Return all locks of the repository that a project is in, or else of its folder.

    Raises:
        InputError: One of them is damaged, or there is no Modelfile.
    """
    root = find_repository(project.start) or project.start
    targets = with_locked(project.modelfiles([str(root)]))
    return tuple(file.lock for file in group_by_lock(targets))


def aliases(locks: Iterable[Lock]) -> Iterator[ModelName]:
    """Yield the pin aliases of the bases in locks."""
    for lock in locks:
        for pin in lock.modelfiles.values():
            if pin.base and pin.base.digest:
                yield pin_alias(ModelName.parse(pin.base.name), pin.base.digest)


def locked_names(project: Project) -> LockedNames:
    """Return the names that the locks of a repository give to models: bases, pin aliases, and what is built.

    Raises:
        InputError: A lock is damaged, or there is no Modelfile.
        UsageError: There is no lock.
    """
    locks = locks_of(project)
    if not any(lock.modelfiles for lock in locks):
        raise UsageError("no mf.lock names a model here", hint="run this in the project whose models are to stay")
    bases = (pin.base for lock in locks for pin in lock.modelfiles.values() if pin.base)
    root = find_repository(project.start) or project.start
    targets = with_locked(project.modelfiles([str(root)]))
    listed = (target.name for target in (*project.targets, *targets) if target.name)
    return LockedNames(
        names=(*(ModelName.parse(base.name) for base in bases), *aliases(locks), *listed),
        models=frozenset(model.lower() for target in targets for model in target.built_models()),
    )


def unused_aliases(locks: Iterable[Lock], store: Store) -> tuple[ListedModel, ...]:
    """Return the pin aliases on a store that none of these locks names.

    Raises:
        ServerError: The store cannot answer.
    """
    used = {name.full.lower() for name in aliases(locks)}
    return tuple(model for model in store.list() if is_pin_alias(model.name) and model.name.full.lower() not in used)


def remove_aliases(models: Iterable[ListedModel], store: Store) -> Iterator[ListedModel]:
    """Remove pin aliases, and yield each that is gone; one that another process has removed is no error.

    Raises:
        ServerError: The store cannot remove one.
    """
    for model in models:
        try:
            store.delete(model.name)
        except NotFound:
            continue
        yield model
