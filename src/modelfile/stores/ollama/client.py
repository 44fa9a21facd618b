"""One Ollama server over HTTP: a method for each call, and the one place where httpx's errors become ours."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final, Self, TypeVar, cast
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, ValidationError

from modelfile.errors import DiskFull, InputError, NotFound, ServerError, ServerUnreachable, UsageError
from modelfile.stores.ollama.retry import IDEMPOTENT, NON_IDEMPOTENT, UPLOAD, Backoff, Repeat
from modelfile.stores.ollama.transport import MOST, is_loopback
from modelfile.stores.ollama.wire import Progress, Show, Tag, Tags, Version

_Answer = TypeVar("_Answer", bound=BaseModel)

BACKOFF: Final = Backoff()
_CHUNK: Final = 1 << 20
_QUICK: Final = httpx.Timeout(connect=10, read=30, write=30, pool=10)
"""In seconds, and of silence, not of length."""
_PATIENT: Final = httpx.Timeout(connect=10, read=600, write=600, pool=10)
"""The same: a server that checks 40 GB of weights, or removes them, says nothing for minutes."""
_NOT_ABSENT: Final = ("[SSL", "Name or service not known", "nodename nor servname", "getaddrinfo failed")
"""What is said where it is not the server that is missing: certificates, TLS, and names nobody knows."""
_ANOTHER: Final = "is --host or OLLAMA_HOST another program's address?"
_SUCCESS: Final = "success"
_FULL: Final = "no space left on device"
_MISMATCH: Final = "digest mismatch"


class Client:
    """A connection to an Ollama server; close it, or use it in a `with`. Several threads may use it at once."""

    def __init__(self, url: str, *, key: str = "", patience: Backoff | None = None, known: bool = False) -> None:
        """Dial nothing yet.

        Args:
            url: As `server_url` gives it.
            key: What a gate before the server wants to see. It is told over https and to this machine only: a key for
                ollama.com is in many an environment, and not meant to be read on the way to a server in the next room.
            patience: How to try again.
            known: Whether it has been seen that a server is there.

        Raises:
            UsageError: The key is none.
            Unreachable: The URL, or what the environment says of proxies and certificates, is not right.
        """
        self.url = url
        self._patience = patience or BACKOFF
        self._answered = known
        self._key = key.strip()
        if not (self._key.isascii() and self._key.isprintable()):
            raise UsageError("OLLAMA_API_KEY has characters in it that no key has", hint="was it copied whole?")
        at = urlsplit(url)
        # Go never sends loopback through a proxy; httpx would.
        loopback = is_loopback(at.hostname or "")
        plain = at.scheme == "http"
        self._withheld = bool(self._key) and plain and not loopback
        bears_key = self._key and not self._withheld
        with self._translated():
            try:
                self._http = httpx.Client(
                    base_url=url,
                    headers={"Accept-Encoding": "identity"}  # what unpacks to gigabytes is not asked for
                    | ({"Authorization": f"Bearer {self._key}"} if bears_key else {}),
                    event_hooks={"response": [self._hear]},
                    timeout=_QUICK,
                    trust_env=not loopback,
                    # reading the certificates costs 15 ms, and there is nothing to verify on the way to oneself
                    verify=False if plain and loopback else httpx.create_ssl_context(),
                )
            except ValueError as error:
                raise httpx.InvalidURL(str(error)) from error  # a proxy's

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def version(self) -> str:
        """The server's version."""
        return self._call(Version, "GET", "/api/version").version

    def tags(self) -> list[Tag]:
        """The models the server has."""
        return self._call(Tags, "GET", "/api/tags").models or []

    def show(self, name: str) -> Show:
        """What a model holds.

        Raises:
            NotFound: The server has no such model.
        """
        return self._call(Show, "POST", "/api/show", json={"model": name})

    def has_blob(self, digest: str) -> bool:
        """Whether the server has these bytes (`sha256:…`)."""
        with self._translated():
            response = self._send("HEAD", f"/api/blobs/{digest}", missing_is_fine=True)
        return response.is_success

    def push_blob(self, digest: str, path: Path, on_sent: Callable[[int], None]) -> None:
        """Send a file, never whole in memory.

        The server takes it whole or not at all: after a failure it is sent again, unless another has sent it meanwhile.

        Args:
            digest: `sha256:…`; the server checks it.
            path: The file.
            on_sent: Hears of every chunk's size, and, negative, of what has to be sent again.

        Raises:
            InputError: The file cannot be read, or is not, or is no longer, what the digest says.
        """
        sent = 0

        def count(length: int) -> None:
            nonlocal sent
            sent += length
            on_sent(length)

        with self._translated():
            again = self._tries(UPLOAD)
            while True:
                try:
                    self._post_file(digest, path, count)
                except httpx.HTTPError as error:
                    again(error)
                else:
                    return
                count(-sent)
                if self.has_blob(digest):
                    return

    def create(self, name: str, request: Mapping[str, Any]) -> Iterator[Progress]:
        """Make a model; done when the iterator is. Never tried again: nobody knows how far it got."""
        with self._translated():
            yield from self._stream("/api/create", {"model": name, **request})

    def pull(self, name: str) -> Iterator[Progress]:
        """Fetch a model from its registry; done when the iterator is. The server goes on where it was."""
        with self._translated():
            again = self._tries(UPLOAD)
            while True:
                try:
                    yield from self._stream("/api/pull", {"model": name})
                except httpx.HTTPError as error:
                    again(error)
                else:
                    return

    def copy(self, source: str, destination: str) -> None:
        """Give a model another name; costs no disk."""
        with self._translated():
            self._send("POST", "/api/copy", json={"source": source, "destination": destination})

    def delete(self, name: str) -> None:
        """Remove a name, and the layers that no other name needs."""
        with self._translated():
            self._send("DELETE", "/api/delete", json={"model": name}, repeat=NON_IDEMPOTENT, patient=True)

    def _call(self, answer: type[_Answer], method: str, path: str, *, json: object = None) -> _Answer:
        with self._translated():
            response = self._send(method, path, json=json)
        return self._read(answer, response.content)

    def _send(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        repeat: Repeat = IDEMPOTENT,
        patient: bool = False,
        missing_is_fine: bool = False,
    ) -> httpx.Response:
        again = self._tries(repeat)
        timeout = _PATIENT if patient else self._http.timeout
        while True:
            try:
                with self._http.stream(method, path, json=json, timeout=timeout) as response:
                    self._read_whole(response)
                if not (missing_is_fine and response.status_code == httpx.codes.NOT_FOUND):
                    response.raise_for_status()
            except httpx.HTTPError as error:
                again(error)
            else:
                return response

    def _hear(self, response: httpx.Response) -> None:
        self._answered = True
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise self._not_ollama()

    def _tries(self, repeat: Repeat) -> Callable[[httpx.HTTPError], None]:
        """What to call after every failure: it waits, or raises it if it is of no use to try again."""
        waits = self._patience.waits(known=self._answered)

        def again(error: httpx.HTTPError) -> None:
            wait = next(waits, None) if repeat.after(error) else None
            if wait is None:
                raise error
            self._patience.pause(wait)

        return again

    def _post_file(self, digest: str, path: Path, on_sent: Callable[[int], None]) -> None:
        with _readable(path), path.open("rb", buffering=0) as file:
            state = os.fstat(file.fileno())
            headers = {"Content-Length": str(state.st_size), "Content-Type": "application/octet-stream"}
            content = _chunks(path, file, state, on_sent)
            with self._http.stream(
                "POST", f"/api/blobs/{digest}", content=content, headers=headers, timeout=_PATIENT
            ) as response:
                self._read_whole(response)
        if response.status_code == httpx.codes.BAD_REQUEST and _MISMATCH in response.text:
            raise _changed(path)
        response.raise_for_status()

    def _stream(self, path: str, body: dict[str, Any]) -> Iterator[Progress]:
        last = ""
        with self._http.stream("POST", path, json=body, timeout=_PATIENT) as response:
            if not response.is_success:
                self._read_whole(response)
            response.raise_for_status()
            for line in self._lines(response):
                if not line.strip():
                    continue
                progress = self._read(Progress, line)
                if progress.error is not None:
                    raise self._refused(self._without_key(progress.error))
                last = str(progress.status)
                yield progress
        if last != _SUCCESS:
            raise ServerError(
                f"{self.url} ended its answer before it was done" + (f" (its last word: {last})" if last else ""),
                hint="nothing is known to have been made; look at the server's log, then run the command again",
            )

    def _read_whole(self, response: httpx.Response) -> None:
        stream = cast("httpx.SyncByteStream", response.stream)  # as of every synchronous client
        response.stream = _Bounded(stream, self._not_ollama())
        response.read()

    def _lines(self, response: httpx.Response) -> Iterator[bytes]:
        line = bytearray()
        for piece in response.iter_bytes():
            *ends, rest = piece.split(b"\n")
            for end in ends:
                yield bytes(line + end)
                line.clear()
            line += rest
            if len(line) > MOST:
                raise self._not_ollama()
        yield bytes(line)

    def _not_ollama(self) -> ServerError:
        return ServerError(f"{self.url} does not answer as Ollama does", hint=_ANOTHER)

    def _read(self, answer: type[_Answer], content: bytes | str) -> _Answer:
        try:
            return answer.model_validate_json(content)
        except ValidationError as error:
            raise self._not_ollama() from error

    def _refused(self, said: str) -> ServerError:
        if _FULL in said:
            room = "make room on the server's disk, as with `mf rm`, then run the command again"
            return DiskFull(f"{self.url} refused: {said}", hint=room)
        return ServerError(f"{self.url} refused: {said}", hint="its log may say more")

    def _refusal(self, response: httpx.Response) -> ServerError:
        try:
            said = self._without_key(Progress.model_validate_json(response.content).error or "")
        except ValidationError:
            said = ""
        status = f"HTTP {response.status_code} {response.reason_phrase}".rstrip()
        match response.status_code:
            case httpx.codes.NOT_FOUND if said:
                return NotFound(f"{self.url} refused: {said}")
            case httpx.codes.NOT_FOUND:
                return ServerError(f"{self.url} does not answer as Ollama does: {status}", hint=_ANOTHER)
            case httpx.codes.UNAUTHORIZED | httpx.codes.FORBIDDEN:
                return ServerError(f"{self.url} refused: {said or status}", hint=self._about_key())
            case _ if response.has_redirect_location:
                return ServerError(f"{self.url} sends elsewhere: {status}", hint="give the address it sends to")
            case _ if said:
                return self._refused(said)
            case _:
                return ServerError(
                    f"{self.url} refused: {status}", hint="look at the log of the server, or of its gate"
                )

    def _about_key(self) -> str:
        if self._withheld:
            return "OLLAMA_API_KEY was not sent: over http:// it would be readable on the way; give an https:// address"
        return "it has refused what OLLAMA_API_KEY says" if self._key else "a key for it is read from OLLAMA_API_KEY"

    def _without_key(self, text: str) -> str:
        return text.replace(self._key, "[the key]") if self._key else text

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except httpx.HTTPStatusError as error:
            raise self._refusal(error.response) from error
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            if any(cause in str(error) for cause in _NOT_ABSENT):
                hint = "look at --host or OLLAMA_HOST: at the name, at http and https, and at the certificate"
                raise ServerUnreachable(f"{self.url} cannot be dialled: {error}", hint=hint) from error
            raise ServerUnreachable(
                f"no Ollama server answers at {self.url}",
                hint="start one with `ollama serve`, or name another with --host or OLLAMA_HOST",
            ) from error
        except httpx.TimeoutException as error:
            raise ServerUnreachable(
                f"{self.url} has stopped answering", hint="look at the server's log, then try again"
            ) from error
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise ServerUnreachable(
                f"the connection to {self.url} broke: {error}",
                hint="look at the server's log, then run the command again",
            ) from error
        except httpx.InvalidURL:  # its words may be a part of a password in a proxy's address
            hint = "look at HTTP_PROXY, HTTPS_PROXY and ALL_PROXY: a password needs %2F for / and %40 for @"
            raise ServerUnreachable(f"{self.url} cannot be dialled: an address is not one", hint=hint) from None
        except (UnicodeError, ImportError, OSError) as error:
            hint = "look at --host or OLLAMA_HOST, and at the proxies and certificates of the environment"
            raise ServerUnreachable(f"{self.url} cannot be dialled: {error}", hint=hint) from error


class _Bounded(httpx.SyncByteStream):
    """An answer that ends in an error if it does not end."""

    def __init__(self, stream: httpx.SyncByteStream, error: ServerError) -> None:
        self._stream = stream
        self._error = error

    def __iter__(self) -> Iterator[bytes]:
        length = 0
        for piece in self._stream:
            length += len(piece)
            if length > MOST:
                raise self._error
            yield piece

    def close(self) -> None:
        self._stream.close()


def _chunks(path: Path, file: IO[bytes], state: os.stat_result, on_sent: Callable[[int], None]) -> Iterator[bytes]:
    """A file's bytes; each is held back until it is seen that the file has not changed meanwhile."""
    left = state.st_size
    while left:
        with _readable(path):
            chunk = file.read(min(_CHUNK, left))
            now = os.fstat(file.fileno())
        if not chunk or (now.st_size, now.st_mtime_ns) != (state.st_size, state.st_mtime_ns):
            raise _changed(path)
        yield chunk
        left -= len(chunk)
        on_sent(len(chunk))


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"`{path}` cannot be read: {error.strerror or error}") from error


def _changed(path: Path) -> InputError:
    return InputError(f"`{path}` has changed since its digest was computed", hint="run the command again")
