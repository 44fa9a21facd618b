"""Retries: which calls are made again, after which failures, and after how long.

There are three kinds of calls: those that only read, or give the same result however often they are made; those that
move weights, where a 500 is Ollama's word on its disk and a retry would move all of them again; and those that must not
be made twice, which are retried only if they have not reached the server. A timeout is not retried: that was the wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, TypeAlias

from modelfile.immutable import record
from modelfile.stores.network.deadline import sleep

if TYPE_CHECKING:
    import httpx


OnRetry: TypeAlias = Callable[[int, int], None]
"""A callback that receives the number of the next attempt, and of all attempts."""


OnWait: TypeAlias = Callable[[str, float], object]
"""A callback that receives the host that is to be asked again, and the seconds until then."""


def ignore_wait(_host: str, _seconds: float) -> None:
    """Ignore a wait."""


def ignore_retry(_attempt: int, _attempts: int) -> None:
    """Ignore a retry."""


def _random() -> float:
    """Return a number from 0 to 1."""
    from random import random  # 1 ms that a run without retries saves

    return random()  # noqa: S311  # only so that clients do not retry at the same moment


@record(kw_only=True)
class Backoff:
    """The number of tries and the waits between them: each twice as long as the last, less up to half by chance.

    A server that has answered before is waited for until it has been restarted (systemd does so after 3 s by Ollama's
    unit); one that has never answered is probably not running, which is to be reported soon.
    """

    tries: int = 6
    tries_unseen: int = 3
    first: float = 0.25
    """In seconds."""
    pause: Callable[[float], object] = sleep
    chance: Callable[[], float] = _random
    """Returns a number from 0 to 1."""
    on_wait: OnWait = ignore_wait
    """Called before a wait for a registry; several threads may do so."""

    def attempts(self, *, answered: bool) -> int:
        """Return the number of attempts, at a server that has answered before or not."""
        return self.tries if answered else min(self.tries, self.tries_unseen)

    def waits(self, *, answered: bool) -> Iterator[float]:
        """Return the seconds to wait before each retry.

        Args:
            answered: Whether the server has answered before.
        """
        tries = self.attempts(answered=answered)
        return (self.first * 2**number * (1 - self.chance() / 2) for number in range(tries - 1))


BACKOFF: Final = Backoff()


@record(kw_only=True)
class Retry:
    """The failures after which a call may be made again."""

    statuses: frozenset[int] = frozenset()
    dropped: bool = False
    """True if a retry is safe when nobody knows how far the call got."""

    def after(self, error: httpx.HTTPError) -> bool:
        """Return whether to retry after this failure."""
        import httpx  # whoever has caught one has imported it

        match error:
            case httpx.HTTPStatusError():
                return error.response.status_code in self.statuses
            case httpx.ConnectError():
                return _is_refused(error)
            case httpx.NetworkError() | httpx.RemoteProtocolError():
                return self.dropped
            case _:
                return False


_UNKNOWN_HOST: Final = (
    "Name or service not known",
    "No address associated with hostname",
    "Temporary failure in name resolution",
    "getaddrinfo failed",
    "nodename nor servname",
)
"""Found in the errors of Linux, Windows and macOS."""
_TLS: Final = "[SSL"
"""Found in the errors of TLS, also of certificates."""
_GATEWAY: Final = frozenset({502, 503, 504})
"""The statuses that proxies answer for a server that is absent."""

IDEMPOTENT: Final = Retry(statuses=_GATEWAY | {500}, dropped=True)
UPLOAD: Final = Retry(statuses=_GATEWAY, dropped=True)
NON_IDEMPOTENT: Final = Retry()


def _is_refused(error: BaseException | None) -> bool:
    """Return whether a machine answers without a server; unknown names and bad certificates stay so."""
    while error is not None:
        if isinstance(error, ConnectionError):
            return True
        error = error.__cause__ or error.__context__
    return False


def is_unknown_host(error: Exception) -> bool:
    """Return whether a host name cannot be looked up."""
    return any(cause in str(error) for cause in _UNKNOWN_HOST)


def is_tls(error: Exception) -> bool:
    """Return whether a secure connection, or its certificate, has failed."""
    return _TLS in str(error)
