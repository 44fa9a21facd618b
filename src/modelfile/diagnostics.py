"""What is reported about a text: data only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from modelfile.source import Span


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    """Ollama refuses it, or reads something other than what is written."""
    WARNING = "warning"
    """It builds, and will hurt."""
    INFO = "info"
    """Worth knowing."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule yields: a place and words. The engine adds the rest."""

    span: Span
    message: str
    hint: str | None = None
    """What to do about it, as a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """A finding with the rule it comes from."""

    code: str
    name: str
    severity: Severity
    span: Span
    message: str
    hint: str | None = None
