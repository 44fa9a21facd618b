"""Answers of a server as data: bytes, pauses, repetitions, and how the connection ends."""

from __future__ import annotations

import os
import socket
import struct
import time
from dataclasses import dataclass
from enum import Enum, auto
from itertools import count
from threading import Event
from typing import TypeAlias


class End(Enum):
    """A connection that ends otherwise than by being closed."""

    RESET = auto()


@dataclass(frozen=True, slots=True)
class Pause:
    """A time without a byte, in seconds."""

    seconds: float = 3600


@dataclass(frozen=True, slots=True)
class Repeat:
    """A piece that is sent again and again, `{n}` in it as a number that grows, with a pause before each."""

    piece: bytes
    pause: float = 0
    chunked: bool = False
    """True to send it as a chunk of a body."""


Step: TypeAlias = bytes | Pause | Repeat | End


@dataclass(frozen=True, slots=True)
class Script:
    """A fault: answer by steps, and then close the connection."""

    steps: tuple[Step, ...] = ()
    unread: bool = False
    """True to answer before the body is read."""
    begun: Event | None = None
    """Set before the first step."""


def drip(text: bytes, pause: float = 0.1) -> tuple[Step, ...]:
    """Return steps that send a text byte by byte."""
    return tuple(step for number in range(len(text)) for step in (Pause(pause), text[number : number + 1]))


def play(script: Script, connection: socket.socket, leaving: Event) -> None:
    """Answer by the steps of a script; ends early when the server is being closed.

    Raises:
        ConnectionError: The client has hung up.
    """
    if script.begun:
        script.begun.set()
    for step in script.steps:
        match step:
            case bytes():
                connection.sendall(step)
            case Pause(seconds):
                _wait(seconds, connection, leaving)
            case Repeat(piece, pause, chunked):
                for number in count():
                    _wait(pause, connection, leaving)
                    if leaving.is_set():
                        return
                    numbered = piece.replace(b"{n}", b"%d" % number)
                    connection.sendall(b"%x\r\n%s\r\n" % (len(numbered), numbered) if chunked else numbered)
            case End.RESET:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                os.close(connection.detach())


def _wait(seconds: float, connection: socket.socket, leaving: Event) -> None:
    """Wait, but no longer than the client does."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0 and not leaving.wait(min(left, 0.05)):
        connection.setblocking(False)  # noqa: FBT003  # a socket's only argument
        try:
            if connection.recv(1 << 16, socket.MSG_PEEK) == b"":
                raise ConnectionResetError
        except BlockingIOError:
            pass
        finally:
            connection.setblocking(True)  # noqa: FBT003  # socket's own argument
