"""The expected errors.

ModelfileError
├── UsageError              wrong arguments or a wrong configuration              exit 2
├── InputError              a file cannot be read or is invalid                   exit 3
│   ├── ModelfileHasErrors  a Modelfile has errors, of which mf lint exits 1      exit 3
│   ├── TemplateError       a template cannot be rendered, in Ollama neither      exit 3
│   └── StaleLock           the lock does not record what --locked is to build    exit 3
├── ServerError             a server or registry failed or rejected a request     exit 3
│   ├── ServerUnreachable   the server does not answer
│   ├── RegistryUnreachable a registry cannot be reached, by the server or by us
│   ├── RegistryRefused     a registry denies access, or rejects a request
│   ├── InvalidRegistryAnswer  a registry sends something else than what it names
│   ├── NotFound            the server has no such model
│   └── DiskFull            the disk of the server or folder is full
├── WouldReplace            a tag has another model, which must stay              exit 3
└── VerificationError       the model on the server is not the one requested      exit 3
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, TypeVar

if TYPE_CHECKING:
    from modelfile.source import Span

_E = TypeVar("_E", bound="ModelfileError")

_MOST_SUGGESTIONS: Final = 500
"""Number of distinct misspelled words of a text for which a suggestion is looked for."""
_LONGEST_WORD: Final = 100


class ExitCode(IntEnum):
    """The exit codes of every command."""

    CLEAN = 0
    """Done, with nothing to report."""
    FINDINGS = 1
    """Done, with something to report: findings, differences, a lock that is out of date."""
    USAGE = 2
    """Invalid arguments or configuration."""
    FAILED = 3
    """Not done: a server did not answer or rejected a request, a Modelfile has errors, or a file could not be read or
    written."""
    INTERNAL = 70
    """A bug in `mf`; the traceback is in a file that the message names (EX_SOFTWARE of sysexits.h)."""
    INTERRUPTED = 130
    """Interrupted by Ctrl-C, as shells report SIGINT."""
    READER_GONE = 141
    """Standard output was closed by its reader, as shells report SIGPIPE."""


class Speller:
    """Suggestions for misspelled words of one text; the number of comparisons is limited, because each takes 0.1 ms."""

    def __init__(self) -> None:
        self._closest: dict[tuple[str, tuple[str, ...]], str | None] = {}

    def closest(self, word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
        """Return the known word that was probably intended.

        Returns None if there is none, if the word is longer than any, or if this text has had enough suggestions.
        """
        key = word, tuple(known)
        if key not in self._closest:
            if len(word) > _LONGEST_WORD or len(self._closest) >= _MOST_SUGGESTIONS:
                return None
            near = [each for each in key[1] if 2 * min(len(word), len(each)) / (len(word + each) or 1) >= cutoff]
            self._closest[key] = _closest(word, near, cutoff) if near else None  # as difflib's own bound by lengths
        return self._closest[key]


def _closest(word: str, known: list[str], cutoff: float) -> str | None:
    from difflib import get_close_matches  # 5 ms that only a misspelled word pays

    return next(iter(get_close_matches(word, known, n=1, cutoff=cutoff)), None)


class ModelfileError(Exception):
    """An expected error: a message with the problem and its location, and a hint with the way to fix it.

    Details are further lines of the message, each without a newline of its own: any other newline is escaped when the
    error is printed. `rule` is the name of the rule that reports the same, if it is one on local weights.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.FAILED

    def __init__(self, message: str, *, hint: str | None = None, details: Iterable[str] = (), rule: str = "") -> None:
        self.details = tuple(details)
        super().__init__("\n  ".join((message, *self.details)))
        self.message, self.hint, self.rule = message, hint, rule

    @property
    def code(self) -> str:
        """The name of the kind of error, for programs: `not-found`, `usage-error`."""
        return re.sub(r"(?<!^)(?=[A-Z])", "-", type(self).__name__).lower()


class UsageError(ModelfileError):
    """Wrong arguments or a wrong configuration."""

    exit_code = ExitCode.USAGE


class InputError(ModelfileError):
    """A file that cannot be read or is invalid."""


class ModelfileHasErrors(InputError):
    """A Modelfile with errors, which were already reported one by one, and which stop a build, a pin or a diff."""


class TemplateError(InputError):
    """A template that Ollama rejects, or that Go cannot execute with the given values."""

    def __init__(self, reason: str, *, where: str, span: Span, hint: str | None = None) -> None:
        super().__init__(f"{where}: {reason}", hint=hint)
        self.reason = reason
        """The message without the location."""
        self.span = span
        """The location in the template."""


class StaleLock(InputError):
    """A lock that does not record what is to be built."""


class ServerError(ModelfileError):
    """A failure of the Ollama server or of a registry, or a request that one of them rejected."""


class ServerUnreachable(ServerError):
    """A server that does not answer or stopped answering."""


class RegistryUnreachable(ServerError):
    """A registry that the server, or we, cannot reach: DNS, network, proxy or certificates are in the way."""


class RegistryRefused(ServerError):
    """A request that a registry rejects: access is denied, or there were too many requests."""


class InvalidRegistryAnswer(ServerError):
    """An answer of a registry that is damaged, too large, or none of a registry."""


class RangeIgnored(InvalidRegistryAnswer):
    """A registry that answers a request for a part of a layer with the whole layer."""


class NotFound(ServerError):
    """A model that the server does not have."""


class DiskFull(ServerError):
    """A full disk of the server, or of a folder."""


class WouldReplace(ModelfileError):
    """A tag that has another model, which is to be replaced only if that is asked for."""


class VerificationError(ModelfileError):
    """A model that was built but is not the one requested."""


def not_allowed(what: str, host: str, kind: type[_E]) -> _E:
    """Return the error for a model from a registry that `registries` in the configuration does not allow.

    Args:
        what: The task or the base that needs it, to be put before a colon.
        host: The registry, as written in the name.
        kind: The class of the error.
    """
    hint = "add the host to `registries` in the configuration, or use a model from another"
    return kind(f"{what}: registry not allowed: `{host}`", hint=hint)


def cannot_read(path: Path | str, error: OSError | ValueError) -> InputError:
    """Return the error for a file that the system cannot read."""
    return InputError(f"cannot read `{path}`: {reason_of(error)}")


def cannot_write(path: Path | str, error: OSError, *, hint: str | None = None) -> InputError:
    """Return the error for a file that the system cannot write."""
    return InputError(f"cannot write `{path}`: {reason_of(error)}", hint=hint)


def reason_of(error: OSError | ValueError) -> str:
    """Return the reason that the system gives for an error, to be put after a colon."""
    match error:
        case OSError():
            reason = error.strerror or str(error)
        case UnicodeError():
            reason = "a name with these characters cannot exist"
        case _:
            reason = "a name with a NUL character cannot exist" if "null" in str(error) else str(error)
    return reason[:1].lower() + reason[1:]
