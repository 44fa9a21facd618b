"""A difference as data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Aspect(StrEnum):
    """What of a model can differ, in the order it is told."""

    BASE = "base"
    WEIGHTS = "weights"
    ADAPTER = "adapter"
    DRAFT = "draft"
    PARAMETER = "parameter"
    TEMPLATE = "template"
    SYSTEM = "system"
    MESSAGES = "messages"
    LICENSE = "license"
    RENDERER = "renderer"
    PARSER = "parser"
    REQUIRES = "requires"


TEXTS = frozenset({Aspect.TEMPLATE, Aspect.SYSTEM, Aspect.MESSAGES, Aspect.LICENSE})
"""What is a text of lines, to be shown as a line diff."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One aspect that differs. None: not there."""

    aspect: Aspect
    name: str = ""
    """A parameter's name."""
    old: str | None
    new: str | None

    @property
    def title(self) -> str:
        """What changed, in words."""
        return f"{self.aspect} {self.name}".rstrip()
