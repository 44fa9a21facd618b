"""What tags held before they were overwritten: kept under aliases, so that it can be brought back.

Ollama deletes the layers of a model that is overwritten. A copy costs no disk, so what `bot:v1` held is first copied
to the alias `bot:sha256-<64 hex of its digest>-v1`. The digest alone would be an alias for all tags of `bot`: it would
not tell `bot:v1` from `bot:v2` at a rollback, and builds of one would let go of what is kept of the other, or of a
pinned base. A tag has room for 80 characters, so that one of more than eight does not fit beside the digest: eight hex
digits of its own stand for it, behind a dot instead of a dash.

A copy is as old as the copying, also over an alias that is there (measured on 0.9.3; CopyModel of server/images.go in
0.24 and 0.33 too). So the age of an alias tells when it was last kept, by whomever and from whichever machine.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from modelfile.errors import NotFound, UsageError, VerificationError
from modelfile.names import ModelName
from modelfile.stores.protocol import ListedModel, Store
from modelfile.stores.protocol import held as listed_under
from modelfile.stores.staging import STAGING

_ALIAS: Final = re.compile(r"sha256-[0-9a-f]{64}(?P<of>-.+|\.[0-9a-f]{8})?", re.IGNORECASE)
_LONGEST_WRITTEN: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledBack:
    """What a rollback did."""

    name: ModelName
    digest: str
    """What the tag holds now."""
    before: str | None
    """What it held; None: nothing."""
    kept: ModelName | None
    """Where that is now."""


def is_internal(name: ModelName) -> bool:
    """Whether a name is one that only builds use: what is being built, or is kept."""
    return name.tag.startswith(STAGING) or bool(_ALIAS.fullmatch(name.tag))


def alias_of(name: ModelName, digest: str) -> ModelName:
    """The name under which what a tag holds is kept."""
    return replace(name, tag=f"sha256-{digest.removeprefix('sha256:')}{_of(name)}", tagged=True)


def _of(name: ModelName) -> str:
    tag = name.tag.lower()
    return f"-{tag}" if len(tag) <= _LONGEST_WRITTEN else f".{hashlib.sha256(tag.encode()).hexdigest()[:8]}"


def history(name: ModelName, listed: Iterable[ListedModel]) -> tuple[ListedModel, ...]:
    """What is kept of a tag, the last kept first."""
    return _kept(name, _of(name), listed)


def _kept(name: ModelName, of: str, listed: Iterable[ListedModel]) -> tuple[ListedModel, ...]:
    aliases = ((model, _ALIAS.fullmatch(model.name.tag)) for model in listed if _is_tag_of(name, model.name))
    kept = (model for model, match in aliases if match and (match["of"] or "").lower() == of)
    return tuple(sorted(kept, key=lambda model: model.modified, reverse=True))


def _is_tag_of(name: ModelName, other: ModelName) -> bool:
    return replace(other, tag=name.tag).same_as(name)


def keep(name: ModelName, store: Store, limit: int) -> ModelName | None:
    """Keep what a tag holds, and let go of the oldest `beyond` the limit; None if there is nothing to keep.

    What is kept already is not kept twice, it counts as kept now. A `limit` of 0 keeps nothing and lets nothing go.

    Raises:
        ServerError: It could not be copied; nothing is let go then.
        VerificationError: The copy is not what the tag held.
    """
    held = listed_under(name, store.list()) if limit else None
    if held is None:
        return None
    alias = alias_of(held.name, held.digest)
    for old in expired(limit, name, alias, copy(held, alias, store)[1]):
        with contextlib.suppress(NotFound):  # another build was quicker
            store.remove(old)
    return alias


def expired(limit: int, name: ModelName, alias: ModelName, listed: Iterable[ListedModel]) -> tuple[ModelName, ...]:
    """What is let go of a tag's history when an alias becomes its last: the oldest, so that `limit` are left.

    What was kept just now may be as old as another, to a file system that counts in 4 ms.
    """
    before = tuple(model.name for model in history(name, listed) if not model.name.same_as(alias))
    return before[max(limit - 1, 0) :]


def copy(source: ListedModel, destination: ModelName, store: Store) -> tuple[ListedModel, tuple[ListedModel, ...]]:
    """Give what is listed another name, look whether it is done, and return that, and all that is listed then.

    Raises:
        ServerError: It could not be copied.
        VerificationError: The copy is not what was listed.
    """
    store.copy(source.name, destination)
    listed = store.list()
    copied = listed_under(destination, listed)
    if copied is None or copied.digest != source.digest:
        raise VerificationError(
            f"{destination} on {store.place} is not what {source.name} was when it was copied",
            hint="does something else build the same model? run the command again",
        )
    return copied, listed


_ANYTHING: Final = "anything"


def replace_tag(
    source: ModelName, name: ModelName, store: Store, *, known: str | None = _ANYTHING
) -> tuple[ListedModel, ModelName | None]:
    """Give a tag what another name holds, so that the layers which it alone held go, unless they are kept.

    A copy leaves them on the server's disk for nobody until it is started anew, removing a name does not (measured on
    0.9.3). So what is overwritten and is not kept has an alias for as long as the copying takes; if that fails, it
    stays kept.

    Args:
        source: The other name.
        name: The tag.
        store: Where they are.
        known: The digest of the only model that may be lost, None: of none; else whatever it is.

    Returns:
        What the tag holds then, and where that is kept what it held and was not `known`.

    Raises:
        NotFound: There is no such source.
        ServerError: It could not be copied.
        VerificationError: The copy is not what the source was.
    """
    listed = store.list()
    given, held = listed_under(source, listed), listed_under(name, listed)
    if given is None:
        raise NotFound(f"there is no {source} on {store.place}")
    if held is None:
        return copy(given, name, store)[0], None
    if held.digest == given.digest:
        return held, None
    aside = alias_of(held.name, held.digest)
    kept, unknown = listed_under(aside, listed), known not in (_ANYTHING, held.digest)
    if not kept:
        copy(held, aside, store)
    copied, _ = copy(given, name, store)
    if not kept and not unknown:
        with contextlib.suppress(NotFound):
            store.remove(aside)
    return copied, aside if unknown else None


def rollback(name: ModelName, store: Store, to: str | None = None) -> RolledBack:
    """Give a tag what it held before, and keep what it holds now: another rollback undoes this one.

    Args:
        name: The tag.
        store: Where it is.
        to: The beginning of the digest of one of those that are kept; the last one that differs, else.

    Raises:
        NotFound: Nothing is kept of it, or nothing of that digest.
        UsageError: Several digests begin so, or the tag holds that already.
        ServerError: It could not be copied; the tag is as it was.
        VerificationError: The copy is not what was kept.
    """
    listed = store.list()
    now = listed_under(name, listed)
    chosen = _with_digest(name, listed, to, store.place) if to is not None else _last(name, listed, now, store.place)
    if now and now.digest == chosen.digest:
        raise UsageError(f"{name} holds {chosen.digest} already", hint=f"see `mf rollback {name} --list`")
    name = now.name if now else name
    kept = alias_of(now.name, now.digest) if now else None
    if now and kept:
        copy(now, kept, store)
    copy(chosen, name, store)
    return RolledBack(name=name, digest=chosen.digest, before=now.digest if now else None, kept=kept)


def _last(name: ModelName, listed: tuple[ListedModel, ...], now: ListedModel | None, place: str) -> ListedModel:
    kept = history(name, listed)
    if not kept:
        raise NotFound(f"nothing is kept of {name} on {place}", hint=_others(name, listed))
    different = next((model for model in kept if now is None or model.digest != now.digest), None)
    if different is None:
        raise NotFound(f"{name} on {place} holds the only model that is kept of it", hint=_others(name, listed))
    return different


def _others(name: ModelName, listed: tuple[ListedModel, ...]) -> str:
    tags = (model.name for model in listed if _is_tag_of(name, model.name) and not model.name.same_as(name))
    if kept := sorted(str(tag) for tag in tags if history(tag, listed)):
        return f"there is some of {', '.join(kept)}"
    return "`mf build` keeps what a tag held when it overwrites it, unless --no-keep is given"


def _with_digest(name: ModelName, listed: tuple[ListedModel, ...], to: str, place: str) -> ListedModel:
    """The one whose digest begins so: of those kept of this tag, and of aliases of no tag, such as a pin's."""
    start = to.lower().removeprefix("sha256:").removeprefix("sha256-")
    kept = {model.digest: model for model in (*_kept(name, "", listed), *history(name, listed))}
    found = [model for digest, model in kept.items() if digest.removeprefix("sha256:").startswith(start)]
    match found:
        case [one]:
            return one
        case [] if kept:
            there = ", ".join(map(_short, kept))
            raise NotFound(f"no model of digest {to} is kept of {name} on {place}", hint=f"there is {there}")
        case []:
            raise NotFound(f"nothing is kept of {name} on {place}", hint=_others(name, listed))
        case _:
            several = ", ".join(model.digest for model in found)
            raise UsageError(f"several models kept of {name} have a digest that begins with {to}", hint=several)


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12]
