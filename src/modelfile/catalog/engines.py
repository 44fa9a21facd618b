"""The engines of Ollama by version and architecture: the slots, caches, windows and batches that they make.

Ollama has had three engines: its copy of llama.cpp, one of its own for some architectures, and since 0.30.0
llama-server. They were read at v0.9.3 to v0.33.0-rc2 of ollama/ollama (kvcache/causal.go, llm, server, model/models,
fs/ggml/ggml.go) and in llama.cpp at its copies there (`create_memory` and `load_hparams` in src/llama-model.cpp) and
as of the middle of 2026 (src/models). An architecture that is in no table here has a cache that is not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from modelfile.catalog.versions import Version
from modelfile.immutable import record

SINGLE_SLOT: Final = Version(0, 10, 0)
"""The first release that runs one request at a time by default, not two (`defaultParallel` in server/sched.go)."""
SLIDES_WINDOWS: Final = Version(0, 11, 5)
"""The first release whose llama.cpp has short caches for sliding windows, and hybrid models (llama.cpp #13194)."""
PADS_BY_256: Final = Version(0, 13, 2)
"""The first release that pads a cache to 256 tokens without flash attention, too (llama-context.cpp, causal.go)."""
FLASH_ATTENTION_BY_DEFAULT: Final = Version(0, 13, 4)
"""The first release that uses flash attention in llama.cpp wherever it can (`FlashAttentionAuto` in llm/server.go)."""
LLAMA_SERVER: Final = Version(0, 30, 0)
"""The first release that runs all GGUF files in llama-server (llm/llama_server.go)."""
LIMITS_OUTPUTS: Final = Version(0, 30, 9)
"""The first release whose llama-server surely keeps one output for each slot, not one for each token of a batch.

Source: llama.cpp #23861 of June 2026; builds by LLAMA_CPP_VERSION of ollama/ollama.
"""
CPU, METAL, GPU = 0, 512 << 20, 457 << 20
"""Memory that Ollama leaves to a GPU's driver, in bytes (`MinimumMemory` in discover/gpu.go and gpu_darwin.go)."""
MAX_WINDOW_MEMORY: Final = 4096
"""Tokens of a window's cache of gpt-oss in Ollama's engine (`NewSWAMemCache` in model/models/gptoss/model.go)."""
_BATCHES: Final = ((32768, 2048), (4096, 1024))
"""Tokens of a batch for contexts beyond a length, if the memory allows (`generationBatchForContext`)."""
_BATCH: Final = 512
_DEFAULTS: Final = ((47 << 30, 262144), (23 << 30, 32768), (0, 4096))
"""The default of num_ctx by GPU memory in bytes (server/routes.go since v0.15.5)."""
_DEFAULT_BY_MEMORY: Final = Version(0, 15, 5)


@record(kw_only=True)
class CacheLayout:
    """How the layers of an architecture remember earlier tokens."""

    every: int = 0
    """One layer in so many sees the whole context, the others a sliding window; 0: all layers see all."""
    full_first: bool = False
    """True if the first of so many layers sees the whole context, not the last."""
    window: int = 0
    """Tokens of the window if the header has none; 0: without one in the header, all layers see all."""
    fixed_window: bool = False
    """True if the header cannot change it, but switch it off by a 0."""
    pattern: bool = False
    """True if the header must say which layers have a window."""
    shared: bool = False
    """True if the header may say that the last layers use the cache of others (`attention.shared_kv_layers`)."""
    cached: int | None = None
    """Layers that have a cache; the rest use that of others. None: all."""
    recurrent: str = ""
    """Layers with a state of a fixed size: `all`, `both` (beside a cache), `headless` (those without KV heads),
    `idle` (of these, those without a feed-forward network), or `interval` (all but one of so many)."""
    cacheless: bool = False
    """True for embedding and diffusion models, which see all tokens at once."""


_PLAIN: Final = CacheLayout()
_HEADLESS: Final = CacheLayout(recurrent="headless")
_INTERVAL: Final = CacheLayout(recurrent="interval")
_PLAIN_NAMES: Final = (
    "arcee arctic baichuan bailingmoe bailingmoe2 bitnet bloom chameleon chatglm codeshell command-r dbrx "
    "deci deepseek deepseek2 deepseek2-ocr dots1 ernie4_5 ernie4_5-moe exaone falcon gemma glm4 glm4moe "
    "gpt2 gptneox granite granitemoe grok hunyuan-dense hunyuan-moe internlm2 jais llama minicpm minicpm3 "
    "minimax-m2 mistral3 mistral4 mpt nemotron olmo olmoe openelm orion phi2 phi3 phimoe plm qwen qwen2 "
    "qwen2moe qwen2vl qwen25vl qwen3 qwen3moe qwen3vl qwen3vlmoe refact seed_oss smollm3 solar stablelm "
    "starcoder starcoder2 xverse"
)
_CACHELESS_NAMES: Final = (
    "bert gemma-embedding jina-bert-v2 jina-bert-v3 modern-bert neo-bert nomic-bert nomic-bert-moe dream "
    "llada llada-moe rnd1"
)
_LAYOUTS: Final[Mapping[str, CacheLayout]] = MappingProxyType(
    {
        **dict.fromkeys(_PLAIN_NAMES.split(), _PLAIN),
        **dict.fromkeys(_CACHELESS_NAMES.split(), CacheLayout(cacheless=True)),
        **dict.fromkeys(("mamba", "mamba2"), CacheLayout(recurrent="all")),
        "afmoe": CacheLayout(every=4),
        "cohere2": CacheLayout(every=4),
        "gemma2": CacheLayout(every=2, window=4096),
        "gemma3": CacheLayout(every=6),
        "gemma3n": CacheLayout(every=5, cached=20),
        "gemma4": CacheLayout(every=1, pattern=True, shared=True),
        **dict.fromkeys(("gpt-oss", "gptoss"), CacheLayout(every=2)),
        "laguna": CacheLayout(every=4, full_first=True),
        "llama4": CacheLayout(every=4, window=8192, fixed_window=True),
        "olmo2": CacheLayout(every=4),
        "falcon-h1": CacheLayout(recurrent="both"),
        **dict.fromkeys(("granitehybrid", "jamba", "lfm2", "lfm2moe"), _HEADLESS),
        **dict.fromkeys(("nemotron_h", "nemotron_h_moe"), CacheLayout(recurrent="idle")),
        **dict.fromkeys(("qwen3next", "qwen35", "qwen35moe"), _INTERVAL),
    }
)
"""The layouts in llama.cpp, by architecture."""
_OWN_ENGINE: Final[Mapping[str, Version]] = MappingProxyType(
    {
        "gemma3": Version(0, 6, 0),
        "mistral3": Version(0, 6, 5),
        "llama4": Version(0, 6, 7),
        **dict.fromkeys(("mllama", "qwen25vl"), Version(0, 7, 0)),
        "gemma3n": Version(0, 9, 3),
        "gptoss": Version(0, 11, 0),
        "gpt-oss": Version(0, 11, 5),
        "qwen3moe": Version(0, 12, 2),
        "qwen3": Version(0, 12, 6),
        **dict.fromkeys(("qwen3vl", "qwen3vlmoe"), Version(0, 12, 7)),
        **dict.fromkeys(("deepseek2", "deepseekocr"), Version(0, 13, 0)),
        "nomic-bert": Version(0, 13, 1),
        "olmo3": Version(0, 13, 4),
        "bert": Version(0, 13, 5),
        **dict.fromkeys(("glm4moelite", "lfm2"), Version(0, 14, 3)),
        **dict.fromkeys(("glmocr", "qwen3next"), Version(0, 15, 5)),
        **dict.fromkeys(("lfm2moe", "nemotron_h", "nemotron_h_moe", "qwen35", "qwen35moe"), Version(0, 17, 1)),
        "gemma4": Version(0, 20, 0),
        **dict.fromkeys(("laguna", "nemotron_h_omni"), Version(0, 22, 0)),
    }
)
"""Architectures of Ollama's own engine, with the first release that runs them there (`OllamaEngineRequired`)."""
_OWN_WINDOWS: Final = frozenset({"gemma3", "gpt-oss", "gptoss"})
"""Those of which the windows in Ollama's own engine were read; of others with windows or states, they were not."""
_FLASH_ATTENTION: Final[Mapping[str, Version]] = MappingProxyType(
    {
        **dict.fromkeys(("gpt-oss", "gptoss"), Version(0, 11, 8)),
        **dict.fromkeys(("qwen3", "qwen3moe"), Version(0, 12, 4)),
        "gemma3": Version(0, 12, 6),
        **dict.fromkeys(("qwen3vl", "qwen3vlmoe"), Version(0, 12, 8)),
        "mistral3": Version(0, 13, 2),
    }
)
"""Architectures of Ollama's own engine with flash attention by default, with the first release (fs/ggml/ggml.go)."""


def runs_in_own_engine(architecture: str, version: Version) -> bool:
    """Return whether a release runs an architecture in Ollama's own engine."""
    first = _OWN_ENGINE.get(architecture)
    return first is not None and first <= version < LLAMA_SERVER


def cache_layout(architecture: str, version: Version) -> CacheLayout | None:
    """Return the layout of an architecture's cache in a release; None if it is not known."""
    layout = _LAYOUTS.get(architecture)
    if layout is None:
        return None
    if runs_in_own_engine(architecture, version):
        return layout if layout is _PLAIN or layout.cacheless or architecture in _OWN_WINDOWS else None
    if version >= SLIDES_WINDOWS or architecture == "mamba":
        return layout
    return None if layout.recurrent else _PLAIN if layout.every else layout


def has_windows(architecture: str, stated: int) -> bool:
    """Return whether some layers of an architecture see a sliding window, whatever room a release gives them.

    Args:
        architecture: The architecture.
        stated: The window in the header, in tokens; 0: none.
    """
    layout = _LAYOUTS.get(architecture, _PLAIN)
    return bool(layout.every and (stated or layout.window))


def uses_flash_attention(architecture: str, version: Version) -> bool:
    """Return whether a release uses flash attention for an architecture unless its environment says otherwise."""
    if runs_in_own_engine(architecture, version):
        return architecture in _FLASH_ATTENTION and version >= _FLASH_ATTENTION[architecture]
    return version >= FLASH_ATTENTION_BY_DEFAULT


def default_slots(version: Version) -> int:
    """Return how many requests a release runs at a time by default; each has a context of its own."""
    return 1 if version >= SINGLE_SLOT else 2


def batch_size(context: int, version: Version) -> int:
    """Return the tokens that a release processes at a time, at most, unless num_batch says otherwise."""
    if version >= LLAMA_SERVER:
        return next((batch for above, batch in _BATCHES if context > above), min(_BATCH, context))
    return min(_BATCH, context)


def default_context(version: Version, gpu_memory: int) -> int:
    """Return the default of num_ctx.

    Args:
        version: The release.
        gpu_memory: The memory of all GPUs, in bytes.
    """
    from modelfile.catalog.parameters import PARAMETERS

    if version >= _DEFAULT_BY_MEMORY:
        return next(context for least, context in _DEFAULTS if gpu_memory >= least)
    known = [value for since, value in PARAMETERS["num_ctx"].defaults if since <= version and isinstance(value, int)]
    return known[-1] if known else 2048
