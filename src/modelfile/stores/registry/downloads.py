"""Downloads of ranges of a layer: resumed where they stopped, and never more than was asked for.

Every try begins at the registry's own address, so that a signed address that has expired is renewed. A server that
stalls is left after half a minute, as Ollama does (server/download.go, 0.9.3).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

import httpx

from modelfile.errors import RangeIgnored
from modelfile.immutable import replace
from modelfile.manifest import Layer
from modelfile.stores.network.deadline import Deadline, expired_in
from modelfile.stores.registry.exchange import RETRY, Answer, Exchange, Question, Response, stated_length
from modelfile.stores.registry.refusals import Refusals

STALLED: Final = 30.0
"""Seconds without a byte after which a connection is given up, and another is made."""
_PROGRESS: Final = 65_536
"""Bytes that a try must bring to count as progress, after which as many tries follow as at first."""
_PARTIAL: Final = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)")
_EXPIRED: Final = frozenset({400, 401, 403, 404, 410})
"""Statuses of another host for a signed address that is no longer valid."""


class Download:
    """The download of one range of a layer."""

    def __init__(self, exchange: Exchange, question: Question, layer: Layer, on_chunk: Callable[[bytes], None]) -> None:
        """Ask nothing yet.

        Args:
            exchange: The connections.
            question: The question for the layer, without a range.
            layer: The layer.
            on_chunk: Called with each piece, in order.
        """
        self._exchange = exchange
        self._question = question
        self._layer = layer
        self._on_chunk = on_chunk
        self._refusals = Refusals(question.what, question.host, task=question.task)
        self._position = 0
        self._end = 0

    def run(self, start: int, end: int) -> None:
        """Receive the bytes [start, end).

        Raises:
            RegistryUnreachable: The registry cannot be reached, fails, or brings nothing within the limit of time.
            RegistryRefused: It denies access, does not have the layer, or gets too many requests.
            InvalidRegistryAnswer: It sends another range, or bytes without end.
        """
        self._position, self._end = start, end
        deadline = self._exchange.deadline(self._exchange.timeouts.idle, idle=True)
        waits: Iterator[float] | None = None
        mark = start
        with self._refusals.translated():
            while self._position < end:
                failure: Exception
                try:
                    answer = self._receive(deadline)
                except httpx.HTTPError as error:
                    self._check(error, deadline)
                    failure, seconds = error, 0.0
                else:
                    if answer is None:
                        continue  # complete, or cut after some bytes
                    failure, seconds = self._rejected(answer), answer.retry_after or 0.0
                if waits is None or self._position - mark >= _PROGRESS:
                    waits, mark = self._exchange.waits(self._question), self._position
                wait = next(waits, None)
                if wait is None or not self._exchange.wait(max(wait, seconds), deadline, self._question.host):
                    raise failure

    def _receive(self, whole: Deadline) -> Answer | None:
        """Receive bytes until the end of the range; return an answer that has none of them."""
        stall = min(STALLED, self._exchange.timeouts.idle)
        deadline = whole.within(stall)
        question = self._question
        if (self._position, self._end) != (0, self._layer.size):
            question = replace(question, headers={"Range": f"bytes={self._position}-{self._end - 1}"})
        with self._exchange.open(question, deadline, self._refusals) as reply:
            if reply.status not in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
                answer = reply.read()
                if answer.status in RETRY.statuses or (not answer.own and answer.status in _EXPIRED):
                    return answer
                raise self._rejected(answer)
            self._check_head(reply)
            for piece in self._pieces(reply):
                self._position += len(piece)
                self._on_chunk(piece)
                whole.extend()
                deadline.extend()
        if self._position < self._end:
            raise httpx.RemoteProtocolError("it ended too early")
        return None

    def _pieces(self, reply: Response) -> Iterator[bytes]:
        """Yield the pieces of a body up to the end of the range."""
        is_exact = reply.status == httpx.codes.PARTIAL_CONTENT or self._end == self._layer.size
        for piece in reply.response.iter_raw():
            left = self._end - self._position
            if len(piece) > left:
                if is_exact:
                    raise self._refusals.invalid(f"sends more than the {self._end:,} bytes that were asked for")
                if left:
                    yield piece[:left]
                return
            if piece:
                yield piece

    def _check_head(self, reply: Response) -> None:
        """Raise an error if an answer is not the range that was asked for."""
        headers, size = reply.response.headers, self._layer.size
        if headers.get("Content-Encoding", "identity") != "identity":
            raise self._refusals.invalid("sends a compressed answer")
        stated = stated_length(headers)
        if reply.status == httpx.codes.OK:
            if stated not in (None, size):
                raise self._refusals.invalid(f"sends {stated:,} bytes instead of {size:,}")
            if self._position:
                error = self._refusals.invalid("ignores ranges of bytes")
                raise RangeIgnored(error.message, hint=error.hint)
            return
        found = _PARTIAL.fullmatch(headers.get("Content-Range", "").strip())
        if not found or int(found[1]) != self._position or int(found[2]) != self._end - 1:
            raise self._refusals.invalid("sends another range of bytes than was asked for")
        if found[3] not in ("*", str(size)):
            raise self._refusals.invalid(f"has {int(found[3]):,} bytes for it instead of {size:,}")
        if stated not in (None, self._end - self._position):
            raise self._refusals.invalid("sends a range of another size than it says")

    def _check(self, error: httpx.HTTPError, whole: Deadline) -> None:
        """Raise a failure that does not pass; a stalled connection does while the whole has time left."""
        whole.remaining()
        if not RETRY.after(error) and expired_in(error) is None:
            raise error

    def _rejected(self, answer: Answer) -> Exception:
        return self._refusals.of_status(answer.status, answer.body, self._refusals.hint, answer.retry_after)
