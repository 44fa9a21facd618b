"""Findings, diagnostics and fixes: data only."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from modelfile.immutable import record
from modelfile.source import Span

MOST_FINDINGS: Final = 10_000
"""The most findings of a rule, and syntax errors of a Modelfile, that are reported; what has more is no Modelfile."""


class Severity(StrEnum):
    """The severity of a finding."""

    ERROR = "error"
    """Ollama rejects it, or reads something other than what is written."""
    WARNING = "warning"
    """It builds, but will cause problems."""
    INFO = "info"
    """A note."""

    def is_at_least(self, level: Severity) -> bool:
        """Return whether it is as severe as another, or more."""
        order = tuple(Severity)
        return order.index(self) <= order.index(level)


class Safety(StrEnum):
    """The risk of applying a fix without review."""

    SAFE = "safe"
    """The model stays the same, or becomes what is clearly intended."""
    UNSAFE = "unsafe"
    """The model changes, probably to what is intended."""


@record()
class Edit:
    """The replacement of a span by a text."""

    span: Span
    text: str


@record(kw_only=True)
class Fix:
    """The edits that fix a finding."""

    edits: tuple[Edit, ...]
    """The edits in the order of the text, without overlap."""
    safety: Safety = Safety.UNSAFE


@record()
class Finding:
    """A span and a message, as a rule yields them; the engine adds the rest."""

    span: Span
    message: str
    hint: str | None = None
    """The way to fix it, in one sentence."""
    fix: Fix | None = None
    severity: Severity | None = None
    """The severity, if it is not that of the rule."""


@record(kw_only=True)
class Diagnostic(Finding):
    """A finding with the code, name and severity of its rule."""

    code: str
    name: str
    severity: Severity
