"""The previous models of a tag: list its backups, and roll back to one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from modelfile.errors import NotFound, UsageError
from modelfile.immutable import record
from modelfile.library.replacement import fingerprint_of, is_immutable, reject_other_model
from modelfile.names import ModelName
from modelfile.project import DEFAULT_IMMUTABLE
from modelfile.stores.backups import backups_of, restore
from modelfile.stores.protocol import ListedModel, Store, find_listed

_ALIAS: Final = re.compile(r"(?:.*:)?(?P<digest>sha256-[0-9a-f]+)…?(?:[-.].+)?", re.IGNORECASE)
_FINGERPRINT: Final = "mf1:"


@record(kw_only=True)
class ModelBackup:
    """A previous model of a tag."""

    model: ListedModel
    fingerprint: str | None
    """None if the store cannot read it."""
    current: bool
    """True if the tag has this model now."""


def backups(name: str, store: Store) -> tuple[ModelBackup, ...]:
    """Return the backups of a tag, the newest first.

    >>> import modelfile
    >>> from modelfile.stores.memory import MemoryStore
    >>> store = MemoryStore.with_models("bot:v1", "qwen3:8b")
    >>> _ = modelfile.copy("qwen3:8b", "bot:v1", store, replace=True)
    >>> [(backup.model.name.tag[-3:], backup.current) for backup in modelfile.backups("bot:v1", store)]
    [('-v1', False)]

    Args:
        name: The tag, as in `bot:v1`.
        store: The store.

    Raises:
        UsageError: The name is invalid.
        ServerError: The store cannot answer.
    """
    model, listed = ModelName.parse(name), store.list()
    now = find_listed(model, listed)
    return tuple(
        ModelBackup(model=old, fingerprint=fingerprint_of(old, store), current=bool(now and now.digest == old.digest))
        for old in backups_of(model, listed)
    )


@record(kw_only=True)
class RollbackResult:
    """The result of `rollback`."""

    name: ModelName
    digest: str
    fingerprint: str | None
    previous: str | None
    """The digest before the rollback; None if there was no such tag."""
    backup: ModelName | None
    """The alias of the previous model."""
    since: ListedModel | None
    """The backup that was restored."""


def rollback(
    name: str,
    store: Store,
    to: str | None = None,
    *,
    immutable: Iterable[str] = DEFAULT_IMMUTABLE,
    replace: bool = False,
) -> RollbackResult:
    """Restore the previous model of a tag; a second rollback undoes the first.

    >>> import modelfile
    >>> from modelfile.stores.memory import MemoryStore
    >>> store = MemoryStore.with_models("bot:v1", "qwen3:8b")
    >>> replaced = modelfile.copy("qwen3:8b", "bot:v1", store, replace=True)
    >>> modelfile.rollback("bot:v1", store, replace=True).previous == replaced.digest
    True

    Args:
        name: The tag, as in `bot:v1`.
        store: The store.
        to: The start of a digest or fingerprint, or an alias; None: the newest backup that differs from the tag.
        immutable: The patterns of immutable tags.
        replace: Whether to replace the model of an immutable tag; it is backed up.

    Raises:
        UsageError: The name is invalid, or `to` matches several backups.
        WouldReplace: The tag is immutable, and the backup is another model.
        NotFound: There is no such backup.
        ServerError: The store cannot copy it; the tag is unchanged.
        VerificationError: The copy differs from the backup.
    """
    model = ModelName.parse(name)
    if to is not None and to.lower() in ("", "sha256:", "sha256-", _FINGERPRINT):
        raise UsageError(f"--to `{to}` matches every backup", hint=f"run `mf rollback {name} --list` to list them")

    def approve(current: ListedModel, backup: ListedModel) -> None:
        if not replace and is_immutable(model, immutable):
            reject_other_model(current, backup, store, immutable=True)

    done = restore(model, store, _digest(model, to, store) if to is not None else None, approve)
    listed = store.list()
    now = find_listed(done.name, listed)
    since = next((old for old in backups_of(done.name, listed) if old.digest == done.digest), None)
    return RollbackResult(
        name=done.name,
        digest=done.digest,
        fingerprint=fingerprint_of(now, store) if now else None,
        previous=done.previous_digest,
        backup=done.backup,
        since=since,
    )


def _digest(name: ModelName, to: str, store: Store) -> str:
    """Return the start of a backup's digest, given the start of its digest or fingerprint, or its alias."""
    if alias := _ALIAS.fullmatch(to):
        return alias["digest"]
    if not to.lower().startswith(_FINGERPRINT):
        return to.rstrip("…")
    old = [(fingerprint_of(backup, store), backup.digest) for backup in backups_of(name, store.list())]
    start = to.lower().rstrip("…")
    found = {made: digest for made, digest in reversed(old) if made and made.startswith(start)}
    match [*found]:
        case [one]:
            return found[one]
        case []:
            hint = f"run `mf rollback {name} --list` to list them"
            raise NotFound(
                f"no backup of {name} {store.location.where} has a fingerprint starting with {to}", hint=hint
            )
        case several:
            message = f"several backups of {name} have a fingerprint starting with {to}"
            raise UsageError(message, hint=f"give more of it: {', '.join(several)}")
