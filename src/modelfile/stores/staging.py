"""The names under which models are made before they take their own."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Final

from modelfile.filesystem import cache_folder
from modelfile.names import ModelName
from modelfile.stores.protocol import ListedModel

STAGING: Final = "mf-building-"
"""Begins the tag of all of them."""
_ID: Final = re.compile(r"[0-9a-f]{8}")
_LONGEST_TAG: Final = 80
_ABANDONED: Final = timedelta(hours=1)
"""A build looks at what it has made and then gives up the name: in seconds."""
WAITED_FOR: Final = timedelta(minutes=1)
"""So old is what a build has left that was killed, if it has been waited for too."""


def staging_name(name: ModelName) -> ModelName:
    """The name under which a model is made here.

    Another machine's is another, so that two of them that make one model at a time do not meet before its own name.
    """
    return _staging(name, _here())


def _staging(name: ModelName, where: str) -> ModelName:
    return replace(name, tag=f"{STAGING}{where}-{name.tag}"[:_LONGEST_TAG], tagged=True)


def stale_staging(
    name: ModelName, listed: Collection[ListedModel], age: timedelta = _ABANDONED
) -> tuple[ModelName, ...]:
    """What builds of a name that were killed have left: here, and elsewhere if something is newer by an age.

    No clock but the server's is asked: others may go wrong.
    """
    ours, newest = staging_name(name), max((model.modified for model in listed), default=None)
    return tuple(
        model.name
        for model in _scratches(name, listed)
        if model.name.same_as(ours) or (newest and newest - model.modified > age)
    )


def ahead(name: ModelName, listed: Iterable[ListedModel]) -> tuple[ListedModel, ...]:
    """What other machines have made of a name before this one, and have yet to give the name.

    All see the same list, with times by the server's clock.
    """
    made = sorted(_scratches(name, listed), key=lambda model: (model.modified, str(model.name)))
    ours = next((number for number, model in enumerate(made) if model.name.same_as(staging_name(name))), 0)
    return tuple(model for model in made[:ours] if model.modified >= made[ours].modified - _ABANDONED)


def _scratches(name: ModelName, listed: Iterable[ListedModel]) -> Iterator[ListedModel]:
    for model in listed:
        where = model.name.tag.removeprefix(STAGING)[:8]
        if _ID.fullmatch(where) and model.name.same_as(_staging(name, where)):
            yield model


def _here() -> str:
    """Eight hex digits that tell this user on this machine from all others."""
    from socket import gethostname  # with http.client it comes anyway

    folder = cache_folder()  # who shares it shares the locks in it
    number = folder.stat().st_ino if folder else 0
    return hashlib.sha256(f"{gethostname()} {folder} {number}".encode()).hexdigest()[:8]
