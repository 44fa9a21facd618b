"""Ollama's HTTP API: a method for each call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from modelfile.immutable import replace
from modelfile.stores.network.retry import NON_IDEMPOTENT, UPLOAD, OnRetry, Retry, ignore_retry
from modelfile.stores.ollama.transport import Transport
from modelfile.stores.ollama.wire import (
    InfoWire,
    ProgressWire,
    ShowWire,
    TagWire,
    VersionWire,
    copy_request,
    model_request,
    parse_tags,
    pull_request,
)

_Answer = TypeVar("_Answer")

_SUCCESS: Final = "success"
_MOST_STATUSES: Final = 10_000
"""Different statuses in a stream; Ollama has one for each layer and a dozen more."""
_MOST_COUNTED: Final = 3
"""How often each byte may be counted."""
_COMPARED: Final = 200
"""Characters of a status that are compared."""


class Client:
    """An Ollama server; close it, or use it in a `with`. Several threads may use it at once."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._transport.close()

    def interrupt(self) -> None:
        """End all requests that are under way in other threads."""
        self._transport.interrupt()

    def clean(self, text: str) -> str:
        """Return a text of the server, to be shown, without secrets and control characters."""
        return self._transport.failures.clean(text)

    @property
    def url(self) -> str:
        """The server's URL."""
        return self._transport.url

    def version(self) -> str:
        """Return the server's version."""
        return self._parse(VersionWire.parse, self._transport.ask("GET", "/api/version").body).version

    def tags(self) -> tuple[TagWire, ...]:
        """Return the models that the server has."""
        return self._parse(parse_tags, self._transport.ask("GET", "/api/tags").body)

    def show(self, name: str) -> ShowWire:
        """Return the contents of a model.

        Raises:
            NotFound: The server has no such model.
        """
        return self._parse(ShowWire.parse, self._transport.ask("POST", "/api/show", model_request(name)).body)

    def info(self, name: str, *, verbose: bool = False) -> InfoWire:
        """Return what the server says of the weights of a model; with `verbose` also their arrays, which are large.

        Raises:
            NotFound: The server has no such model.
        """
        request = model_request(name) | ({"verbose": True} if verbose else {})
        return self._parse(InfoWire.parse, self._transport.ask("POST", "/api/show", request).body)

    def has_blob(self, digest: str) -> bool:
        """Return whether the server has the bytes of a digest (`sha256:…`)."""
        return self._transport.exists(_blob(digest))

    def warm_up(self) -> None:
        """Prepare for a request that changes models, while other work is done."""
        self._transport.warm_up()

    def push_blob(
        self, digest: str, path: Path, on_sent: Callable[[int], None], on_retry: OnRetry = ignore_retry
    ) -> None:
        """Send a file; see Transport.upload.

        Args:
            digest: `sha256:…`; the server checks it.
            path: The file.
            on_sent: Called with the size of every chunk, and, negative, with what has to be sent again.
            on_retry: Called before each retry.

        Raises:
            InputError: The file cannot be read, or is not, or is no longer, what the digest says.
        """
        self._transport.upload(_blob(digest), path, on_sent, on_retry)

    def create(self, name: str, request: Mapping[str, Any]) -> Iterator[ProgressWire]:
        """Make a model; done when the iterator is. Never retried: nobody knows how far it got."""
        return self._stream("/api/create", {**model_request(name), **request}, NON_IDEMPOTENT)

    def pull(self, name: str, on_retry: OnRetry = ignore_retry, *, insecure: bool = False) -> Iterator[ProgressWire]:
        """Fetch a model from its registry; done when the iterator is. A retry goes on where the server was."""
        return self._stream("/api/pull", pull_request(name, insecure=insecure), UPLOAD, on_retry)

    def push(self, name: str, *, insecure: bool = False) -> Iterator[ProgressWire]:
        """Push a model to its registry; done when the iterator is. A retry skips what the registry has."""
        return self._stream("/api/push", pull_request(name, insecure=insecure), UPLOAD)

    def copy(self, source: str, destination: str) -> None:
        """Give a model another name; costs no disk."""
        self._transport.ask("POST", "/api/copy", copy_request(source, destination))

    def delete(self, name: str) -> None:
        """Remove a name, and the layers that no other name needs."""
        self._transport.ask("DELETE", "/api/delete", model_request(name), retry=NON_IDEMPOTENT, slow=True)

    def _stream(
        self, path: str, request: Mapping[str, Any], retry: Retry, on_retry: OnRetry = ignore_retry
    ) -> Iterator[ProgressWire]:
        failures, deadline = self._transport.failures, self._transport.idle_deadline()
        last, seen, before = "", _Seen(), b""
        for line in self._transport.stream(path, request, deadline, retry=retry, on_retry=on_retry):
            if not line.strip() or line == before:
                continue
            before = line
            progress = self._parse(ProgressWire.parse, line, checked=False)
            if progress.error is not None:
                raise failures.refused(progress.error)
            last = progress.status
            if seen.is_new(progress):
                deadline.extend()
            if len(seen) > _MOST_STATUSES:
                raise failures.not_ollama()
            yield replace(progress, status=failures.clean(last))
        if last != _SUCCESS:
            raise failures.ended_early(last)

    def _parse(self, parse: Callable[[bytes], _Answer], body: bytes, *, checked: bool = True) -> _Answer:
        """Parse an answer; unless it is a message, which is cleaned, check that it does not repeat the key."""
        if checked:
            self._transport.failures.check_answer(body)
        try:
            return parse(body)
        except ValueError as error:
            raise self._transport.failures.not_ollama() from error


class _Seen:
    """The lines of a stream so far, to recognize those that show progress.

    A count may go back, as when a part of a download starts again; but then bytes are counted twice, and a stream in
    which they are counted over and over shows no progress.
    """

    def __init__(self) -> None:
        self._counts: dict[str, tuple[int, int]] = {}
        """The bytes completed of each status, and all that were counted up to them."""

    def __len__(self) -> int:
        return len(self._counts)

    def is_new(self, progress: ProgressWire) -> bool:
        """Return whether a line has a new status, or counts bytes that were not counted before."""
        status = progress.status[:_COMPARED]
        completed = min(progress.completed, progress.total)
        before, counted = self._counts.get(status, (None, 0))
        more = max(completed - (before or 0), 0)
        self._counts[status] = (completed, counted + more)
        return before is None or 0 < more <= _MOST_COUNTED * progress.total - counted


def _blob(digest: str) -> str:
    return f"/api/blobs/{digest}"
