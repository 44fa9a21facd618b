"""Connections of httpx that keep deadlines, and end with their client.

httpx knows limits for single waits, and none for a request. But it passes the limits on as they are, down to whoever
reads and writes: so a request is given a Deadline for each of them, and here it is asked what is left before each wait.

A client of httpx that is closed forgets its connections: what a request in another thread opens at that moment would
stay open. So here they are known until they are closed, and none is opened after that.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterable, Iterator
from threading import Lock
from typing import Any, Final
from weakref import WeakSet

import httpcore
import httpx

from modelfile.stores.network.deadline import Deadline, Expired
from modelfile.stores.network.sockets import send_all

_DIALOG: Final = 10.0
"""Limit for each step of a dialog without a deadline, in seconds."""


def limits(deadline: Deadline, connect: float) -> dict[str, Any]:
    """Return the extensions of a request that keep a deadline, and another for its connection, in seconds."""
    timeout = {"connect": deadline.within(connect), "read": deadline, "write": deadline, "pool": deadline.remaining()}
    return {"timeout": timeout}


class BoundedClient(httpx.Client):
    """A client whose connections, also those over a proxy, keep the deadlines of requests, and end with it."""

    def __init__(self, **settings: Any) -> None:
        """Connect to nothing yet; the settings are those of httpx.Client."""
        super().__init__(**settings)
        self._backend = _Backend()
        # httpx has no public name for it; the dependencies are limited to versions that have these
        for transport in {self._transport, *self._mounts.values()}:
            if isinstance(transport, httpx.HTTPTransport):
                transport._pool._network_backend = self._backend  # noqa: SLF001  # as above

    def close(self) -> None:
        """Close all connections, also those that requests in other threads are opening or using."""
        self._backend.close()
        super().close()


def _close(stream: httpcore.NetworkStream) -> None:
    stream.close()  # the method of its class: the one of the base class only raises


class _Backend(httpcore.NetworkBackend):
    """Opens connections before a deadline, until it is closed."""

    def __init__(self) -> None:
        self._lock = Lock()
        """Held to change what follows."""
        self._streams = WeakSet[_Stream]()
        self._closed = False

    def close(self) -> None:
        with self._lock:
            self._closed = True
            for stream in self._streams:
                stream.close()

    def keep(self, stream: _Stream) -> _Stream:
        """Note a connection that has to be closed in the end; close it now if this is the end.

        Raises:
            ConnectionAbortedError: It is closed.
        """
        with self._lock:
            if not self._closed:
                self._streams.add(stream)
                return stream
        stream.close()
        raise ConnectionAbortedError("the client has been closed")

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        deadline = _deadline(timeout)

        def connect() -> httpcore.NetworkStream:
            return httpcore.SyncBackend().connect_tcp(host, port, deadline.remaining(), local_address, socket_options)

        with _translated(httpcore.ConnectTimeout, httpcore.ConnectError):
            return self.keep(_Stream(deadline.run(connect, _close), self))


class _Stream(httpcore.NetworkStream):
    """A connection of which every wait keeps a deadline."""

    def __init__(self, stream: httpcore.NetworkStream, backend: _Backend, *, nested: bool = False) -> None:
        self._stream = stream
        self._backend = backend
        self._nested = nested
        """True for TLS inside TLS, through an https:// proxy."""

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with _translated(httpcore.ReadTimeout, httpcore.ReadError):
            return _deadline(timeout).repeat(
                lambda seconds: self._stream.read(max_bytes, seconds), httpcore.ReadTimeout
            )

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        deadline = _deadline(timeout)
        with _translated(httpcore.WriteTimeout, httpcore.WriteError):
            if self._nested:
                self._stream.write(buffer, deadline.remaining())
                deadline.count_sent()
            else:
                send_all(self._stream.get_extra_info("socket"), buffer, deadline)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        deadline = _deadline(timeout)
        nested = self._stream.get_extra_info("ssl_object") is not None

        def handshake() -> httpcore.NetworkStream:
            return self._stream.start_tls(ssl_context, server_hostname, deadline.remaining())

        with _translated(httpcore.ConnectTimeout, httpcore.ConnectError):
            return self._backend.keep(_Stream(deadline.run(handshake, _close), self._backend, nested=nested))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _deadline(limit: object) -> Deadline:
    """Return the deadline that a request was given; the dialog with a SOCKS proxy has none."""
    return limit if isinstance(limit, Deadline) else Deadline(_DIALOG)


@contextlib.contextmanager
def _translated(timeout: type[Exception], failure: type[Exception]) -> Iterator[None]:
    """Raise the errors of sockets as those that httpx knows."""
    try:
        yield
    except Expired as error:
        raise timeout(str(error)) from error
    except OSError as error:
        raise failure(str(error)) from error
