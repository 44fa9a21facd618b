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


class Safety(StrEnum):
    """Whether a fix may be applied without a look."""

    SAFE = "safe"
    """What is built stays what it was, or becomes what is plainly meant."""
    UNSAFE = "unsafe"
    """Likely what is meant; what is built changes."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A text to put in the place of a span."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """How to mend a finding."""

    edits: tuple[Edit, ...]
    """In the order of the text, none over another."""
    safety: Safety = Safety.UNSAFE


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule yields: a place and words. The engine adds the rest."""

    span: Span
    message: str
    hint: str | None = None
    """What to do about it, as a sentence."""
    fix: Fix | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """A finding with the rule it comes from."""

    code: str
    name: str
    severity: Severity
    span: Span
    message: str
    hint: str | None = None
    fix: Fix | None = None
