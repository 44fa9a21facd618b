"""Results of `mf pin` and `mf pin --check` as text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from modelfile.errors import ModelfileError, RegistryUnreachable
from modelfile.lockfile.drift import Reason
from modelfile.names import shorten_digest
from modelfile.report.terminal import Terminal

if TYPE_CHECKING:
    from modelfile.lockfile.lock import Pin
    from modelfile.pinning.check import PinCheck
    from modelfile.pinning.pin import PinChange

_MOST_NAMES: Final = 5
"""Most further names that an error lists."""
_UNREACHED: Final = re.compile(r"cannot pin base (\S+): ")
"""The beginning of an error of a base whose registry cannot be reached."""


def print_pins(changes: Iterable[PinChange], terminal: Terminal) -> None:
    """Print a line for each Modelfile that was pinned or removed."""
    for change in changes:
        if (pin := change.pin) is None:
            terminal.print(f"{change.key}: removed, as the file no longer exists")
            continue
        note = f"  ({change.kind})" if change.kind else ""
        terminal.print(f"{change.key}: pinned {_inputs(pin)}; builds {_outcome(pin)}{note}")


def _inputs(pin: Pin) -> str:
    """Return the base, or the local weights, each with the start of its fingerprint or digest."""
    base = {pin.base.written: pin.base.fingerprint} if pin.base else dict(sorted(pin.files.items()))
    return ", ".join(f"{name} ({shorten_digest(digest)})" if digest else name for name, digest in base.items())


def _outcome(pin: Pin) -> str:
    """Return the fingerprint that a build must have, or why there is none."""
    fingerprints = [pin.fingerprint] if pin.fingerprint else []
    types = [f"{kind} as the server quantizes it" for kind in pin.quantize or ()]
    return ", ".join([*fingerprints, *types]) or "what its quantized base gives"


def print_check(check: PinCheck, terminal: Terminal, *, host: str | None, findings: bool = True) -> None:
    """Print drifts on standard output if `findings`, and errors on standard error, for the server as it was named."""
    for drift in check.drifts if findings else ():
        terminal.print(str(drift))
    print_failures((*check.unread, *(base.error(host) for base in check.undecided)), terminal)
    if not check.drifts:
        return
    if all(drift.reason is Reason.NO_LOCK for drift in check.drifts):
        terminal.print_error("there is no mf.lock", "run `mf pin`, and commit mf.lock")
    else:
        terminal.print_error("mf.lock is out of date", "run `mf pin`, review the changes in mf.lock, and commit it")


def print_failures(errors: Iterable[ModelfileError], terminal: Terminal) -> None:
    """Print errors, each once, and one line for all bases of a registry that cannot be reached."""
    causes: dict[str, dict[str, ModelfileError]] = {}
    for error in errors:
        base = _UNREACHED.match(error.message) if isinstance(error, RegistryUnreachable) else None
        name = base[1] if base else ""
        cause = error.message.replace(f" {name}:", "") if name else error.message
        causes.setdefault(cause, {}).setdefault(name, error)
    for by_name in causes.values():
        first = next(iter(by_name.values()))
        terminal.print_error(first.message + likewise([*by_name][1:]), first.hint)


def likewise(names: Sequence[str]) -> str:
    """Return the end of a message that holds for other bases, too; empty if there are none."""
    more = len(names) - _MOST_NAMES
    return (f"; likewise {', '.join(names[:_MOST_NAMES])}" + (f" and {more} more" if more > 0 else "")) if names else ""
