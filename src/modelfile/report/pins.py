"""Results of `mf pin` and `mf pin --check` as text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from modelfile.report.terminal import Terminal

if TYPE_CHECKING:
    from modelfile.pinning.check import PinCheck
    from modelfile.pinning.pin import PinChange


def print_pins(changes: Iterable[PinChange], terminal: Terminal) -> None:
    """Print a line for each Modelfile that was pinned or removed."""
    for change in changes:
        if change.pin is None:
            terminal.print(f"{change.key}: removed, as the file no longer exists")
            continue
        base = change.pin.base.written if change.pin.base else ", ".join(change.pin.files)
        note = f"  ({change.kind})" if change.kind else ""
        terminal.print(f"{change.key}: {base} -> {change.pin.fingerprint}{note}")


def print_check(check: PinCheck, terminal: Terminal, *, findings: bool = True) -> None:
    """Print drifts on standard output if `findings`, and errors on standard error."""
    for drift in check.drifts if findings else ():
        terminal.print(f"{drift.key}: {drift.message}")
    for error in check.undecided:
        terminal.print_error(error.message, error.hint)
    if check.drifts:
        terminal.print_error("mf.lock is out of date", "run `mf pin`, review the changes in mf.lock, and commit it")
