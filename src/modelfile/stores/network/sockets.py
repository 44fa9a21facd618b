"""Sockets that keep deadlines."""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

    from modelfile.stores.network.deadline import Deadline

_INTERIM: Final = b"HTTP/1.1 1"
"""The start of an answer that another follows."""


class BoundedSocket(socket.socket):
    """A connected socket of which every wait keeps a deadline."""

    deadline: Deadline

    @classmethod
    def over(cls, connected: socket.socket, deadline: Deadline) -> Self:
        """Take over a connected socket."""
        own = cls(connected.family, connected.type, connected.proto, connected.detach())
        own.deadline = deadline
        return own

    def recv_into(self, buffer: WriteableBuffer, nbytes: int = 0, flags: int = 0) -> int:
        """Receive bytes, as of a socket."""

        def receive(seconds: float) -> int:
            self.settimeout(seconds)
            return super(BoundedSocket, self).recv_into(buffer, nbytes, flags)

        return self.deadline.repeat(receive)

    def sendall(self, data: ReadableBuffer, flags: int = 0) -> None:
        """Send all bytes, as of a socket."""
        send_all(self, data, self.deadline, flags)


def send_all(to: socket.socket, data: ReadableBuffer, deadline: Deadline, flags: int = 0) -> None:
    """Send all bytes over a socket before a deadline; what is sent counts as progress.

    Raises:
        Expired: The deadline has passed.
        ConnectionError: The other side accepts no more, and has answered or closed its side.
    """
    left = memoryview(data)

    def send(seconds: float) -> int:
        to.settimeout(seconds)
        try:
            return to.send(left, flags)
        except TimeoutError:
            if _has_answered(to):
                raise ConnectionAbortedError("the server no longer reads") from None
            raise

    while left:
        left = left[deadline.repeat(send) :]
        deadline.count_sent()


def _has_answered(connected: socket.socket) -> bool:
    """Return whether an answer, or the end of it, can be read, and not only an interim answer."""
    ssl = sys.modules.get("ssl")  # a folder does not need it, and without it there is no such socket
    if ssl and isinstance(connected, ssl.SSLSocket):  # it has to be read to be known
        return False
    connected.settimeout(0)
    try:
        start = connected.recv(len(_INTERIM), socket.MSG_PEEK)
    except BlockingIOError:
        return False
    return start[: len(_INTERIM)] != _INTERIM
