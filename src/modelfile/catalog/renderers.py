"""The renderers and parsers that are built into Ollama, which RENDERER and PARSER name.

`ollama create` accepts any name. With an unknown renderer each chat fails; an unknown parser is skipped.

Source: model/renderers/renderer.go and model/parsers/parsers.go, v0.12.0 to v0.32.15.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from modelfile.catalog.versions import Version
from modelfile.immutable import record


@record()
class BuiltIn:
    """A renderer or a parser of some versions of Ollama."""

    since: Version
    """The first release that has it."""
    until: Version | None = None
    """The first release that no longer has it."""

    def is_in(self, version: Version) -> bool:
        """Return whether a version of Ollama has it."""
        return self.since <= version and (self.until is None or version < self.until)


RENDERERS: Final[Mapping[str, BuiltIn]] = MappingProxyType(
    {
        "qwen3-coder": BuiltIn(Version(0, 12, 0)),
        "qwen3-vl-instruct": BuiltIn(Version(0, 12, 6)),
        "qwen3-vl-thinking": BuiltIn(Version(0, 12, 7)),
        "cogito": BuiltIn(Version(0, 13, 0)),
        "olmo3": BuiltIn(Version(0, 13, 3)),
        "olmo3-think": BuiltIn(Version(0, 13, 3)),
        "deepseek-v3.1": BuiltIn(Version(0, 13, 4), until=Version(0, 13, 5)),
        "nemotron-3-nano": BuiltIn(Version(0, 13, 4)),
        "olmo3-32b-think": BuiltIn(Version(0, 13, 4)),
        "olmo3.1": BuiltIn(Version(0, 13, 4)),
        "deepseek3.1": BuiltIn(Version(0, 13, 5)),
        "functiongemma": BuiltIn(Version(0, 13, 5)),
        "glm-4.7": BuiltIn(Version(0, 14, 3)),
        "lfm2": BuiltIn(Version(0, 14, 3)),
        "lfm2-thinking": BuiltIn(Version(0, 14, 3)),
        "glm-ocr": BuiltIn(Version(0, 15, 5)),
        "qwen3.5": BuiltIn(Version(0, 17, 1)),
        "gemma4": BuiltIn(Version(0, 20, 0)),
        "gemma4-large": BuiltIn(Version(0, 21, 0)),
        "gemma4-small": BuiltIn(Version(0, 21, 0)),
        "laguna": BuiltIn(Version(0, 22, 0)),
        "cohere": BuiltIn(Version(0, 30, 10)),
        "ornith": BuiltIn(Version(0, 30, 11)),
        "laguna-v8": BuiltIn(Version(0, 32, 2), until=Version(0, 32, 3)),
        "poolside-v1": BuiltIn(Version(0, 32, 3)),
        "glimmer": BuiltIn(Version(0, 32, 7)),
        "nemotron-3.5-nano": BuiltIn(Version(0, 32, 9)),
        "qwen3.8": BuiltIn(Version(0, 32, 12)),
    }
)
RENDERERS_OF_ARCHITECTURES: Final[Mapping[str, tuple[str, Version]]] = MappingProxyType(
    {
        "gemma4": ("gemma4", Version(0, 20, 0)),
        "laguna": ("laguna", Version(0, 22, 0)),
        **dict.fromkeys(("nemotron_h", "nemotron_h_moe", "nemotron_h_omni"), ("nemotron-3-nano", Version(0, 22, 0))),
    }
)
"""The renderer that Ollama gives models of an architecture without RENDERER, and the first release that does so.

Source: server/create.go, v0.20.0 to v0.33.0-rc2.
"""
STOPS_OF_ARCHITECTURES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({"gemma4": ("<turn|>",)})
"""The `stop` that comes with the renderer of an architecture, unless the Modelfile sets one (server/create.go)."""
PARSERS: Final[Mapping[str, BuiltIn]] = MappingProxyType(
    {
        "passthrough": BuiltIn(Version(0, 12, 0)),
        "qwen3-coder": BuiltIn(Version(0, 12, 0)),
        "harmony": BuiltIn(Version(0, 12, 1)),
        "qwen3-vl-instruct": BuiltIn(Version(0, 12, 6)),
        "qwen3-vl-thinking": BuiltIn(Version(0, 12, 7)),
        "cogito": BuiltIn(Version(0, 13, 1)),
        "ministral": BuiltIn(Version(0, 13, 1)),
        "olmo3": BuiltIn(Version(0, 13, 3)),
        "olmo3-think": BuiltIn(Version(0, 13, 3)),
        "nemotron-3-nano": BuiltIn(Version(0, 13, 4)),
        "deepseek3": BuiltIn(Version(0, 13, 5)),
        "functiongemma": BuiltIn(Version(0, 13, 5)),
        "glm-4.7": BuiltIn(Version(0, 14, 3)),
        "lfm2": BuiltIn(Version(0, 14, 3)),
        "lfm2-thinking": BuiltIn(Version(0, 14, 3)),
        "glm-ocr": BuiltIn(Version(0, 15, 5)),
        "qwen3": BuiltIn(Version(0, 16, 3)),
        "qwen3-thinking": BuiltIn(Version(0, 16, 3)),
        "qwen3.5": BuiltIn(Version(0, 17, 1)),
        "gemma4": BuiltIn(Version(0, 20, 0)),
        "gemma4-no-thinking": BuiltIn(Version(0, 20, 0)),
        "laguna": BuiltIn(Version(0, 22, 0)),
        "cohere": BuiltIn(Version(0, 30, 10)),
        "ornith": BuiltIn(Version(0, 30, 11)),
        "laguna-v8": BuiltIn(Version(0, 32, 2), until=Version(0, 32, 3)),
        "poolside-v1": BuiltIn(Version(0, 32, 3)),
        "glimmer": BuiltIn(Version(0, 32, 7)),
        "nemotron-3.5-nano": BuiltIn(Version(0, 32, 9)),
    }
)
