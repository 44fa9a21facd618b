"""HTTP/1.1 for small requests to this machine.

It understands what Ollama answers: a length or chunks, uncompressed. `http.client`, which understands more, imports
`ssl` and `email`, which takes longer than the requests of a build with nothing to do.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, Final, NoReturn

from modelfile.stores.network.sockets import BoundedSocket

if TYPE_CHECKING:
    from io import BufferedReader

    from modelfile.stores.network.deadline import Deadline

LARGEST_ANSWER: Final = 16 << 20
"""In bytes; whatever answers more is not Ollama."""
_LONGEST_LINE: Final = 1 << 16
"""In bytes, of a header."""
_MOST_HEADERS: Final = 100


class NotUnderstood(ValueError):
    """An answer that only a complete HTTP client may understand, or none."""


class Connection:
    """A connection to a port of this machine, for one request at a time; it connects again after its end."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._socket: BoundedSocket | None = None
        self._reader: BufferedReader | None = None

    def close(self) -> None:
        """Close it, so that the next request opens it again."""
        for each in (self._reader, self._socket):
            if each:
                each.close()
        self._reader = self._socket = None

    def ask(self, method: str, target: str, content: bytes | None, deadline: Deadline) -> tuple[int, bytes]:
        """Send a request and return the status and the body of its answer.

        After an error, the connection has to be closed.

        Args:
            method: As in HTTP.
            target: The path, quoted.
            content: JSON; None: nothing is sent.
            deadline: For the whole answer.

        Raises:
            NotUnderstood: The answer is not one of Ollama's.
            OSError: There is no answer by the deadline.
        """
        if not target.isascii() or not target.isprintable() or " " in target:
            raise NotUnderstood(f"the path is not quoted: {target!r}")
        own = self._socket or self._connect(deadline)
        own.deadline = deadline
        host = f"[{self._host}]" if ":" in self._host else self._host
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}:{self._port}", "Accept-Encoding: identity"]
        if content is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
        own.sendall("\r\n".join([*lines, "", ""]).encode() + (content or b""))
        reader = self._reader = self._reader or own.makefile("rb")
        version, status, *_ = *_line(reader).split(maxsplit=2), b"", b""
        if version != b"HTTP/1.1" or not status.isdigit() or status.startswith(b"1"):
            _fail("an unusual status")
        headers = _headers(reader)
        body = b"" if method == "HEAD" else _body(reader, headers)
        if headers.get(b"connection", b"").lower() == b"close":
            self.close()
        return int(status), body

    def _connect(self, deadline: Deadline) -> BoundedSocket:
        host: Any = self._host.encode("ascii")  # bytes are looked up without the codec of domain names
        address = host, self._port
        connected = deadline.run(lambda: socket.create_connection(address, deadline.remaining()), socket.socket.close)
        self._socket = BoundedSocket.over(connected, deadline)
        return self._socket


def _fail(what: str) -> NoReturn:
    raise NotUnderstood(f"the answer has {what}")


def _line(reader: BufferedReader) -> bytes:
    """Return the next line without its end."""
    line = reader.readline(_LONGEST_LINE)
    return line.rstrip(b"\r\n") if line.endswith(b"\n") else _fail("no end, or a long line")


def _headers(reader: BufferedReader) -> dict[bytes, bytes]:
    """Return the headers by name, in lower case."""
    headers: dict[bytes, bytes] = {}
    while line := _line(reader):
        name, colon, value = line.partition(b":")
        if not colon or len(headers) == _MOST_HEADERS:
            _fail("no headers, or many")
        headers[name.lower()] = value.strip()
    return headers


def _body(reader: BufferedReader, headers: dict[bytes, bytes]) -> bytes:
    """Return the body of an answer."""
    if headers.get(b"content-encoding", b"identity") != b"identity":
        _fail("an encoding")
    if (coding := headers.get(b"transfer-encoding")) is None:
        length = headers.get(b"content-length", b"")
        return _read(reader, int(length) if length.isdigit() else _fail("no length"))
    if coding.lower() != b"chunked":
        _fail("an unusual encoding")
    chunks, left = list[bytes](), LARGEST_ANSWER
    while size := int(_line(reader).partition(b";")[0], 16):
        chunks.append(_read(reader, size, left))
        left -= size
        if _line(reader):
            _fail("a wrong length")
    _headers(reader)
    return b"".join(chunks)


def _read(reader: BufferedReader, size: int, most: int = LARGEST_ANSWER) -> bytes:
    """Return the next bytes."""
    if not 0 <= size <= most:
        _fail("a wrong length, or too much")
    content = reader.read(size)
    return content if len(content) == size else _fail("no end")
