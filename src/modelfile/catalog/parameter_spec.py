"""What is said of a parameter."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from modelfile.catalog.versions import Version

Default: TypeAlias = int | float | bool | tuple[str, ...] | None
"""What the server takes where a model sets nothing; None: it decides when it loads the model."""


class Kind(StrEnum):
    """What a parameter's value is."""

    INT = "int"
    FLOAT = "float"
    BOOL = "bool"
    STRINGS = "string"
    """Given several times, its values add up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter that Modelfiles of some version of Ollama take."""

    name: str
    kind: Kind
    summary: str
    """One sentence: what it does."""
    example: str = ""
    """A value as a Modelfile has it; of those that Ollama still takes."""
    since: Version
    """The first release that takes it."""
    until: Version | None = None
    """The first release that no longer takes it."""
    deprecated: Version | None = None
    """The first release whose command line warns and drops it, where others refuse what they no longer know."""
    defaults: tuple[tuple[Version, Default], ...]
    """Each with the first release that has it."""
    decided: str = ""
    """How the server decides where a default is None."""
    special: tuple[tuple[int | float, str], ...] = ()
    """Values that do not mean what their size says, and what they mean."""
    minimum: int | float | None = None
    maximum: int | float | None = None
    source: str

    def default(self, version: Version) -> Default:
        """The default in one version."""
        return next((value for since, value in reversed(self.defaults) if since <= version), None)

    @property
    def range(self) -> str:
        """What its number may be, in words; empty where that is not bounded."""
        if self.minimum is None:
            return ""
        return f"at least {self.minimum}" if self.maximum is None else f"from {self.minimum} to {self.maximum}"
