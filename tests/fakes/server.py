"""The socket of a fake server."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR, socket
from traceback import format_exc
from typing import Any


class Server(ThreadingHTTPServer):
    """A server that closes every connection and waits for every thread when it is closed."""

    daemon_threads = False
    request_queue_size = 64

    def __init__(self, handler: Callable[..., BaseHTTPRequestHandler], complaints: list[str]) -> None:
        """Listen on a free port of 127.0.0.1; an error of the handler itself goes to `complaints`."""
        self._complaints = complaints
        self._open: set[socket] = set()
        super().__init__(("127.0.0.1", 0), handler)

    def get_request(self) -> tuple[socket, Any]:
        """Remember a connection."""
        connection, address = super().get_request()
        self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        """Forget a closed connection."""
        self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Close all connections."""
        for connection in [*self._open]:
            with suppress(OSError):
                connection.shutdown(SHUT_RDWR)
        super().server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  # the signature is socketserver's
        """Ignore clients that disconnect; any other error is one of the fake itself."""
        if not isinstance(sys.exception(), ConnectionError):
            self._complaints.append(format_exc())
