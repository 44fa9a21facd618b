"""What can go wrong, and the way on.

ModelfileError
├── UsageError           the command's words or a configuration are off        exit 2
├── InputError           a file cannot be read, or is not what it should be    exit 3
│   └── Refused          a Modelfile has errors                                exit 1
├── ServerError          the Ollama server did not do it                       exit 3
│   ├── Unreachable      there is no answer
│   ├── NotFound         it has no such model
│   └── NoRoom           its disk is full
└── VerificationError    what was made is not what was asked                   exit 3
"""

from __future__ import annotations


class ModelfileError(Exception):
    """An expected failure: a sentence on what happened and where, and one on what to do next."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(ModelfileError):
    """The command's words or a configuration are off."""


class InputError(ModelfileError):
    """A file cannot be read, or is not what it should be."""


class Refused(InputError):
    """A Modelfile has errors; who raises it has told them one by one."""


class ServerError(ModelfileError):
    """The Ollama server did not do what it was asked."""


class ServerUnreachable(ServerError):
    """The server does not answer, or stopped answering."""


class NotFound(ServerError):
    """The server has no such model."""


class DiskFull(ServerError):
    """The server's disk is full."""


class VerificationError(ModelfileError):
    """What was made is not what was asked."""
