"""What a fake Ollama server can be told to do wrong; each name is a keyword of tests about trouble."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


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
    """Close the connection: once `after_bytes` of the request's body are read, or once `after_lines` are answered."""

    after_lines: int = 0
    after_bytes: int | None = None


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
    """Answer as ever, so many seconds late."""

    seconds: float


@dataclass(frozen=True, slots=True)
class WrongAck:
    """Answer 201 to an upload and keep nothing of it."""


@dataclass(frozen=True, slots=True)
class DropParameter:
    """Lose a parameter of a create, without a word."""

    name: str


Fault: TypeAlias = Status | Garbage | Hangup | ErrorLine | NoSuccess | Slow | WrongAck | DropParameter


@dataclass(slots=True)
class Planned:
    """A fault that requests below a path, or `METHOD /path`, will run into."""

    path_prefix: str
    fault: Fault
    left: int
    used: bool = False
