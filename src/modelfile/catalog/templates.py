"""The template functions that Ollama adds to Go's, each with its first release (template/template.go)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from modelfile.catalog.versions import Version

FUNCTIONS: Final[Mapping[str, Version]] = MappingProxyType(
    {
        "json": Version(0, 2, 6),
        "currentDate": Version(0, 11, 0),
        "toTypeScriptType": Version(0, 11, 3),
        "yesterdayDate": Version(0, 13, 3),
    }
)
