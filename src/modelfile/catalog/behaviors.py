"""Behavior of Ollama that depends on the version and is in no other table of the catalog."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from modelfile.catalog.versions import Version

SENDS_PATHS: Final = Version(0, 30, 0)
"""The first release whose command line names several files by path, not by base name (v0.29.0, v0.30.0 cmd/cmd.go)."""
SENDS_NESTED_SAFETENSORS: Final = Version(0, 30, 0)
"""The first release whose command line sends `*/model*.safetensors` too (`filesForModel` in parser/parser.go)."""
SENDS_CHAT_TEMPLATE: Final = Version(0, 32, 2)
"""The first release whose command line sends `chat_template.jinja` (`filesForModel` in parser/parser.go)."""
SENDS_SINGLE_TOKENIZER: Final = (Version(0, 9, 1), Version(0, 13, 3))
"""The releases, from the first to before the second, that do not send `tokenizer.model` if there is `tokenizer.json`.

Source: `filesForModel` in parser/parser.go.
"""

PULLS_EXACT_MANIFESTS: Final = Version(0, 19, 0)
"""The first release that writes the manifest of a pulled model as the registry serves it (server/images.go).

Older ones decode it and write it anew, which loses whitespace and unknown keys (measured on 0.9.3).
"""
MERGES_SHARDS: Final = Version(0, 30, 0)
"""The first release whose server merges the shards of a split GGUF (v0.30.0 server/create.go)."""
REWRITES_GGUF: Final = Version(0, 30, 0)
"""The first release whose server may rewrite the weights of a local GGUF (measured on 0.33)."""
KEEPS_WEIGHTS: Final = Version(0, 24, 0)
"""The newest release that takes weights from files as they are: there is none between it and 0.30.0."""
DETECTS_PROJECTORS: Final = Version(0, 30, 4)
"""The first release whose server recognizes projectors of type `mmproj` and those for audio only, not as models.

Source: v0.30.4 server/create.go.
"""
PREFERS_CHAT_TEMPLATES: Final = Version(0, 30, 0)
"""The first release that uses the chat template of the weights if it can do more than TEMPLATE.

Source: `shouldPreferChatTemplate` in server/images.go, v0.33.0-rc2; OLLAMA_GO_TEMPLATE in the server's environment
switches it off.
"""
THINKS_BY_DEFAULT: Final = Version(0, 12, 4, 7)
"""The first release that lets a model think that can, unless the request says otherwise (server/routes.go)."""
REMOVES_THOUGHTS: Final = (Version(0, 6, 7), Version(0, 9, 0))
"""The first release that removes earlier thoughts of some models from a chat, and the first that does so by a parser.

Source: `filterThinkTags` in server/routes.go, v0.6.7 to v0.33.0-rc2.
"""
RENAMES_TOOLS: Final = Version(0, 11, 5, 3)
"""The first release that gives the tools of gpt-oss names that Harmony allows (harmony/harmonyparser.go)."""
HARMONY_IS_PARSER: Final = Version(0, 12, 1, 1)
"""The first release in which that depends on PARSER, too (server/routes.go)."""
KEEPS_BUILT_IN_TOOLS: Final = Version(0, 12, 2, 0)
"""The first release that does not rename tools named as those built into gpt-oss."""
HARMONY_HAS_NO_MAX: Final = Version(0, 21, 3, 0)
"""The first release that lowers the level of thinking `max` to `high` for gpt-oss (server/routes.go)."""
SETS_RENDERERS: Final = Version(0, 20, 0)
"""The first release whose server gives weights of some architectures a renderer and a parser (server/create.go)."""
PARAMETERS_OF_WEIGHTS: Final = frozenset({"stop"})
"""Parameters that a server adds to local weights: those of a detected template, or of the architecture.

Source: template/template.go, whose struct of parameters has only `Stop`, and server/create.go; v0.9.3 to v0.33.0-rc2.
"""
CONVERTS_NO_SAFETENSORS: Final = Version(0, 34, 1)
"""The first release whose server no longer converts safetensors (ollama/ollama#14969: issue tracker, not source)."""

OLDEST_CREATE: Final = Version(0, 7, 1)
"""The oldest release whose `ollama create` is known to the byte (server/create.go and fs/ggml, read at each tag)."""
INHERITED: Final[Mapping[str, Version]] = MappingProxyType(
    {
        "renderer": Version(0, 12, 7),
        "parser": Version(0, 12, 7),
        "requires": Version(0, 14, 0),
        "capabilities": Version(0, 20, 0),
        "model_format": Version(0, 20, 4),
    }
)
"""The keys of a base's config that a model FROM its name gets unless it has its own, with the first release to do so.

Source: server/create.go; never from a file.
"""
CLOUD_NAMES: Final = Version(0, 18, 0)
"""The first release that takes a tag `cloud` for a model that runs elsewhere, and cuts off a tag `local`.

Source: server/model_resolver.go and internal/modelref.
"""
QUANTIZES_FP8: Final = Version(0, 22, 0)
"""The first release whose server quantizes weights that were converted from FP8 to Q8_0, unasked (server/create.go)."""
DETECTS_MODEL_LAYERS: Final = Version(0, 30, 0)
"""The first release in whose configs only model layers count, not adapters and projectors (server/create.go)."""
OMITS_ROOTFS: Final = Version(0, 32, 7)
"""The first release whose configs have no `rootfs` (types/model/config.go)."""
NAMES_ALL_FILE_TYPES: Final = Version(0, 30, 0)
"""The first release that names all types of weights in configs (fs/ggml/type.go)."""
FILE_TYPES_BEFORE: Final = frozenset({*range(1, 4), *range(7, 19), 21, 32})
"""Numbers of the types of weights that older releases name; others are `unknown`."""
NAMES_MXFP4: Final = (Version(0, 11, 0), Version(0, 30, 0), 4)
"""The releases, from the first to before the second, that call a type of this number `MXFP4` (fs/ggml/type.go)."""
