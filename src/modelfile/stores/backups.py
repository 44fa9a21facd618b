"""Backups: aliases of overwritten models, from which a rollback restores them.

Ollama deletes the layers of a model that is overwritten. A copy takes no disk space, so the previous model of `bot:v1`
is first copied to the alias `bot:sha256-<64 hex of its digest>-v1`. The digest alone would be an alias for all tags of
`bot`: a rollback could not distinguish `bot:v1` and `bot:v2`, and builds of one would evict backups of the other, or a
pinned base. A tag has at most 80 characters, so one of more than eight does not fit after the digest: the first eight
hex digits of its sha256 replace it, after a dot instead of a dash.

Copying sets the modification time, also over an existing alias (measured on 0.9.3; CopyModel of server/images.go in
0.24 and 0.33 too). So an alias is as old as its last backup, whichever machine made it.

That time is the one of a file, and file systems count in ticks: 1 to 10 ms on Linux, 1 or 2 s on ext3 and FAT. A backup
within the tick of another one is copied again until it is the newer one, so the order of backups is decided.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from time import sleep
from typing import Final

from modelfile.errors import NotFound, ServerUnreachable, UsageError, VerificationError
from modelfile.immutable import record, replace
from modelfile.names import ModelName, short_digest
from modelfile.stores.protocol import ListedModel, Store, StoreLocation, find_listed
from modelfile.stores.staging import STAGING

_ALIAS: Final = re.compile(r"sha256-[0-9a-f]{64}(?P<suffix>-.+|\.[0-9a-f]{8})?", re.IGNORECASE)
_MAX_WRITTEN: Final = 8
"""Length up to which a tag is written in its alias."""
_TICK: Final = 0.004
"""Seconds to wait before a backup is copied again to be newer than another one; doubled each time."""
_MAX_WAIT: Final = 2.0
"""Longest of these waits, in seconds: the longest tick of a file system, that of FAT."""


@record(kw_only=True)
class Restored:
    """The outcome of a rollback."""

    name: ModelName
    digest: str
    """Digest of the tag's model after the rollback."""
    previous_digest: str | None
    """Digest of the tag's model before; None if there was none."""
    backup: ModelName | None
    """Alias of the tag's model before."""


def is_internal(name: ModelName) -> bool:
    """Return whether a name is a staging tag or a backup."""
    return name.tag.startswith(STAGING) or bool(_ALIAS.fullmatch(name.tag))


def alias_of(name: ModelName, digest: str) -> ModelName:
    """Return the alias for the backup of a tag's model."""
    return replace(name, tag=f"sha256-{digest.removeprefix('sha256:')}{_suffix(name)}", tagged=True)


def pin_alias(name: ModelName, digest: str) -> ModelName:
    """Return the alias of a pinned base, which belongs to none of its tags.

    >>> str(pin_alias(ModelName.parse("llama3.2:3b"), "sha256:" + "0" * 64))[:24]
    'llama3.2:sha256-00000000'
    """
    return replace(name, tag=digest.replace(":", "-"), tagged=True)


def is_pin_alias(name: ModelName) -> bool:
    """Return whether a name is the alias of a pinned base."""
    match = _ALIAS.fullmatch(name.tag)
    return match is not None and match["suffix"] is None


def aliased_digest(name: ModelName) -> str | None:
    """Return the digest (`sha256:…`) in the name of a backup or of a pinned base; None if it is no such alias.

    >>> aliased_digest(alias_of(ModelName.parse("bot:v1"), "sha256:" + "0" * 64)) == "sha256:" + "0" * 64
    True
    """
    return f"sha256:{name.tag[7:71].lower()}" if _ALIAS.fullmatch(name.tag) else None


def _suffix(name: ModelName) -> str:
    tag = name.tag.lower()
    return f"-{tag}" if len(tag) <= _MAX_WRITTEN else f".{hashlib.sha256(tag.encode()).hexdigest()[:8]}"


class Backups:
    """The backups among listed models, found in one pass: a server may list thousands of tags."""

    def __init__(self, listed: Iterable[ListedModel]) -> None:
        """Find them.

        Args:
            listed: The models of a store.
        """
        self._found: dict[tuple[str, str], list[ListedModel]] = {}
        for model in listed:
            if match := _ALIAS.fullmatch(model.name.tag):
                key = model.name.untagged.lower(), (match["suffix"] or "").lower()
                self._found.setdefault(key, []).append(model)

    def of(self, name: ModelName) -> tuple[ListedModel, ...]:
        """Return the backups of a tag, the newest first."""
        return self._with_suffix(name, _suffix(name))

    def by_tag(self) -> tuple[tuple[ListedModel, ...], ...]:
        """Return the backups of each tag that has some, the newest first; aliases of no tag are not among them."""
        return tuple(_newest_first(found) for (_, suffix), found in self._found.items() if suffix)

    def of_no_tag(self, name: ModelName) -> tuple[ListedModel, ...]:
        """Return the aliases of a model that belong to none of its tags, such as a pin's, the newest first."""
        return self._with_suffix(name, "")

    def _with_suffix(self, name: ModelName, suffix: str) -> tuple[ListedModel, ...]:
        return _newest_first(self._found.get((name.untagged.lower(), suffix), ()))


def _newest_first(backups: Iterable[ListedModel]) -> tuple[ListedModel, ...]:
    return tuple(sorted(backups, key=lambda model: model.modified, reverse=True))


def backups_of(name: ModelName, listed: Iterable[ListedModel]) -> tuple[ListedModel, ...]:
    """Return the backups of a tag, the newest first; use `Backups` for those of many tags."""
    return Backups(listed).of(name)


def back_up(name: ModelName, store: Store, limit: int) -> ModelName | None:
    """Back up a tag's model, and evict the oldest backups over the limit; return the alias, None if there is no model.

    An existing backup of the same model becomes the newest. A `limit` of 0 backs up nothing and evicts nothing.

    Raises:
        ServerError: It could not be copied; nothing is evicted.
        VerificationError: The copy differs from the tag's model.
    """
    current = find_listed(name, store.list()) if limit else None
    if current is None:
        return None
    alias = alias_of(current.name, current.digest)
    _delete_all(expired(limit, name, alias, _copy_as_newest(current, alias, store)), store)
    return alias


def _copy_as_newest(current: ListedModel, alias: ModelName, store: Store) -> tuple[ListedModel, ...]:
    """Copy a tag's model to its alias, later than all other backups of the tag; return the listing after the copy.

    Raises:
        ServerError: It could not be copied.
        VerificationError: The copy differs from the tag's model.
    """
    wait = _TICK
    while True:
        copied, listed = copy_verified(current, alias, store)
        others = (model for model in backups_of(current.name, listed) if not model.name.same_as(alias))
        if wait > _MAX_WAIT or all(model.modified != copied.modified for model in others):
            return listed
        sleep(wait)
        wait *= 2


def expired(limit: int, name: ModelName, alias: ModelName, listed: Iterable[ListedModel]) -> tuple[ModelName, ...]:
    """Return the backups of a tag to evict once an alias is its newest: the oldest, until `limit` are left.

    The alias is passed, because another backup has a later time if the server's clock went back.
    """
    before = tuple(model.name for model in backups_of(name, listed) if not model.name.same_as(alias))
    return before[max(limit - 1, 0) :]


def copy_verified(
    source: ListedModel, destination: ModelName, store: Store
) -> tuple[ListedModel, tuple[ListedModel, ...]]:
    """Copy a model, verify the copy, and return it with the listing after the copy.

    Raises:
        ServerError: It could not be copied.
        VerificationError: The copy differs from the source.
    """
    store.copy(source.name, destination)
    listed = store.list()
    copied = find_listed(destination, listed)
    if copied is None or copied.digest != source.digest:
        raise VerificationError(
            f"the copy {destination} {store.location.where} differs from {source.name}",
            hint="another program may have changed it at the same time: run the command again",
        )
    return copied, listed


_ANY_DIGEST: Final = "any"


def replace_tag(
    source: ModelName,
    name: ModelName,
    store: Store,
    *,
    previous_digest: str | None = _ANY_DIGEST,
    approve: Callable[[ListedModel], None] = lambda _: None,
) -> tuple[ListedModel, ModelName | None]:
    """Copy a model onto a tag, and remove the layers of its previous model that no other name needs.

    Copying over a name leaves such layers on the server's disk until the server restarts; deleting a name removes them
    (measured on 0.9.3). So a model that is overwritten without a backup gets one while the copy is made, which is
    deleted afterwards, and stays if the copy fails.

    Args:
        source: The model to copy.
        name: The tag.
        store: The store of both.
        previous_digest: The digest of the only model that may be discarded, None if none may; default: any.
        approve: Is given the other model that the tag has, and may stop its replacement by an exception.

    Returns:
        The tag's new model, and the alias of its previous model if that was not `previous_digest`.

    Raises:
        NotFound: There is no such source.
        ServerError: It could not be copied.
        VerificationError: The copy differs from the source.
    """
    listed = store.list()
    model, current = find_listed(source, listed), find_listed(name, listed)
    if model is None:
        raise NotFound(f"{source} not found {store.location.where}")
    if current is None:
        return copy_verified(model, name, store)[0], None
    if current.digest == model.digest:
        return current, None
    approve(current)
    backup = alias_of(current.name, current.digest)
    had_backup, may_discard = find_listed(backup, listed), previous_digest in (_ANY_DIGEST, current.digest)
    if not had_backup:
        _copy_as_newest(current, backup, store)
    copied, _ = copy_verified(model, name, store)
    if not had_backup and may_discard:
        with contextlib.suppress(NotFound):
            store.delete(backup)
    return copied, None if may_discard else backup


@record(kw_only=True, frozen=False)
class Guard:
    """The backup of a tag's model while the tag may be overwritten."""

    alias: ModelName
    replaced: bool = False
    """Set it if the tag was overwritten on purpose: the backup stays then."""


@contextlib.contextmanager
def guarded(current: ListedModel, store: Store, limit: int) -> Iterator[Guard]:
    """Back up a tag's model while the tag may be overwritten; after an exception, the tag gets its model back.

    Args:
        current: The tag and its model.
        store: The store of the tag.
        limit: The number of backups that the tag may have; 0: the backup is removed in the end.

    Raises:
        ServerError: It could not be copied.
        VerificationError: A copy differs from its source.
    """
    guard, listed = Guard(alias=alias_of(current.name, current.digest)), store.list()
    had_backup = find_listed(guard.alias, listed) is not None
    listed = _copy_as_newest(current, guard.alias, store)
    unwanted: tuple[ModelName, ...] = () if had_backup else (guard.alias,)
    try:
        yield guard
        if guard.replaced and limit:
            unwanted = expired(limit, current.name, guard.alias, listed)
    except BaseException:
        with contextlib.suppress(ServerUnreachable, RuntimeError):  # RuntimeError: the session is closed already
            replace_tag(guard.alias, current.name, store)
            _delete_all(unwanted, store)
        raise
    _delete_all(unwanted, store)


def _delete_all(names: Iterable[ModelName], store: Store) -> None:
    for name in names:
        with contextlib.suppress(NotFound):  # another build removed it first
            store.delete(name)


def restore(
    name: ModelName,
    store: Store,
    to: str | None = None,
    approve: Callable[[ListedModel, ListedModel], None] = lambda _current, _backup: None,
) -> Restored:
    """Restore the previous model of a tag, and back up its current one; a second rollback undoes the first.

    Args:
        name: The tag.
        store: The store of the tag.
        to: The start of the digest of a backup; default: the newest that differs from the tag's model.
        approve: Is given the tag's model and the backup, and may stop the rollback by an exception.

    Raises:
        NotFound: There is no backup, or none with that digest.
        UsageError: Several digests start so.
        ServerError: It could not be copied; the tag is as it was.
        VerificationError: The copy differs from the backup.
    """
    listed = store.list()
    current = find_listed(name, listed)
    if to is None:
        backup = _newest_different(name, listed, current, store.location)
    else:
        backup = _with_digest(name, listed, to, store.location)
    if current and current.digest == backup.digest:
        return Restored(name=current.name, digest=current.digest, previous_digest=current.digest, backup=None)
    if current:
        approve(current, backup)
    name = current.name if current else name
    alias = alias_of(current.name, current.digest) if current else None
    if current and alias:
        _copy_as_newest(current, alias, store)
    copy_verified(backup, name, store)
    return Restored(name=name, digest=backup.digest, previous_digest=current.digest if current else None, backup=alias)


def _newest_different(
    name: ModelName, listed: tuple[ListedModel, ...], current: ListedModel | None, location: StoreLocation
) -> ListedModel:
    """Return the newest backup of a tag that differs from its current model."""
    found = backups_of(name, listed)
    if not found:
        raise NotFound(f"no backups of {name} {location.where}", hint=_hint(name, listed))
    different = next((model for model in found if current is None or model.digest != current.digest), None)
    if different is None:
        message = f"the only backup of {name} {location.where} is its current model"
        raise NotFound(message, hint=_hint(name, listed))
    return different


def _hint(name: ModelName, listed: tuple[ListedModel, ...]) -> str:
    """Return the hint of a missing backup: the other tags of the model that have some."""
    tags = (model.name for model in listed if name.same_model_as(model.name) and not model.name.same_as(name))
    backups = Backups(listed)
    if others := sorted(str(tag) for tag in tags if backups.of(tag)):
        return f"there are backups of {', '.join(others)}"
    return "`mf build` backs up a tag that it overwrites, unless --keep is 0"


def _with_digest(name: ModelName, listed: tuple[ListedModel, ...], to: str, location: StoreLocation) -> ListedModel:
    """Return the backup with a digest that starts so: of this tag, or of no tag, such as a pin's alias."""
    start = to.lower().removeprefix("sha256:").removeprefix("sha256-")
    backups = Backups(listed)
    models = {model.digest: model for model in (*backups.of_no_tag(name), *backups.of(name))}
    found = [model for digest, model in models.items() if digest.removeprefix("sha256:").startswith(start)]
    match found:
        case [one]:
            return one
        case [] if models:
            hint = f"its backups are {', '.join(map(short_digest, models))}"
            raise NotFound(f"no backup of {name} {location.where} has a digest starting with {to}", hint=hint)
        case []:
            raise NotFound(f"no backups of {name} {location.where}", hint=_hint(name, listed))
        case _:
            hint = f"give more of it: {', '.join(model.digest for model in found)}"
            raise UsageError(f"several backups of {name} have a digest starting with {to}", hint=hint)
