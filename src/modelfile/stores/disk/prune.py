"""Remove what nobody needs from a store, in two steps: a plan, which is a value, and its execution.

Since 0.21 a starting server spares blobs that are younger than an hour, because a running one may be about to name them
(layerPruneGracePeriod of server/images.go); so does a plan. Blobs of a model that the plan removes are removed at once,
as `ollama rm` does.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Collection, Iterator, Sequence, Sized
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Final

from modelfile.errors import InputError
from modelfile.events import Events, Progress, ignore
from modelfile.immutable import record
from modelfile.names import ModelName
from modelfile.project import DEFAULT_KEEP
from modelfile.stores.backups import Backups
from modelfile.stores.disk.files import abandoned, is_locked, sync_folder, writing_to
from modelfile.stores.disk.inventory import (
    FileKind,
    Inventory,
    StoredFile,
    StoredManifest,
    take_inventory,
)
from modelfile.stores.disk.layout import BLOBS, reject_foreign
from modelfile.stores.disk.manifests import remove_manifest
from modelfile.stores.disk.store import FolderStore
from modelfile.stores.protocol import ListedModel
from modelfile.stores.staging import STAGING

_HOUR: Final = 3600.0
"""Age in seconds below which a file may belong to a program that runs."""
_DAY: Final = 24 * _HOUR
"""Age in seconds below which a partial download is spared, because it will probably be resumed."""
_MINUTE: Final = 60.0
"""Age in seconds below which a partial download is being written."""
_PAUSE: Final = 0.05
"""Seconds between two looks at the manifests while blobs are only renamed."""
_LOOKS: Final = 10
"""Number of these looks: a server writes a manifest milliseconds after it has looked for the blobs."""


class PruneReason(StrEnum):
    """The reason why something is removed."""

    STAGING = "stale-staging-tag"
    """A staging tag of a build that was killed more than an hour ago."""
    BACKUP = "old-backup"
    """A backup beyond the limit."""
    UNLOCKED = "unlocked-model"
    """A model that no lock names."""
    BLOB = "unnamed-blob"
    """A blob that no model names."""
    PARTIAL = "partial-download"
    """A part of a download that was not resumed for a day."""
    TEMPORARY = "temporary-file"
    """A temporary file of a program that was killed."""


@record(kw_only=True)
class Prunable:
    """A model or a file that is to be removed, or that is spared."""

    reason: PruneReason
    path: Path
    name: ModelName | None = None
    """The name, if it is a model."""
    digest: str = ""
    """Digest of the model's manifest, or of the blob; empty for other files."""
    size: int = 0
    """Disk space that its removal frees, in bytes; of a model 0, because its blobs are removed for themselves."""
    modified: float = 0
    """Time of its last change, in seconds since 1970."""

    @property
    def key(self) -> tuple[Path, str]:
        """The file and its contents: a model that has changed since is another one."""
        return self.path, self.digest


@record(kw_only=True, slots=False)
class LockedNames:
    """The names that locks give to models."""

    names: tuple[ModelName, ...]
    """Names of bases with their tags, pin aliases, and models that the configuration lists."""
    models: frozenset[str] = frozenset()
    """Models, in lower case and without tags, that were built from locked Modelfiles: all their tags count."""

    def include(self, name: ModelName) -> bool:
        """Return whether a model has such a name."""
        return name.untagged.lower() in self.models or name.full.lower() in self._full

    @cached_property
    def _full(self) -> frozenset[str]:
        return frozenset(name.full.lower() for name in self.names)


@record(kw_only=True)
class PruneOptions:
    """The choices of a plan."""

    keep: int = DEFAULT_KEEP
    """Number of backups that a tag may have."""
    locked: LockedNames | None = None
    """The models that are not removed; None: all but staging tags and backups."""
    all_partial: bool = False
    """True to remove partial downloads of today, too, but not those that are being written."""


DEFAULTS: Final = PruneOptions()


@record(kw_only=True)
class PrunePlan:
    """A plan of `prune`: the models and files to remove."""

    options: PruneOptions
    now: float
    """Time of the plan, in seconds since 1970."""
    is_downloading: bool
    """True if a download was written to in the last hour: its complete blobs are spared, as no model names them yet."""
    stale: tuple[Prunable, ...]
    """To be removed, in this order: models, then files."""
    spared: tuple[Prunable, ...]
    """Files that would be removed if they were older."""

    @property
    def size(self) -> int:
        """The disk space that is freed, in bytes."""
        return sum(item.size for item in self.stale)


@record(kw_only=True)
class Pruned:
    """The result of `prune`."""

    removed: tuple[Prunable, ...]
    failed: tuple[tuple[Prunable, InputError], ...]
    """Items that the system does not remove, and why."""
    changed: tuple[Prunable, ...]
    """Items that have changed since the plan was made, and stay."""


def plan_prune(store: FolderStore, options: PruneOptions = DEFAULTS, *, now: float | None = None) -> PrunePlan:
    """Return what `prune` would remove; nothing is removed.

    >>> import tempfile
    >>> import modelfile
    >>> with tempfile.TemporaryDirectory() as folder, modelfile.open_folder(Path(folder)) as store:
    ...     modelfile.plan_prune(store).stale
    ()

    Args:
        store: The store.
        options: The choices.
        now: The time, in seconds since 1970; default: that of this machine.

    Raises:
        InputError: A manifest cannot be read, so that nobody knows which blobs it names; or the store cannot be read.
    """
    root = store.layout.root
    inventory = take_inventory(store.layout)
    dead = frozenset(
        (*store.blobs.aside(), *(path for folder in (root, root / BLOBS) for path, _ in abandoned(folder)))
    )
    return _plan(inventory, options, time.time() if now is None else now, dead)


def _plan(inventory: Inventory, options: PruneOptions, now: float, dead: frozenset[Path]) -> PrunePlan:
    _reject_unreadable(inventory)
    models = {item.path: item for item in _stale_models(inventory, options, now)}
    stale, spared = [*models.values()], list[Prunable]()
    downloading = any(now - file.modified < _HOUR for file in inventory.others[FileKind.PARTIAL])
    may_wait = options.all_partial and any(is_locked(file.path) for file in inventory.others[FileKind.PARTIAL])
    for item, is_stale in (
        *_blobs(inventory, models.keys(), now, _DAY if downloading else _HOUR),
        *_partials(inventory, now, all_partial=options.all_partial and not may_wait),
        *_temporaries(inventory, now, dead),
    ):
        (stale if is_stale else spared).append(item)
    return PrunePlan(options=options, now=now, is_downloading=downloading, stale=tuple(stale), spared=tuple(spared))


def _reject_unreadable(inventory: Inventory) -> None:
    if not (unreadable := inventory.unreadable):
        return
    details = [f"`{stored.path}`: {stored.problem}" for stored in unreadable]
    hint = "run `mf store check --repair`"
    if len(unreadable) == 1:
        message = "cannot prune: a manifest cannot be read, and the blobs that it names would be lost"
    else:
        message = (
            f"cannot prune: {len(unreadable)} manifests cannot be read, and the blobs that they name would be lost"
        )
    raise InputError(message, hint=hint, details=details)


def _stale_models(inventory: Inventory, options: PruneOptions, now: float) -> Iterator[Prunable]:
    """Yield staging tags, backups beyond the limit, and what no lock names, each once."""
    stored = {one.name.full: one for one in inventory.manifests if one.name}
    listed = [
        ListedModel(
            name=name,
            digest=manifest.digest,
            size=manifest.size,
            modified=datetime.fromtimestamp(stored[name.full].modified, UTC),
        )
        for name, manifest in inventory.models
    ]
    backups = Backups(listed)
    reasons: dict[str, PruneReason] = {}
    for model in listed:
        if model.name.tag.startswith(STAGING) and now - stored[model.name.full].modified > _HOUR:
            reasons[model.name.full] = PruneReason.STAGING
    for old in (model for tag in backups.by_tag() for model in tag[max(options.keep, 0) :]):
        reasons[old.name.full] = PruneReason.BACKUP
    if options.locked is not None:
        for name in _unlocked(listed, backups, options.locked):
            reasons.setdefault(name.full, PruneReason.UNLOCKED)
    for full, reason in reasons.items():
        yield _model(stored[full], reason)


def _unlocked(listed: Sequence[ListedModel], backups: Backups, locked: LockedNames) -> Iterator[ModelName]:
    """Yield the models that no lock names; backups of those that one names stay, and staging tags of any."""
    names = [*locked.names, *(model.name for model in listed if locked.include(model.name))]
    kept = {backup.name.full for name in names for backup in backups.of(name)}
    for model in listed:
        if not model.name.tag.startswith(STAGING) and model.name.full not in kept and not locked.include(model.name):
            yield model.name


def _model(stored: StoredManifest, reason: PruneReason) -> Prunable:
    digest = stored.manifest.digest if stored.manifest else ""
    return Prunable(reason=reason, path=stored.path, name=stored.name, digest=digest, modified=stored.modified)


def _blobs(
    inventory: Inventory, removed: Collection[Path], now: float, limit: float
) -> Iterator[tuple[Prunable, bool]]:
    """Yield the blobs that no remaining model names, and whether they are stale: older than a limit in seconds."""
    for digest, blob in inventory.blobs.items():
        users = inventory.named.get(digest, ())
        if all(stored.path in removed for stored in users):
            yield _item(PruneReason.BLOB, blob, digest), bool(users) or now - blob.modified > limit
    for digest, path in inventory.dangling.items():
        if digest not in inventory.named:
            yield Prunable(reason=PruneReason.BLOB, path=path, digest=digest), True


def _partials(inventory: Inventory, now: float, *, all_partial: bool) -> Iterator[tuple[Prunable, bool]]:
    """Yield the partial downloads, and whether they are stale: the parts of one are as old as the newest."""
    downloads: dict[str, list[StoredFile]] = {}
    for file in inventory.others[FileKind.PARTIAL]:
        downloads.setdefault(file.path.name[: len("sha256-") + 64], []).append(file)
    for name, files in downloads.items():
        age = now - max(file.modified for file in files)
        is_complete = name.replace("-", ":", 1) in inventory.blobs
        limit = _MINUTE if all_partial else _HOUR if is_complete else _DAY
        yield from ((_item(PruneReason.PARTIAL, file), age > limit) for file in files)


def _temporaries(inventory: Inventory, now: float, dead: frozenset[Path]) -> Iterator[tuple[Prunable, bool]]:
    """Yield the temporary files of other programs by their age, and those of ours whose writers were killed."""
    for file in inventory.others[FileKind.TEMPORARY]:
        yield _item(PruneReason.TEMPORARY, file), now - file.modified > _HOUR
    for file in inventory.others[FileKind.OWN_TEMPORARY]:
        if file.path in dead:
            yield _item(PruneReason.TEMPORARY, file), True


def _item(reason: PruneReason, file: StoredFile, digest: str = "") -> Prunable:
    return Prunable(reason=reason, path=file.path, digest=digest, size=file.size, modified=file.modified)


def prune(plan: PrunePlan, store: FolderStore, events: Events = ignore) -> Pruned:
    """Execute a plan under the lock of the store, as far as it still holds: everything is looked at again.

    Models go first, then the blobs that nobody names: if it is killed, the next plan has the rest. A server may be
    about to name a blob that it has found: so all are renamed first, and one that a manifest names half a second later
    gets its name back.

    >>> import tempfile
    >>> import modelfile
    >>> with tempfile.TemporaryDirectory() as folder, modelfile.open_folder(Path(folder)) as store:
    ...     modelfile.prune(modelfile.plan_prune(store), store).removed
    ()

    Args:
        plan: The plan.
        store: The store that it was made for.
        events: Receives progress.

    Raises:
        InputError: A manifest cannot be read now, or the store cannot be written to.
    """
    removed, failed, changed = list[Prunable](), list[tuple[Prunable, InputError]](), list[Prunable]()
    aside = list[Prunable]()
    reject_foreign(store.layout.root)
    with store.locked("pruning of a store"):
        wanted = {item.key for item in plan_prune(store, plan.options).stale}
        left = {*store.blobs.aside()}
        with _settling(store, aside) as refused:
            for number, item in enumerate(plan.stale, start=1):
                if item.key not in wanted or (item.reason is PruneReason.BLOB and _was_used(item)):
                    changed.append(item)
                    continue
                try:
                    if item.reason is PruneReason.BLOB:
                        store.blobs.set_aside(item.path, item.digest)
                        aside.append(item)
                    elif item.path in left:
                        aside.append(item)
                    else:
                        _remove(item, store)
                        removed.append(item)
                except InputError as error:
                    failed.append((item, error))
                events(Progress(status=f"removed {number:,} of {len(plan.stale):,}"))
        for item in aside:
            if not os.path.lexists(item.path):
                removed.append(item)
            elif item.path in refused:
                failed.append((item, refused[item.path]))
            else:
                changed.append(item)
        sync_folder(store.layout.root / BLOBS)
    gone = {item.key for item in removed}
    in_order = tuple(item for item in plan.stale if item.key in gone)
    return Pruned(removed=in_order, failed=tuple(failed), changed=tuple(changed))


@contextlib.contextmanager
def _settling(store: FolderStore, aside: Sized) -> Iterator[dict[Path, InputError]]:
    """Remove what was set aside in the context, but for what manifests name then; yield what the system refuses."""
    refused: dict[Path, InputError] = {}
    try:
        yield refused
        for _ in range(_LOOKS if aside else 0):
            time.sleep(_PAUSE)
            store.blobs.put_back(store.named_blobs)
    finally:
        refused.update(store.blobs.settle(store.named_blobs))


def _was_used(blob: Prunable) -> bool:
    """Return whether somebody has used a blob since the plan, and so set its time."""
    try:
        return blob.path.stat().st_mtime != blob.modified
    except OSError:  # a dangling symlink, or gone
        return False


def _remove(item: Prunable, store: FolderStore) -> None:
    with writing_to(item.path), contextlib.suppress(FileNotFoundError):
        if item.name:
            remove_manifest(store.layout.root, item.path)
        elif item.path.is_dir() and not item.path.is_symlink():
            shutil.rmtree(item.path)
        else:
            item.path.unlink()
