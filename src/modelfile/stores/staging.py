"""Staging tags: the names under which models are built and verified before they are published."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator
from datetime import timedelta
from typing import Final

from modelfile.cache import cache_folder
from modelfile.immutable import replace
from modelfile.names import ModelName
from modelfile.stores.protocol import ListedModel

STAGING: Final = "mf-building-"
"""The beginning of every staging tag."""
_MACHINE: Final = re.compile(r"[0-9a-f]{8}")
_MAX_TAG: Final = 80
_STALE_AGE: Final = timedelta(hours=1)
"""Age after which a staging tag counts as abandoned; a build removes its own within seconds."""
STALE_AGE_AFTER_WAIT: Final = timedelta(minutes=1)
"""Age after which a staging tag we waited for counts as abandoned."""


def staging_name(name: ModelName, *, in_folder: bool = False) -> ModelName:
    """Return the staging tag of a model on this machine.

    Each machine has its own, so that concurrent builds of one model do not collide before they publish it. So has a
    build in a folder, which a server may have, too: their locks differ.

    Args:
        name: The model.
        in_folder: Whether it is built in a folder rather than on a server.
    """
    return _staging_name(name, _machine_id(in_folder=in_folder))


def _staging_name(name: ModelName, machine: str) -> ModelName:
    return replace(name, tag=f"{STAGING}{machine}-{name.tag}"[:_MAX_TAG], tagged=True)


def stale_staging(
    name: ModelName, listed: Collection[ListedModel], age: timedelta = _STALE_AGE, *, in_folder: bool = False
) -> tuple[ModelName, ...]:
    """Return the stale staging tags of a name: that of `staging_name`, and others older than `age`.

    The age is measured from the newest model on the server, because other clocks than the server's may be wrong.
    """
    own, newest = staging_name(name, in_folder=in_folder), max((model.modified for model in listed), default=None)
    return tuple(
        model.name
        for model in _staging_tags(name, listed)
        if model.name.same_as(own) or (newest and newest - model.modified > age)
    )


def earlier_builds(
    name: ModelName, listed: Iterable[ListedModel], *, in_folder: bool = False
) -> tuple[ListedModel, ...]:
    """Return the staging tags that other builds made before this one, and have yet to publish.

    All machines see the same list, with times by the server's clock.
    """
    tags = sorted(_staging_tags(name, listed), key=lambda model: (model.modified, str(model.name)))
    here = staging_name(name, in_folder=in_folder)
    own = next((number for number, model in enumerate(tags) if model.name.same_as(here)), 0)
    return tuple(model for model in tags[:own] if model.modified >= tags[own].modified - _STALE_AGE)


def _staging_tags(name: ModelName, listed: Iterable[ListedModel]) -> Iterator[ListedModel]:
    for model in listed:
        machine = model.name.tag.removeprefix(STAGING)[:8]
        if _MACHINE.fullmatch(machine) and model.name.same_as(_staging_name(name, machine)):
            yield model


def _machine_id(*, in_folder: bool) -> str:
    """Return eight hex digits that identify this user on this machine, in folders or on servers."""
    from socket import gethostname  # 2 ms that a folder saves

    folder = cache_folder()  # users who share it share its locks, too
    number = folder.stat().st_ino if folder else 0
    return hashlib.sha256(f"{gethostname()} {folder} {number}{' in a folder' * in_folder}".encode()).hexdigest()[:8]
