"""Uploads of layers: HEAD, mount, or parts, each part acknowledged before the next; HEAD again at the end.

The parts are those of Ollama (server/upload.go, 0.9.3), and so is the digest of them that its registry wants.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Final
from urllib.parse import urlencode

import httpx

from modelfile.errors import InputError, ServerError
from modelfile.filesystem import open_regular
from modelfile.immutable import replace
from modelfile.manifest import Layer
from modelfile.stores.registry.exchange import NEXT_UPLOAD, REDIRECTS, RETRY, Answer, Exchange, Question, stated_length
from modelfile.stores.registry.redirects import target_of
from modelfile.stores.registry.refusals import Refusals

_CHUNK: Final = 1 << 20
"""Bytes that are read at once."""
_STATED: Final = re.compile(r"(?:bytes=)?0-(\d{1,19})")


class _Lost(Exception):
    """The registry has forgotten an upload, which has to begin again."""


class Push:
    """The upload of one layer."""

    def __init__(
        self,
        exchange: Exchange,
        question: Question,
        layer: Layer,
        content: Path | bytes,
        on_sent: Callable[[int], None],
    ) -> None:
        """Ask nothing yet.

        Args:
            exchange: The connections.
            question: The question for the repository, whose URL ends in `/blobs/`.
            layer: The layer.
            content: Its bytes, or the file that has them.
            on_sent: Called with the size of each chunk, negative if it must be sent again.
        """
        self._exchange = exchange
        self._question = question
        self._layer = layer
        self._content = content
        self._on_sent = on_sent
        self._refusals = Refusals(question.what, question.host, task=question.task)
        self._deadline = exchange.deadline(exchange.timeouts.idle, idle=True)
        self._parts: list[bytes] = []
        """The MD5 of each part that the registry has, or of nothing."""
        self._sent = 0
        """Bytes counted by `on_sent`."""
        self._md5 = hashlib.md5(usedforsecurity=False)
        """Of the part that was sent last, for registries that want it."""

    def run(self, mount_from: Sequence[str]) -> None:
        """Give the registry the layer, unless it has it.

        Args:
            mount_from: Repositories of the registry that may have it.

        Raises:
            InputError: The file cannot be read, or has another size than the layer.
            RegistryUnreachable: The registry cannot be reached, or fails.
            RegistryRefused: It denies access, or rejects the layer.
            InvalidRegistryAnswer: It reports success, and does not have the layer.
        """
        with self._refusals.translated():
            if self._has():
                return
            location = self._begin(mount_from)
            if location is None:
                return
            self._send_until_there(location)
            if not self._has():
                raise self._refusals.invalid("accepted it, but does not have it", "see the registry's log")

    def _send_until_there(self, location: httpx.URL) -> None:
        """Send the layer; after a failure that passes, go on where the registry is."""
        waits, most = self._exchange.waits(self._question), 0
        while True:
            try:
                self._send(location)
            except (_Lost, httpx.HTTPError) as error:
                if isinstance(error, httpx.HTTPError) and not RETRY.after(error):
                    raise
                failure = error
            else:
                return
            if len(self._parts) > most:
                waits, most = self._exchange.waits(self._question), len(self._parts)
            if not self._exchange.wait(next(waits, None), self._deadline, self._question.host):
                if isinstance(failure, _Lost):
                    raise self._refusals.refused(f"forgets the upload ({failure})", "run the command again")
                raise failure
            if self._has():  # the answer to the end of the upload was lost
                return
            location = self._resume(location)

    def _has(self) -> bool:
        question = replace(self._question, method="HEAD", url=f"{self._question.url}{self._layer.digest}")
        return has_layer(self._exchange.get(question), self._layer, self._refusals)

    def _begin(self, mount_from: Sequence[str]) -> httpx.URL | None:
        """Return where to upload the layer; None if it was mounted from another repository."""
        for repository in mount_from:
            query = urlencode({"mount": self._layer.digest, "from": repository})
            answer = self._ask("POST", f"{self._question.url}uploads/?{query}")
            if answer.status == httpx.codes.ACCEPTED:
                return self._location(answer, httpx.URL(self._question.url))
            if answer.status == httpx.codes.CREATED and self._has():
                return None
        return self._start()

    def _start(self) -> httpx.URL:
        self._parts.clear()
        self._take_back(0)
        answer = self._ask("POST", f"{self._question.url}uploads/")
        if answer.status != httpx.codes.ACCEPTED:
            raise self._rejected(answer)
        return self._location(answer, httpx.URL(self._question.url))

    def _resume(self, location: httpx.URL) -> httpx.URL:
        """Return where to go on after a failure: at the last whole part, or else from the beginning."""
        self._take_back(self._done)
        if self._parts:
            answer = self._ask("GET", str(location))
            stated = _STATED.fullmatch(answer.headers.get("Range", ""))
            if answer.status == httpx.codes.NO_CONTENT and stated and int(stated[1]) + 1 == self._done:
                return self._location(answer, location)
        return self._start()

    @property
    def _done(self) -> int:
        """The bytes in whole parts."""
        return min(len(self._parts) * self._layer.part_size, self._layer.size)

    def _send(self, location: httpx.URL) -> None:
        """Send the rest of the layer from the first part that the registry does not have."""
        while self._done < self._layer.size:
            location = self._send_part(location, self._done)
        query = {"digest": self._layer.digest}
        if self._question.quirks.parted_uploads:
            both = hashlib.md5(b"".join(self._parts), usedforsecurity=False).hexdigest()
            query["etag"] = f"{both}-{len(self._parts)}"
        self._deadline.extend(self._exchange.timeouts.work)  # the registry checks what it has received
        answer = self._ask("PUT", str(location.copy_merge_params(query)), headers={"Content-Length": "0"})
        if answer.status == httpx.codes.NOT_FOUND:
            raise _Lost(f"HTTP {answer.status}")
        if answer.status not in (httpx.codes.CREATED, httpx.codes.NO_CONTENT, httpx.codes.ACCEPTED):
            raise self._rejected(answer, "check the model's files: `mf store check`")

    def _send_part(self, location: httpx.URL, start: int) -> httpx.URL:
        """Send a part, perhaps to where the registry redirects it, and return where the next one goes."""
        part = start, min(start + self._layer.part_size, self._layer.size)
        headers = {"Content-Range": f"{part[0]}-{part[1] - 1}"}
        headers |= {"X-Redirect-Uploads": "1"} if self._question.quirks.parted_uploads else {}
        answer, following = self._ask("PATCH", str(location), headers=headers, part=part), None
        if answer.status == httpx.codes.TEMPORARY_REDIRECT:
            following = self._target(answer.headers.get(NEXT_UPLOAD, ""), location)
            answer = self._ask("PUT", str(self._target(answer.location, location)), part=part)
        if answer.status in (httpx.codes.NOT_FOUND, httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE):
            raise _Lost(f"HTTP {answer.status}")
        if not httpx.codes.is_success(answer.status):
            raise self._rejected(answer)
        if self._sent != part[1]:
            raise _Lost("it accepts a part that it has not read")
        self._parts.append(self._md5.digest())
        return following or self._location(answer, location)

    def _ask(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, part: tuple[int, int] | None = None
    ) -> Answer:
        """Return the answer to a request; one with a part of the layer is made once.

        Raises:
            httpx.HTTPError: A part could not be sent.
        """
        question = replace(self._question, method=method, url=url, base=self._question.url, headers=headers or {})
        if part is None:
            return self._exchange.get(replace(question, deadline=self._deadline))
        length = {"Content-Type": "application/octet-stream", "Content-Length": str(part[1] - part[0])}
        question = replace(
            question, headers={**question.headers, **length}, content=lambda: self._chunks(part[0], part[1])
        )
        with self._exchange.open(question, self._deadline, self._refusals) as reply:
            answer = reply.read()
        if answer.status in RETRY.statuses:
            if not self._exchange.wait(answer.retry_after or 0.0, self._deadline, self._question.host):
                raise self._rejected(answer)
            raise httpx.RemoteProtocolError(f"HTTP {answer.status}")
        return answer

    def _chunks(self, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes of a part, which may have been sent before."""
        self._take_back(start)
        self._md5 = hashlib.md5(usedforsecurity=False)
        with self._opened() as file:
            file.seek(start)
            while self._sent < end:
                chunk = file.read(min(_CHUNK, end - self._sent))
                if not chunk:
                    raise InputError(f"`{self._content!s}` has changed", hint="run the command again")
                if self._question.quirks.parted_uploads:
                    self._md5.update(chunk)
                yield chunk
                self._sent += len(chunk)
                self._on_sent(len(chunk))
        self._deadline.extend(self._exchange.timeouts.work)  # the registry writes what it has received

    @contextlib.contextmanager
    def _opened(self) -> Iterator[IO[bytes]]:
        if isinstance(self._content, bytes):
            yield io.BytesIO(self._content)
            return
        with open_regular(self._content) as file:
            size = os.fstat(file.fileno()).st_size
            if size != self._layer.size:
                message = f"`{self._content}` has {size:,} bytes instead of {self._layer.size:,}"
                raise InputError(message, hint="`mf store check` examines the store")
            yield file

    def _take_back(self, position: int) -> None:
        """Count what was sent after a position as not sent."""
        if self._sent != position:
            self._on_sent(position - self._sent)
            self._sent = position

    def _location(self, answer: Answer, base: httpx.URL) -> httpx.URL:
        """Return the address of an upload in an answer."""
        if not answer.location:
            raise self._refusals.invalid("does not say where to upload it")
        return self._target(answer.location, base)

    def _target(self, location: str, base: httpx.URL) -> httpx.URL:
        return target_of(base, location, self._question, self._refusals)

    def _rejected(self, answer: Answer, hint: str = "") -> ServerError:
        error = self._refusals.of_status(answer.status, answer.body, self._refusals.hint, answer.retry_after)
        error.hint = hint or error.hint
        return error


def has_layer(answer: Answer, layer: Layer, refusals: Refusals) -> bool:
    """Return whether a registry that was asked by HEAD has a layer; one that redirects to another host has it.

    Raises:
        InvalidRegistryAnswer: It has another size there.
        ServerError: It rejects the request.
    """
    if answer.status == httpx.codes.NOT_FOUND:
        return False
    if answer.status in REDIRECTS:
        return True
    if answer.status != httpx.codes.OK:
        raise refusals.of_status(answer.status, answer.body, refusals.hint, answer.retry_after)
    if (size := stated_length(answer.headers)) not in (None, layer.size):
        raise refusals.invalid(f"has {size:,} bytes for it instead of {layer.size:,}")
    return True
