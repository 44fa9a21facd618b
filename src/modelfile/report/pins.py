"""Results of `mf pin` and `mf pin --check` as text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from modelfile.errors import ModelfileError
from modelfile.lockfile.drift import Reason
from modelfile.names import shorten_digest
from modelfile.report.terminal import Terminal

if TYPE_CHECKING:
    from modelfile.lockfile.lock import Pin
    from modelfile.pinning.check import PinCheck
    from modelfile.pinning.pin import PinChange


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
    """Print errors, each once."""
    distinct = {error.message: error for error in errors}
    for error in distinct.values():
        terminal.print_error(error.message, error.hint)
