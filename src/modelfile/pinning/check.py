"""Compare Modelfiles, their files and their bases with the lock."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from modelfile.catalog.versions import release
from modelfile.errors import InputError, NotFound
from modelfile.events import Events, ignore
from modelfile.lockfile.drift import Drift, base_drift, describe_change, file_drift
from modelfile.lockfile.file import LockFile
from modelfile.lockfile.lock import Pin
from modelfile.names import ModelName
from modelfile.project.target import Target
from modelfile.recipe.model import fingerprint
from modelfile.stores.protocol import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class PinCheck:
    """The result of `check_pins`."""

    drifts: tuple[Drift, ...]
    undecided: tuple[NotFound, ...]
    """Bases that cannot be checked, because the store does not have them."""


def check_pins(
    targets: Sequence[Target], store: Store | None, *, whole: bool = False, events: Events = ignore
) -> PinCheck:
    r"""Compare Modelfiles, their files and their bases with the lock; nothing is written.

    >>> from pathlib import Path
    >>> import modelfile
    >>> from modelfile.stores.memory import MemoryStore
    >>> _ = Path("Modelfile").write_text("FROM llama3.2:3b\nSYSTEM Be brief.\n")
    >>> target, store = modelfile.Project().target("bot:v1"), MemoryStore.with_models("llama3.2:3b")
    >>> _ = modelfile.pin([target], store)
    >>> modelfile.check_pins(modelfile.Project().modelfiles(), store)
    PinCheck(drifts=(), undecided=())

    Args:
        targets: The Modelfiles; each has to have a lock.
        store: The store of the bases; None: do not check them.
        whole: Whether these are all Modelfiles of the project, so that entries of missing ones are reported.
        events: Receives progress.

    Raises:
        InputError: There is no lock, it is damaged, or a file cannot be read.
        ServerError: The store cannot answer.
    """
    drifts: list[Drift] = []
    undecided: list[NotFound] = []
    groups: dict[LockFile, list[Target]] = {}
    for target in targets:
        groups.setdefault(require_lock(target), []).append(target)
    for lock, group in groups.items():
        for target in _with_bases(group, lock):
            drifts += (
                *changed_files(target, lock.lock.modelfiles.get(target.key), events),
                *base_drift(target.key, lock.lock),
            )
        if whole:
            missing = sorted(key for key in lock.lock.modelfiles if is_gone(lock.path.parent / key))
            drifts += (Drift(key=key, message="is in the lock, but does not exist") for key in missing)
        for target in group if store else ():
            try:
                drifts += _store_drift(target, lock.lock.modelfiles.get(target.key), store)
            except NotFound as error:
                undecided.append(error)
    return PinCheck(drifts=tuple(drifts), undecided=tuple(undecided))


def require_lock(target: Target) -> LockFile:
    """Return the lock of a Modelfile.

    Raises:
        InputError: There is none.
    """
    if target.lock is None:
        raise InputError(f"no mf.lock for `{target.path}`", hint="run `mf pin`, and commit mf.lock")
    return target.lock


def _with_bases(targets: Sequence[Target], lock: LockFile) -> list[Target]:
    """Return targets together with those that their bases are built from."""
    known = {target.key: target for target in targets}
    for target in (found := [*targets]):
        entry = lock.lock.modelfiles.get(target.key)
        maker = lock.path.parent / entry.base.modelfile if entry and entry.base and entry.base.modelfile else None
        if maker and maker.is_file() and (key := lock.key(maker)) not in known:
            known[key] = Target(target.project, maker)
            found.append(known[key])
    return found


def changed_files(target: Target, entry: Pin | None, events: Events = ignore) -> Iterator[Drift]:
    """Yield the differences of a Modelfile and its local files from its pin.

    Raises:
        InputError: A file cannot be read.
    """
    if entry is None:
        yield from file_drift(target.key, None, "", {})
        return
    version = release(entry.ollama) if entry.ollama else None
    yield from file_drift(target.key, entry, target.text_digest, target.portable_digests(version, events))


def _store_drift(target: Target, entry: Pin | None, store: Store | None) -> Iterator[Drift]:
    """Compare the base of a Modelfile on the store, and the fingerprint of a build, with the pin.

    A base that the project builds cannot drift: if the store has another one or none, it has yet to be built.

    Raises:
        NotFound: The store does not have the base.
    """
    if store is None or entry is None or (base := entry.base) is None:
        return
    found = store.find(ModelName.parse(base.name))
    if base.modelfile and (found is None or found.fingerprint != base.fingerprint):
        return
    if found is None:
        raise NotFound(
            f"{target.key}: cannot check base {base.written}: not on {store.location}",
            hint=f"run `mf pull {base.written}`, or pass --frozen to check no bases",
        )
    if found.fingerprint != base.fingerprint:
        what = f"its base {base.written} on {store.location}"
        yield Drift(key=target.key, message=describe_change(what, base.fingerprint, found.fingerprint))
    elif entry.text == target.text_digest:
        version = release(store.ollama)
        expected = fingerprint(found.model.with_recipe(target.recipe(version), target.digests(version)))
        if expected != entry.fingerprint:
            yield Drift(key=target.key, message=describe_change("its fingerprint", entry.fingerprint, expected))


def is_gone(path: Path) -> bool:
    """Return whether there is no file, or a folder in its place; one that cannot be seen may exist."""
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
