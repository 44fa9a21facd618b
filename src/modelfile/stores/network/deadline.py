"""Deadlines of requests, and waits that keep them.

A wait for the network is made of short ones: so it ends at an absolute deadline, however slowly bytes drip in, and
Ctrl-C ends it at once, also on Windows and if the signal comes just before the wait.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Final, TypeVar

from modelfile.immutable import record

_T = TypeVar("_T")

_WAIT: Final = 0.02
"""Longest single wait, in seconds."""


@record(kw_only=True)
class Timeouts:
    """How long a server may take, in seconds."""

    first: float = 5
    """For an answer before httpx takes over."""
    connect: float = 10
    answer: float = 30
    """For a whole answer, with all retries."""
    idle: float = 300
    """Without progress: a status that is new, or a byte that is sent or counted."""

    @property
    def work(self) -> float:
        """For what it does without reporting progress: check 40 GB of weights that were sent, or remove them."""
        return 2 * self.idle


TIMEOUTS: Final = Timeouts()


class Expired(TimeoutError):
    """A deadline that has passed; the text completes "the server …"."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class Deadline:
    """The moment until which a request may take: a total, or, if `idle`, a limit without progress."""

    def __init__(self, seconds: float, *, idle: bool = False) -> None:
        self._seconds = seconds
        self._idle = idle
        self._interrupted = False
        self._whole: Deadline | None = None
        self._end = time.monotonic() + seconds

    def interrupt(self) -> None:
        """End the request now; for Ctrl-C while other threads wait."""
        self._interrupted = True

    @property
    def interrupted(self) -> bool:
        """True if the request, or the whole that it is a part of, was interrupted."""
        return self._interrupted or (self._whole is not None and self._whole.interrupted)

    def within(self, seconds: float) -> Deadline:
        """Return the deadline of a part of the request: so many seconds from now, but no later than this one."""
        part = Deadline(seconds, idle=self._idle)
        part._end = min(part._end, self._end)
        part._whole = self
        return part

    def extend(self, seconds: float | None = None) -> None:
        """Start again, after progress; from now on with another number of seconds if there is one."""
        self._seconds = self._seconds if seconds is None else seconds
        self._end = time.monotonic() + self._seconds

    def count_sent(self) -> None:
        """Note that a part of a file was sent: progress, but nothing that gives a total more time."""
        if self._idle:
            self.extend()

    def remaining(self) -> float:
        """Return the seconds that are left.

        Raises:
            Expired: There are none.
        """
        left = self._end - time.monotonic()
        if self.interrupted:
            raise Expired("was interrupted", "run the command again")
        if left > 0:
            return left
        if self._idle:
            raise Expired(f"has made no progress for {self._seconds:g} s", "--idle-timeout allows it more time")
        raise Expired(f"has not answered within {self._seconds:g} s", "--timeout allows it more time")

    def repeat(self, wait: Callable[[float], _T], timeout: type[Exception] = TimeoutError) -> _T:
        """Wait for something in short waits.

        Args:
            wait: Waits for so many seconds at most.
            timeout: Raised by it after these seconds.

        Raises:
            Expired: The deadline has passed.
        """
        while True:
            seconds = min(self.remaining(), _WAIT)
            with contextlib.suppress(timeout):
                return wait(seconds)

    def run(self, operation: Callable[[], _T], discard: Callable[[_T], object]) -> _T:
        """Run what nothing interrupts, such as the lookup of a host name, in a thread that nobody waits for too long.

        Args:
            operation: Runs in the thread.
            discard: Is given its result if it comes too late.

        Raises:
            Expired: The deadline has passed.
        """
        ended = SimpleQueue[tuple[_T, None] | tuple[None, BaseException]]()
        abandoned = Event()

        def clean_up() -> None:
            with contextlib.suppress(Empty):
                result, error = ended.get_nowait()
                if error is None:
                    discard(result)  # type: ignore[arg-type]  # a result, as there is no error

        def work() -> None:
            try:
                ended.put((operation(), None))
            except BaseException as error:  # noqa: BLE001  # raised again below
                ended.put((None, error))
            if abandoned.is_set():
                clean_up()

        Thread(target=work, daemon=True).start()
        try:
            result, error = self.repeat(lambda seconds: ended.get(timeout=seconds), Empty)
        except BaseException:
            abandoned.set()
            clean_up()
            raise
        if error is not None:
            raise error
        return result  # type: ignore[return-value]  # as above


def sleep(seconds: float) -> None:
    """Sleep in short naps, between which Ctrl-C is noticed."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, _WAIT))


def expired_in(error: BaseException | None) -> Expired | None:
    """Return the deadline that has passed, among the causes of an error."""
    while error is not None and not isinstance(error, Expired):
        error = error.__cause__ or error.__context__
    return error
