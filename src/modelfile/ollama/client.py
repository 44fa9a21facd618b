"""One Ollama server over HTTP: a method for each call, and the one place where httpx's errors become ours."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final, Self, TypeVar
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, ValidationError

from modelfile.errors import NotFound, ServerError, Unreachable
from modelfile.ollama.api import Progress, Show, Tag, Tags, Version

_Answer = TypeVar("_Answer", bound=BaseModel)

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_CHUNK: Final = 1 << 20
_TIMEOUT: Final = httpx.Timeout(connect=10, read=600, write=600, pool=10)
"""In seconds, and of silence, not of length: a server that checks 40 GB of weights says nothing for minutes."""
_ANOTHER: Final = "is --host or OLLAMA_HOST another program's address?"
_SUCCESS: Final = "success"


class Client:
    """A connection to an Ollama server; close it, or use it in a `with`."""

    def __init__(self, url: str) -> None:
        self.url = url
        # Go never sends loopback through a proxy; httpx would.
        remote = urlsplit(url).hostname not in _LOOPBACK
        with self._translated():
            self._http = httpx.Client(base_url=url, timeout=_TIMEOUT, trust_env=remote)

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
            response = self._http.head(f"/api/blobs/{digest}")
        if response.status_code == httpx.codes.NOT_FOUND:
            return False
        self._refuse_errors(response)
        return True

    def push_blob(self, digest: str, path: Path, on_sent: Callable[[int], None]) -> None:
        """Send a file, never whole in memory; `on_sent` hears of every chunk's size. The server checks the digest."""
        with path.open("rb") as file, self._translated():
            response = self._http.post(
                f"/api/blobs/{digest}",
                content=_chunks(file, on_sent),
                headers={"Content-Length": str(path.stat().st_size), "Content-Type": "application/octet-stream"},
            )
        self._refuse_errors(response)

    def create(self, name: str, request: Mapping[str, Any]) -> Iterator[Progress]:
        """Make a model; done when the iterator is."""
        return self._stream("/api/create", {"model": name, **request})

    def pull(self, name: str) -> Iterator[Progress]:
        """Fetch a model from its registry; done when the iterator is."""
        return self._stream("/api/pull", {"model": name})

    def copy(self, source: str, destination: str) -> None:
        """Give a model another name; costs no disk."""
        with self._translated():
            response = self._http.post("/api/copy", json={"source": source, "destination": destination})
        self._refuse_errors(response)

    def delete(self, name: str) -> None:
        """Remove a name, and the layers that no other name needs."""
        with self._translated():
            response = self._http.request("DELETE", "/api/delete", json={"model": name})
        self._refuse_errors(response)

    def _call(self, answer: type[_Answer], method: str, path: str, *, json: object = None) -> _Answer:
        with self._translated():
            response = self._http.request(method, path, json=json)
        self._refuse_errors(response)
        return self._read(answer, response.content)

    def _stream(self, path: str, body: dict[str, Any]) -> Iterator[Progress]:
        last = ""
        with self._translated(), self._http.stream("POST", path, json=body) as response:
            if response.is_error:
                response.read()
                self._refuse_errors(response)
            for line in response.iter_lines():
                if not line.strip():
                    continue
                progress = self._read(Progress, line)
                if progress.error is not None:
                    raise ServerError(f"{self.url} refused: {progress.error}")
                last = str(progress.status)
                yield progress
        if last != _SUCCESS:
            raise ServerError(
                f"{self.url} ended its answer before it was done" + (f" (its last word: {last})" if last else ""),
                hint="nothing is known to have been made; look at the server's log, then run the command again",
            )

    def _read(self, answer: type[_Answer], content: bytes | str) -> _Answer:
        try:
            return answer.model_validate_json(content)
        except ValidationError as error:
            raise ServerError(f"{self.url} does not answer as Ollama does", hint=_ANOTHER) from error

    def _refuse_errors(self, response: httpx.Response) -> None:
        if response.is_success:
            return
        try:
            said = Progress.model_validate_json(response.content).error or ""
        except ValidationError:
            said = ""
        if response.status_code == httpx.codes.NOT_FOUND:
            if not said:
                raise ServerError(f"{self.url} does not answer as Ollama does: {_status(response)}", hint=_ANOTHER)
            raise NotFound(f"{self.url} refused: {said}")
        raise ServerError(f"{self.url} refused: {said or _status(response)}")

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise Unreachable(
                f"no Ollama server answers at {self.url}",
                hint="start one with `ollama serve`, or name another with --host or OLLAMA_HOST",
            ) from error
        except httpx.TimeoutException as error:
            raise Unreachable(
                f"{self.url} has stopped answering", hint="look at the server's log, then try again"
            ) from error
        except (UnicodeError, ImportError, OSError) as error:
            hint = "look at --host or OLLAMA_HOST, and at the proxies and certificates of the environment"
            raise Unreachable(f"{self.url} cannot be dialled: {error}", hint=hint) from error
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise Unreachable(
                f"the connection to {self.url} broke: {error}",
                hint="look at the server's log, then run the command again",
            ) from error


def _status(response: httpx.Response) -> str:
    return f"HTTP {response.status_code} {response.reason_phrase}".rstrip()


def _chunks(file: IO[bytes], on_sent: Callable[[int], None]) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk
        on_sent(len(chunk))
