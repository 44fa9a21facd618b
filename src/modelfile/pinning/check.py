"""Compare Modelfiles, their files and their bases with the lock."""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from shlex import quote
from typing import TypeAlias

from modelfile.catalog.versions import Version, release
from modelfile.errors import InputError, NotFound, ServerError, UsageError
from modelfile.events import Events, ignore
from modelfile.immutable import record
from modelfile.lockfile.drift import Drift, Reason, base_drift, describe_change, file_drift
from modelfile.lockfile.file import LockFile
from modelfile.lockfile.lock import Base, Pin
from modelfile.names import ModelName
from modelfile.project.target import Target
from modelfile.recipe.model import fingerprint
from modelfile.stores.protocol import Store, StoreLocation

Check: TypeAlias = Callable[[Target, Version | None], object]
"""Is given each target and the version of the store's Ollama first, None if that is not known.

It raises an InputError if the target cannot be pinned or checked.
"""


@record(kw_only=True)
class UncheckedBase:
    """A base that cannot be checked, because the store does not have it."""

    key: str
    """Key of the Modelfile."""
    base: str
    """The base as written in the Modelfile."""
    location: StoreLocation

    def error(self, host: str | None = None) -> NotFound:
        """Return it as an error, with a hint for the server as the user named it."""
        return NotFound(
            f"{self.key}: cannot check base {self.base}: not {self.location.where}",
            hint=f"run `{pull_command(self.base, host)}`",
        )


def pull_command(name: str, host: str | None) -> str:
    """Return the command that pulls a model onto the server as the user named it."""
    return f"mf pull {name}" + (f" --host {quote(host)}" if host is not None else "")


@record(kw_only=True)
class PinCheck:
    """The result of `check_pins`."""

    drifts: tuple[Drift, ...]
    undecided: tuple[UncheckedBase, ...]
    """Bases that cannot be checked, because the store does not have them."""
    unread: tuple[InputError, ...] = ()
    """Errors of Modelfiles that cannot be checked, because they or their files cannot be read."""


def check_pins(
    targets: Sequence[Target],
    store: Store | None = None,
    *,
    whole: bool = False,
    check: Check = lambda *_: None,
    events: Events = ignore,
) -> PinCheck:
    r"""Compare Modelfiles, their files and their bases with the lock; nothing is written.

    >>> from pathlib import Path
    >>> import modelfile
    >>> from modelfile.stores.memory import MemoryStore
    >>> _ = Path("Modelfile").write_text("FROM llama3.2:3b\nSYSTEM Be brief.\n")
    >>> target, store = modelfile.Project().target("bot:v1"), MemoryStore.with_models("llama3.2:3b")
    >>> _ = modelfile.pin([target], store)
    >>> modelfile.check_pins(modelfile.Project().modelfiles(), store)
    PinCheck(drifts=(), undecided=(), unread=())

    Args:
        targets: The Modelfiles; those without a lock are stale.
        store: The store of the bases; None: do not check them.
        whole: Whether these are all Modelfiles of the project, so that all entries of the lock are checked: also those
            of Modelfiles that git or the configuration now ignores, that are missing, or that belong in another lock.
        check: Called with each target and each base of the project first, and the store's version, or without a store
            the one in the lock; raises an InputError if it cannot be checked.
        events: Receives progress.

    Raises:
        InputError: The lock is damaged.
        ServerError: The store cannot answer.
    """
    drifts: list[Drift] = []
    undecided: list[UncheckedBase] = []
    version = version_of(store)
    unread: dict[str, InputError] = {}
    for lock, group in group_by_lock(with_locked(targets) if whole else targets).items():
        _ = lock.lock  # a damaged lock is an error of all of them
        for target in _with_bases(group, lock):
            try:
                check(target, version or _pinned_version(target, lock))
                drifts += stale_reasons(target, lock, events)
                checked = _store_drift(target, store) if store and target in group else None
            except InputError as error:
                unread.setdefault(error.message, error)
                continue
            match checked:
                case Drift() as drift:
                    drifts.append(drift)
                case UncheckedBase() as unchecked:
                    undecided.append(unchecked)
                case None:
                    pass
        drifts += _unused_entries(lock, group) if whole else ()
    return PinCheck(drifts=tuple(drifts), undecided=tuple(undecided), unread=tuple(unread.values()))


def version_of(store: Store | None) -> Version | None:
    """Return the version of a store's Ollama; None if there is no store, or it cannot answer now."""
    with contextlib.suppress(ServerError):  # reported if it is asked for more
        return release(store.ollama) if store else None
    return None


def _pinned_version(target: Target, lock: LockFile) -> Version | None:
    """Return the version of Ollama that a Modelfile was pinned with; None if the lock does not record it."""
    entry = lock.lock.modelfiles.get(target.key)
    return release(entry.ollama) if entry and entry.ollama else None


def group_by_lock(targets: Iterable[Target]) -> dict[LockFile, list[Target]]:
    """Return Modelfiles by the locks that they are in, or are to be in."""
    groups: dict[LockFile, list[Target]] = {}
    for target in targets:
        groups.setdefault(target.project.lock_to_write(target.folder), []).append(target)
    return groups


def with_locked(targets: Sequence[Target]) -> tuple[Target, ...]:
    """Return Modelfiles, and those below the project's folder that their locks have besides.

    Raises:
        InputError: A lock is damaged.
    """
    found = [*targets]
    for lock, group in group_by_lock(targets).items():
        project = group[0].project
        paths = (lock.path.parent / key for key in _others(lock, group))
        folder = project.real_path(project.start)
        inside = (path for path in paths if path.is_relative_to(folder) and not is_gone(path))
        found += (project.at(path) for path in inside if project.lock_to_write(path.parent) is lock)
    return tuple(found)


def _others(lock: LockFile, group: Iterable[Target]) -> list[str]:
    """Return the keys in a lock that are none of these Modelfiles'."""
    return sorted(lock.lock.modelfiles.keys() - {target.key for target in group})


def _unused_entries(lock: LockFile, group: Sequence[Target]) -> Iterator[Drift]:
    for key in _others(lock, group):
        path = lock.path.parent / key
        own = group[0].project.lock_to_write(path.parent).path
        if is_gone(path):
            yield Drift(key=key, reason=Reason.GONE, message="is in the lock, but does not exist")
        elif own != lock.path:
            name = own.relative_to(lock.path.parent).as_posix()
            yield Drift(key=key, reason=Reason.GONE, message=f"belongs in `{name}`: remove its entry from this lock")


def stale_reasons(target: Target, lock: LockFile, events: Events = ignore) -> Iterator[Drift]:
    """Yield the reasons for which the lock is stale for a Modelfile; no server is asked.

    Raises:
        InputError: The lock is damaged or contradicts itself, or a file cannot be read.
    """
    key_of(target)
    changed = False
    for drift in changed_files(target, lock.lock.modelfiles.get(target.key), events, has_lock=lock.exists):
        yield drift
        changed = True
    maker = project_base(target)
    quantized = bool(maker and maker.quantize)
    drifts = [*base_drift(target.key, lock.lock, maker.key if maker else None, quantized=quantized)]
    if drifts and not _is_in_cycle(target):
        yield from drifts
    entry = lock.lock.modelfiles.get(target.key)
    if entry and entry.base and entry.base.manifest is not None:
        yield from () if changed else _proven_drift(target, lock, entry, entry.base)
    if entry and entry.base and not entry.base.is_complete:
        message = f"its base {entry.base.written} was pinned by an older mf, which did not record its source"
        yield Drift(key=target.key, reason=Reason.INCOMPLETE, message=message)


def key_of(target: Target) -> str:
    """Return a Modelfile's key in its lock.

    Raises:
        InputError: The Modelfile, with symlinks resolved, is outside the folder of the lock, or cannot be read.
    """
    target.source  # noqa: B018  # raises if it cannot be read
    if not is_utf_8(target.key):
        message = f"the name of `{target.path}` is not UTF-8, so that no lock can have it"
        raise InputError(message, hint="rename the file")
    if not target.key:
        folder = target.project.lock_to_write(target.folder).path.parent
        raise InputError(f"`{target.path}` is outside of `{folder}`, the folder of its mf.lock", hint="copy it there")
    return target.key


def is_utf_8(name: str) -> bool:
    """Return whether a path can be written as UTF-8."""
    return not any("\ud800" <= character <= "\udfff" for character in name)


def project_base(target: Target) -> Target | None:
    """Return the model of the project that a Modelfile is FROM, if its Modelfile is here and has the same lock.

    Raises:
        InputError: Its Modelfile cannot be read.
    """
    maker = target.project.base_of(target)
    if maker is None or is_gone(maker.path):
        return None
    maker.source  # noqa: B018  # raises if it cannot be read
    lock = maker.project.lock_to_write(maker.folder)
    return maker if maker.key and lock is target.project.lock_to_write(target.folder) else None


def base_name(target: Target, written: str) -> ModelName:
    """Return the name of the base of a Modelfile.

    Raises:
        InputError: FROM has an invalid name, such as that of a missing file.
    """
    try:
        return ModelName.parse(written)
    except UsageError as error:
        raise InputError(f"`{target.path}`: {error.message}", hint=error.hint) from error


def _is_in_cycle(target: Target) -> bool:
    """Return whether a Modelfile is, by way of others, FROM what is built of it; one base is then the server's."""
    seen: set[str] = set()
    above: Target | None = target
    while above and above.key not in seen:
        seen.add(above.key)
        above = project_base(above)
    return above is not None


def _with_bases(targets: Sequence[Target], lock: LockFile) -> list[Target]:
    """Return targets together with those that their bases are built from, now or when they were pinned."""
    known = {target.key: target for target in targets}
    for target in (found := [*targets]):
        entry = lock.lock.modelfiles.get(target.key)
        pinned = lock.path.parent / entry.base.modelfile if entry and entry.base and entry.base.modelfile else None
        makers = [Target(target.project, pinned)] if pinned and not is_gone(pinned) else []
        with contextlib.suppress(InputError):  # the base cannot be read, which is reported of the target
            makers = [*filter(None, [project_base(target)]), *makers]
        for maker in makers:
            if maker.key not in known:
                known[maker.key] = maker
                found.append(maker)
    return found


def changed_files(
    target: Target, entry: Pin | None, events: Events = ignore, *, has_lock: bool = True
) -> Iterator[Drift]:
    """Yield the differences of a Modelfile and its local files from its pin.

    Raises:
        InputError: A file cannot be read.
    """
    if entry is None:
        missing = (
            (Reason.NOT_IN_LOCK, "mf.lock has no entry for it") if has_lock else (Reason.NO_LOCK, "there is no mf.lock")
        )
        reason, message = missing[0], f"is not pinned: {missing[1]}"
        yield Drift(key=target.key, reason=reason, message=message)
        return
    version = release(entry.ollama) if entry.ollama else None
    files, quantizations = target.portable_digests(version, events), target.project.quantizations(target)
    yield from file_drift(target.key, entry, target.text_digest, files, quantizations)
    written = target.recipe(version).base or None
    expected = (written, base_name(target, written).full) if written else None
    if entry.text == target.text_digest and expected != (entry.base and (entry.base.written, entry.base.name)):
        pinned = entry.base.name if entry.base else None
        message = f"its base {written} is not the one in the lock" if written else "has no base, but one in the lock"
        yield Drift(key=target.key, reason=Reason.BASE, message=message, pinned=pinned, current=written)


def _store_drift(target: Target, store: Store) -> Drift | UncheckedBase | None:
    """Compare the base of a Modelfile on the store, and the fingerprint of a build, with the pin.

    A base that the project builds cannot drift: if the store has another one or none, it has yet to be built.
    """
    entry = target.pin
    if entry is None or (base := entry.base) is None:
        return None
    found = store.find(ModelName.parse(base.name))
    if base.modelfile and (found is None or found.fingerprint != base.fingerprint):
        return None
    if found is None:
        return UncheckedBase(key=target.key, base=base.written, location=store.location)
    pinned, current, reason = base.fingerprint, found.fingerprint, Reason.BASE
    what = f"its base {base.written} {store.location.where}"
    if pinned == current and entry.fingerprint and entry.text == target.text_digest:
        version = release(store.ollama)
        if target.recipe(version).converts_adapters:
            return None  # only a build tells what the server makes of them
        current = fingerprint(found.model.with_recipe(target.recipe(version), target.digests(version), version))
        what, pinned, reason = "its fingerprint", entry.fingerprint, Reason.FINGERPRINT
    if pinned is None or pinned == current:
        return None
    message = describe_change(what, pinned, current)
    return Drift(key=target.key, reason=reason, message=message, pinned=pinned, current=current)


def _proven_drift(target: Target, lock: LockFile, entry: Pin, base: Base) -> Iterator[Drift]:
    """Compare the fingerprint of a Modelfile with the one that its locked base gives, if lock and cache know that."""
    from modelfile.pinning.resolver import check_base  # 1 ms that a lock without a manifest saves

    proofs = target.project.memo(lock.path)
    model = proofs.get(("proof", base.name, base.digest, base.fingerprint), lambda: check_base(base))
    version = release(entry.ollama) if entry.ollama else None
    if model is None or entry.fingerprint is None or target.recipe(version).converts_adapters:
        return
    current = fingerprint(model.with_recipe(target.recipe(version), target.digests(version), version))
    if current != entry.fingerprint:
        message = describe_change("its fingerprint", entry.fingerprint, current)
        reason = Reason.FINGERPRINT
        yield Drift(key=target.key, reason=reason, message=message, pinned=entry.fingerprint, current=current)


def is_gone(path: Path) -> bool:
    """Return whether there is no file, or a folder in its place; one that cannot be seen may exist."""
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
