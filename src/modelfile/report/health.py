"""The checks of `mf doctor` as text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from modelfile.redaction import redact
from modelfile.report.terminal import Terminal

if TYPE_CHECKING:
    from modelfile.health import Check

_STYLES: Final = {"ok": "green", "skipped": "dim", "warning": "bold yellow", "error": "bold red"}
_STATUS: Final = 7
"""Width of the statuses, in columns."""
_NAME: Final = 15
"""Width of the names, in columns; `OLLAMA_API_KEY` and most CVE numbers fit."""


def print_checks(checks: Iterable[Check], terminal: Terminal) -> list[Check]:
    """Print a line for each check as it is made, with its hint; return the checks. Secrets are redacted."""
    made = []
    for check in checks:
        made.append(check)
        status = str(check.status)
        message, hint = redact(check.message), redact(check.hint or "")
        line = [(f"{status:<{_STATUS}}  ", _STYLES[status]), (f"{check.name:<{_NAME}}  ", ""), (message, "")]
        terminal.write(line)
        if hint:
            terminal.write([(" " * (_STATUS + 2) + "help: ", "bold cyan"), (hint, "")])
    return made
