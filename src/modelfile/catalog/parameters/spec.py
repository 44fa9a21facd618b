"""The type of the entries in the parameter tables."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

from modelfile.catalog.versions import Version
from modelfile.immutable import record

Default: TypeAlias = int | float | bool | tuple[str, ...] | None
"""The value that the server uses if a model sets none; None if the server decides when it loads the model."""


class Kind(StrEnum):
    """The type of a parameter's value."""

    INT = "int"
    FLOAT = "float"
    BOOL = "bool"
    STRINGS = "string"
    """A list: each PARAMETER of that name adds a value."""


@record(kw_only=True)
class ParameterSpec:
    """A parameter that some version of Ollama accepts in Modelfiles."""

    name: str
    kind: Kind
    summary: str
    """Its effect, in one sentence."""
    example: str = ""
    """A value as written in a Modelfile; empty for a parameter that was removed."""
    since: Version
    """The first release that accepts it."""
    until: Version | None = None
    """The first release that no longer accepts it."""
    deprecated: Version | None = None
    """The first release whose command line warns about it and skips it; a removed parameter is rejected otherwise."""
    defaults: tuple[tuple[Version, Default], ...]
    """Its defaults, each with the first release that has it."""
    decided: str = ""
    """The way the server decides, if a default is None."""
    special: tuple[tuple[int | float, str], ...] = ()
    """Values with a special meaning, and that meaning."""
    minimum: int | float | None = None
    maximum: int | float | None = None
    source: str

    def default(self, version: Version) -> Default:
        """Return the default in a version."""
        return next((value for since, value in reversed(self.defaults) if since <= version), None)

    @property
    def range(self) -> str:
        """The range of its number, in words; empty if it has none."""
        if self.minimum is None:
            return ""
        return f"at least {self.minimum}" if self.maximum is None else f"from {self.minimum} to {self.maximum}"
