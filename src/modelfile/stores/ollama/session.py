"""The full HTTP session, over httpx: uploads, streams, retries, other hosts, TLS, proxies, and a key."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final, cast

import httpx

from modelfile.addresses import ServerAddress
from modelfile.errors import InputError, ServerError, cannot_read
from modelfile.filesystem import open_regular
from modelfile.stores.network.connections import BoundedClient, limits
from modelfile.stores.network.deadline import Deadline, Timeouts
from modelfile.stores.network.retry import UPLOAD, Backoff, OnRetry, Retry, ignore_retry
from modelfile.stores.ollama.connection import LARGEST_ANSWER
from modelfile.stores.ollama.failures import Failures
from modelfile.stores.ollama.transport import Reply

_CHUNK: Final = 1 << 20
_MISMATCH: Final = "digest mismatch"
_TOO_LONG: Final = f"an answer has more than {LARGEST_ANSWER >> 20} MiB"


class Session:
    """Connections to one server, to be used by any number of threads."""

    def __init__(self, address: ServerAddress, failures: Failures, backoff: Backoff, timeouts: Timeouts) -> None:
        """Connect to nothing yet.

        Args:
            address: The server.
            failures: Its errors, and its key.
            backoff: How to retry.
            timeouts: How long to wait for it.

        Raises:
            ServerUnreachable: The address, or what the environment says of proxies and certificates, is invalid.
        """
        self._url = str(address)
        self._failures = failures
        self._backoff = backoff
        self._timeouts = timeouts
        with failures.translated():
            try:
                self._http = BoundedClient(
                    headers={"Accept-Encoding": "identity"}  # what unpacks to gigabytes is not asked for
                    | ({"Authorization": f"Bearer {failures.key}"} if failures.sends_key else {}),
                    event_hooks={"response": [self._on_response]},
                    trust_env=not address.is_loopback,  # Go never sends loopback through a proxy; httpx would
                    # reading the certificates costs 15 ms, and there is nothing to verify on the way to oneself
                    verify=False if address.scheme == "http" and address.is_loopback else httpx.create_ssl_context(),
                )
            except ValueError as error:
                raise httpx.InvalidURL(str(error)) from error  # a proxy's

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        deadline: Deadline,
        *,
        retry: Retry,
        missing_ok: bool,
    ) -> Reply:
        """Send a small request and return its whole answer; see Transport.ask."""
        with self._failures.translated():
            on_failure = self._retries(retry, deadline)
            while True:
                try:
                    with self._send(method, path, deadline, json=body) as response:
                        self._read_whole(response)
                    if not (missing_ok and response.status_code == httpx.codes.NOT_FOUND):
                        response.raise_for_status()
                except httpx.HTTPError as error:
                    on_failure(error)
                else:
                    return Reply(status=response.status_code, body=response.content)

    def stream(
        self, path: str, body: Mapping[str, Any], deadline: Deadline, *, retry: Retry, on_retry: OnRetry
    ) -> Iterator[bytes]:
        """Send a request and yield the lines of its answer; see Transport.stream."""
        with self._failures.translated():
            on_failure = self._retries(retry, deadline, on_retry)
            while True:
                try:
                    with self._send("POST", path, deadline, json=body) as response:
                        if not response.is_success:
                            self._read_whole(response)
                        response.raise_for_status()
                        yield from self._lines(response)
                except httpx.HTTPError as error:
                    on_failure(error)
                else:
                    return

    def upload(
        self, path: str, file: Path, deadline: Deadline, on_sent: Callable[[int], None], on_retry: OnRetry
    ) -> None:
        """Send a file; see Transport.upload."""
        sent = 0

        def count(length: int) -> None:
            nonlocal sent
            sent += length
            on_sent(length)

        with self._failures.translated(f"{file.name} was being sent"):
            on_failure = self._retries(UPLOAD, deadline, on_retry)
            again = False
            while True:
                deadline.extend(self._timeouts.idle)
                try:
                    if not (again and self._has(path, deadline)):
                        self._post_file(path, file, count, deadline)
                except httpx.HTTPError as error:
                    if sent:
                        count(-sent)
                    on_failure(error)
                    again = True
                else:
                    return

    def _has(self, path: str, deadline: Deadline) -> bool:
        """Return whether the server has a file, for example from a request of which the answer was lost."""
        with self._send("HEAD", path, deadline) as response:
            return response.status_code == httpx.codes.OK

    def _send(
        self, method: str, path: str, deadline: Deadline, **content: Any
    ) -> contextlib.AbstractContextManager[httpx.Response]:
        extensions = limits(deadline, self._timeouts.connect)
        return self._http.stream(method, self._url + path, extensions=extensions, **content)

    def _on_response(self, response: httpx.Response) -> None:
        self._failures.answered = True
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise self._failures.not_ollama()

    def _retries(
        self, retry: Retry, deadline: Deadline, on_retry: OnRetry = ignore_retry
    ) -> Callable[[httpx.HTTPError], None]:
        """Return what to call after a failure: it waits, or raises the failure if a retry is of no use."""
        answered = self._failures.answered
        attempts = self._backoff.attempts(answered=answered)
        waits = enumerate(self._backoff.waits(answered=answered), start=2)

        def on_failure(error: httpx.HTTPError) -> None:
            attempt, wait = next(waits, (0, None)) if retry.after(error) else (0, None)
            if wait is None or wait >= deadline.remaining():
                raise error
            on_retry(attempt, attempts)
            self._backoff.pause(wait)

        return on_failure

    def _post_file(self, path: str, file: Path, on_sent: Callable[[int], None], deadline: Deadline) -> None:
        with open_regular(file) as stream:
            state = os.fstat(stream.fileno())
            headers = {"Content-Length": str(state.st_size), "Content-Type": "application/octet-stream"}

            def content() -> Iterator[bytes]:
                yield from _chunks(file, stream, state, on_sent)
                deadline.extend(self._timeouts.work)  # the server checks what it has received

            with self._send("POST", path, deadline, content=content(), headers=headers) as response:
                self._read_whole(response)
        if response.status_code == httpx.codes.BAD_REQUEST and _MISMATCH in response.text:
            raise _changed(file)
        response.raise_for_status()

    def _read_whole(self, response: httpx.Response) -> None:
        stream = cast("httpx.SyncByteStream", response.stream)  # as of every synchronous client
        response.stream = _Bounded(stream, self._failures.not_ollama(_TOO_LONG))
        response.read()

    def _lines(self, response: httpx.Response) -> Iterator[bytes]:
        line = bytearray()
        for piece in response.iter_bytes():
            *ends, rest = piece.split(b"\n")
            for end in ends:
                yield bytes(line + end)
                line.clear()
            line += rest
            if len(line) > LARGEST_ANSWER:
                raise self._failures.not_ollama(_TOO_LONG)
        yield bytes(line)


class _Bounded(httpx.SyncByteStream):
    """An answer that ends in an error if it does not end."""

    def __init__(self, stream: httpx.SyncByteStream, error: ServerError) -> None:
        self._stream = stream
        self._error = error

    def __iter__(self) -> Iterator[bytes]:
        length = 0
        for piece in self._stream:
            length += len(piece)
            if length > LARGEST_ANSWER:
                raise self._error
            yield piece

    def close(self) -> None:
        self._stream.close()


def _chunks(file: Path, stream: IO[bytes], state: os.stat_result, on_sent: Callable[[int], None]) -> Iterator[bytes]:
    """Yield a file's bytes, each chunk once it is certain that the file has not changed since it was opened."""
    left = state.st_size
    while left:
        with _readable(file):
            chunk = stream.read(min(_CHUNK, left))
            now = os.fstat(stream.fileno())
        if not chunk or (now.st_size, now.st_mtime_ns) != (state.st_size, state.st_mtime_ns):
            raise _changed(file)
        yield chunk
        left -= len(chunk)
        on_sent(len(chunk))


@contextlib.contextmanager
def _readable(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise cannot_read(file, error) from error


def _changed(file: Path) -> InputError:
    return InputError(f"`{file}` has changed since its digest was computed", hint="run the command again")
