"""Ollama's HTTP API: a method for each call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from modelfile.stores.ollama.retry import NON_IDEMPOTENT, UPLOAD, Retry
from modelfile.stores.ollama.transport import Transport
from modelfile.stores.ollama.wire import (
    ProgressWire,
    ShowWire,
    TagWire,
    VersionWire,
    copy_request,
    model_request,
    parse_tags,
)

_Answer = TypeVar("_Answer")

_SUCCESS: Final = "success"


class Client:
    """An Ollama server; close it, or use it in a `with`. Several threads may use it at once."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._transport.close()

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

    def has_blob(self, digest: str) -> bool:
        """Return whether the server has the bytes of a digest (`sha256:…`)."""
        return self._transport.exists(_blob(digest))

    def push_blob(self, digest: str, path: Path, on_sent: Callable[[int], None]) -> None:
        """Send a file; see Transport.upload.

        Args:
            digest: `sha256:…`; the server checks it.
            path: The file.
            on_sent: Called with the size of every chunk, and, negative, with what has to be sent again.

        Raises:
            InputError: The file cannot be read, or is not, or is no longer, what the digest says.
        """
        self._transport.upload(_blob(digest), path, on_sent)

    def create(self, name: str, request: Mapping[str, Any]) -> Iterator[ProgressWire]:
        """Make a model; done when the iterator is. Never retried: nobody knows how far it got."""
        return self._stream("/api/create", {**model_request(name), **request}, NON_IDEMPOTENT)

    def pull(self, name: str) -> Iterator[ProgressWire]:
        """Fetch a model from its registry; done when the iterator is. A retry goes on where the server was."""
        return self._stream("/api/pull", model_request(name), UPLOAD)

    def copy(self, source: str, destination: str) -> None:
        """Give a model another name; costs no disk."""
        self._transport.ask("POST", "/api/copy", copy_request(source, destination))

    def delete(self, name: str) -> None:
        """Remove a name, and the layers that no other name needs."""
        self._transport.ask("DELETE", "/api/delete", model_request(name), retry=NON_IDEMPOTENT, slow=True)

    def _stream(self, path: str, request: Mapping[str, Any], retry: Retry) -> Iterator[ProgressWire]:
        last = ""
        for line in self._transport.stream(path, request, retry=retry):
            if not line.strip():
                continue
            progress = self._parse(ProgressWire.parse, line)
            if progress.error is not None:
                raise self._transport.failures.refused(progress.error)
            last = progress.status
            yield progress
        if last != _SUCCESS:
            raise self._transport.failures.ended_early(last)

    def _parse(self, parse: Callable[[bytes], _Answer], body: bytes) -> _Answer:
        try:
            return parse(body)
        except ValueError as error:
            raise self._transport.failures.not_ollama() from error


def _blob(digest: str) -> str:
    return f"/api/blobs/{digest}"
