"""All types that `ollama create --quantize` accepts in some version of Ollama."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from modelfile.catalog.versions import Version
from modelfile.immutable import record


@record(kw_only=True)
class Quantization:
    """A type that `ollama create --quantize` accepts, in any case."""

    name: str
    since: Version
    """The first release that accepts it."""
    until: Version | None = None
    """The first release that no longer accepts it."""
    experimental: bool = False
    """True if only `ollama create --experimental` accepts it, for a folder of safetensors; the server rejects it."""
    means: str
    """The type that results: the same, unless this is an alias."""
    source: str


_ENDED: Final = Version(0, 34, 1)
"""The first release whose server no longer quantizes (ollama/ollama#14969: issue tracker, not read in source)."""
_FEWER_TYPES: Final = Version(0, 7, 0)
_FIRST_TYPES: Final = "v0.1.32 llm/llm.go"
_MORE_TYPES: Final = "v0.1.39 llm/filetype.go"
_REMAINING: Final = "v0.7.0 fs/ggml/type.go; until by ollama/ollama#14969"
_REMOVED: Final = "; v0.7.0 fs/ggml/type.go"
_SAFETENSORS: Final = "v0.15.5 x/create/create.go"

_SERVER: Final = (
    (("F32", "F16", "Q8_0", "Q4_K_S", "Q4_K_M"), Version(0, 1, 32), _ENDED, f"{_FIRST_TYPES}; {_REMAINING}"),
    (("BF16",), Version(0, 1, 39), _ENDED, f"{_MORE_TYPES}; {_REMAINING}"),
    (("Q4_K",), Version(0, 7, 0), _ENDED, _REMAINING),
    (
        (
            *("Q4_0", "Q4_1", "Q4_1_F16", "Q5_0", "Q5_1", "Q2_K", "Q2_K_S", "Q3_K_S", "Q3_K_M", "Q3_K_L"),
            *("Q5_K_S", "Q5_K_M", "Q6_K", "IQ2_XXS", "IQ2_XS", "IQ3_XXS"),
        ),
        *(Version(0, 1, 32), _FEWER_TYPES, _FIRST_TYPES + _REMOVED),
    ),
    (("Q3_K_XS",), Version(0, 1, 32), Version(0, 1, 39), f"{_FIRST_TYPES}; {_MORE_TYPES}"),
    (
        ("IQ1_S", "IQ1_M", "IQ2_S", "IQ2_M", "IQ3_XS", "IQ3_S", "IQ4_NL", "IQ4_XS"),
        *(Version(0, 1, 39), _FEWER_TYPES, _MORE_TYPES + _REMOVED),
    ),
    (("IQ3_M",), Version(0, 4, 5), _FEWER_TYPES, "v0.4.5 llm/filetype.go" + _REMOVED),
)
_CLIENT: Final = (
    (("FP4", "FP8"), Version(0, 14, 3), "v0.14.3 x/create/client/quantize.go"),
    (("INT4", "INT8", "Q4", "Q8", "NVFP4", "MXFP8"), Version(0, 15, 5), _SAFETENSORS),
    (("MXFP4",), Version(0, 18, 3), "v0.18.3 x/create/create.go"),
)
_ALIASES: Final = {"Q4_K": "Q4_K_M", "FP4": "INT4", "Q4": "INT4", "FP8": "INT8", "Q8": "INT8"}

QUANTIZATIONS: Final[Mapping[str, Quantization]] = MappingProxyType(
    {
        name: Quantization(
            name=name,
            since=since,
            until=until,
            experimental=until is None,
            means=_ALIASES.get(name, name),
            source=source,
        )
        for names, since, until, source in (
            *_SERVER,
            *((names, since, None, source) for names, since, source in _CLIENT),
        )
        for name in names
    }
)

PROGRAM_ALIASES: Final = MappingProxyType({"Q3_K": "Q3_K_M", "Q4_K": "Q4_K_M", "Q5_K": "Q5_K_M"})
"""Names of types of llama-quantize that stand for others (tools/quantize/quantize.cpp of llama.cpp)."""

QUANTIZES_FROM: Final = (
    (Version(0, 1, 32), frozenset({"F16"})),
    (Version(0, 1, 35), frozenset({"F16", "F32"})),
    (Version(0, 22, 0), frozenset({"F16", "F32", "BF16"})),
)
"""The types of weights that the server can quantize, by release (server/images.go, later server/create.go)."""
