"""Faults that a fake Ollama server can be given."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Event
from typing import TypeAlias

from tests.fakes.script import Script


@dataclass(frozen=True, slots=True)
class Status:
    """Answer with `code` and `body` and do nothing."""

    code: int
    body: str = ""


@dataclass(frozen=True, slots=True)
class Garbage:
    """Answer 200 with `content`, called JSON, and do nothing."""

    content: bytes


@dataclass(frozen=True, slots=True)
class Hangup:
    """Close the connection: once `after_bytes` of the request's body are read, or once `after_lines` are answered.

    A server that hangs up `for_good` is dead, and hangs up on everybody until the faults are cleared.
    """

    after_lines: int = 0
    after_bytes: int | None = None
    for_good: bool = False


@dataclass(frozen=True, slots=True)
class ErrorLine:
    """End a stream with an error after so many lines, having done what these lines say; elsewhere answer 500."""

    after_lines: int = 0
    error: str = "no space left on device"


@dataclass(frozen=True, slots=True)
class NoSuccess:
    """Do everything, but end the stream without `{"status": "success"}`."""


@dataclass(frozen=True, slots=True)
class Slow:
    """Answer as usual, so many seconds late."""

    seconds: float


@dataclass(frozen=True, slots=True)
class WrongAck:
    """Answer 201 to an upload and discard it."""


@dataclass(frozen=True, slots=True)
class DropParameter:
    """Discard a parameter of a create without an error."""

    name: str


@dataclass(frozen=True, slots=True)
class Raw:
    """Answer with `content` as it is, status line and all, and close the connection."""

    content: bytes


@dataclass(frozen=True, slots=True)
class Endless:
    """Answer 200 and then `piece`, over and over, until the client has enough."""

    piece: bytes
    content_type: str = "application/json; charset=utf-8"
    answered: Event = field(default_factory=Event)
    """Set once a thousand pieces are sent."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Be silent: before anything is read or done, or, if `done`, instead of answering what is done.

    Goes on once it is released; the end of the server hangs up.
    """

    done: bool = False
    reached: Event = field(default_factory=Event)
    released: Event = field(default_factory=Event)


Fault: TypeAlias = (
    Status | Garbage | Hangup | ErrorLine | NoSuccess | Slow | WrongAck | DropParameter | Raw | Endless | Hold | Script
)


@dataclass(slots=True)
class Planned:
    """A fault that requests below a path, or `METHOD /path`, will run into."""

    path_prefix: str
    fault: Fault
    left: int
    first: int = 0
    """The number of requests that succeed before."""
    used: bool = False
