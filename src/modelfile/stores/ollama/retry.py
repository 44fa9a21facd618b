"""What is tried again after a failure that may pass, and after which time.

Three kinds of call: what only looks, or gives the same however often it is done; what moves weights, where a 500 is
Ollama's word on its disk and a repetition would move them all again; and what must not be done twice, which is tried
again only if it has not reached the server. Silence is no reason: it has been waited for already.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import httpx


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How often to try, and how long to wait in between: twice as long every time, by up to a half less by chance.

    A server that was there is waited for until it has been restarted (by systemd after 3 s: Ollama's own unit says so);
    one that has never answered is probably not running, which is to be told soon.
    """

    tries: int = 6
    tries_unseen: int = 3
    first: float = 0.25
    """In seconds."""
    pause: Callable[[float], object] = time.sleep
    chance: Callable[[], float] = random.random

    def waits(self, *, known: bool) -> Iterator[float]:
        """The pauses between the tries; `known` is whether the server has ever answered."""
        tries = self.tries if known else min(self.tries, self.tries_unseen)
        return (self.first * 2**number * (1 - self.chance() / 2) for number in range(tries - 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """After which failures a call may be made again."""

    statuses: frozenset[int] = frozenset()
    dropped: bool = False
    """Whether it may be when nobody knows how far it got."""

    def after(self, error: httpx.HTTPError) -> bool:
        """Whether it may be after this one."""
        match error:
            case httpx.HTTPStatusError():
                return error.response.status_code in self.statuses
            case httpx.ConnectError():
                return _refused(error)
            case httpx.NetworkError() | httpx.RemoteProtocolError():
                return self.dropped
            case _:
                return False


_GATEWAY: Final = frozenset({502, 503, 504})
"""What proxies answer for a server that is not there."""

IDEMPOTENT: Final = Repeat(statuses=_GATEWAY | {500}, dropped=True)
UPLOAD: Final = Repeat(statuses=_GATEWAY, dropped=True)
NON_IDEMPOTENT: Final = Repeat()


def _refused(error: BaseException | None) -> bool:
    """Whether a machine is there and has no server; a name that nobody knows and a bad certificate will stay so."""
    while error is not None:
        if isinstance(error, ConnectionError):
            return True
        error = error.__cause__ or error.__context__
    return False
