"""The names under which models are made before they take their own."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from modelfile.cache import cache_folder
from modelfile.names import ModelName
from modelfile.store.base import Listed

SCRATCH: Final = "mf-building-"
"""Begins the tag of all of them."""
_ID: Final = re.compile(r"[0-9a-f]{8}")
_LONGEST_TAG: Final = 80
_ABANDONED: Final = timedelta(hours=1)
"""A build looks at what it has made and then gives up the name: seconds, but clocks of machines differ."""


def scratch_of(name: ModelName) -> ModelName:
    """The name under which a model is made here.

    Another machine's is another, so that two of them that make one model at a time do not meet before its own name.
    """
    return _scratch(name, _here())


def _scratch(name: ModelName, where: str) -> ModelName:
    return replace(name, tag=f"{SCRATCH}{where}-{name.tag}"[:_LONGEST_TAG], tagged=True)


def leftovers(name: ModelName, listed: Iterable[Listed], now: datetime | None = None) -> tuple[ModelName, ...]:
    """What builds of a name that were killed have left: here, and elsewhere if it is old enough."""
    ours, abandoned = scratch_of(name), (now or datetime.now(UTC)) - _ABANDONED
    left = (model for model in _scratches(name, listed) if model.name.same_as(ours) or model.modified < abandoned)
    return tuple(model.name for model in left)


def is_next(name: ModelName, listed: Iterable[Listed]) -> bool:
    """Whether no other machine has made a model of a name before this one, and has yet to give it the name.

    All see the same list, with times by the server's clock.
    """
    made = sorted(_scratches(name, listed), key=lambda model: (model.modified, str(model.name)))
    ours = next((model for model in made if model.name.same_as(scratch_of(name))), None)
    return ours is None or ours is next(model for model in made if model.modified >= ours.modified - _ABANDONED)


def _scratches(name: ModelName, listed: Iterable[Listed]) -> Iterator[Listed]:
    for model in listed:
        where = model.name.tag.removeprefix(SCRATCH)[:8]
        if _ID.fullmatch(where) and model.name.same_as(_scratch(name, where)):
            yield model


def _here() -> str:
    """Eight hex digits that tell this user on this machine from all others."""
    from socket import gethostname  # with http.client it comes anyway

    folder = cache_folder()  # who shares it shares the locks in it
    number = folder.stat().st_ino if folder else 0
    return hashlib.sha256(f"{gethostname()} {folder} {number}".encode()).hexdigest()[:8]
