"""Headers of models as values, without files."""

from collections.abc import Mapping
from typing import Any

from modelfile.weights.header import GGUFArray, GGUFHeader, TypeTotal


def header_of(architecture: str, *, weights: int = 0, tokens: int = 0, **keys: Any) -> GGUFHeader:
    """Return the header of a model.

    Args:
        architecture: Its architecture.
        weights: Size of its tensors, in bytes.
        tokens: Tokens of its vocabulary.
        keys: Its metadata, without the architecture before each key, and `__` for a dot; a list is by layer.
    """
    named: Mapping[str, Any] = {f"{architecture}.{key.replace('__', '.')}": value for key, value in keys.items()}
    return GGUFHeader(
        metadata={
            "general.architecture": architecture,
            **{key: value for key, value in named.items() if not isinstance(value, list)},
        },
        lists={key: tuple(value) for key, value in named.items() if isinstance(value, list)},
        arrays={"tokenizer.ggml.tokens": GGUFArray(kind=8, length=tokens, offset=0)} if tokens else {},
        types={12: TypeTotal(tensors=1, elements=weights * 2, bytes=weights)} if weights else {},
        size=weights,
        needed=weights,
        blocks=0,
    )


LLAMA_3_8B = header_of(
    "llama",
    weights=4_912_898_304,
    tokens=128256,
    block_count=32,
    context_length=8192,
    embedding_length=4096,
    feed_forward_length=14336,
    attention__head_count=32,
    attention__head_count_kv=8,
)
MIXTRAL_8X7B = header_of(
    "llama",
    weights=26_441_388_032,
    tokens=32000,
    block_count=32,
    context_length=32768,
    embedding_length=4096,
    feed_forward_length=14336,
    expert_count=8,
    expert_used_count=2,
    attention__head_count=32,
    attention__head_count_kv=8,
)
GEMMA_2_9B = header_of(
    "gemma2",
    weights=5_443_142_656,
    tokens=256000,
    block_count=42,
    context_length=8192,
    embedding_length=3584,
    attention__head_count=16,
    attention__head_count_kv=8,
    attention__key_length=256,
    attention__value_length=256,
    attention__sliding_window=4096,
)
GEMMA_3_270M = header_of(
    "gemma3",
    weights=241_410_208,
    tokens=262144,
    block_count=18,
    context_length=32768,
    embedding_length=640,
    attention__head_count=4,
    attention__head_count_kv=1,
    attention__key_length=256,
    attention__value_length=256,
    attention__sliding_window=512,
)
QWEN_2_5_7B = header_of(
    "qwen2",
    weights=4_683_073_536,
    tokens=152064,
    block_count=28,
    context_length=32768,
    embedding_length=3584,
    attention__head_count=28,
    attention__head_count_kv=4,
)
DEEPSEEK_V2_LITE = header_of(
    "deepseek2",
    weights=10_364_416_768,
    tokens=102400,
    block_count=27,
    context_length=163840,
    embedding_length=2048,
    attention__head_count=16,
    attention__head_count_kv=1,
    attention__kv_lora_rank=512,
    attention__key_length=576,
    attention__value_length=512,
    attention__key_length_mla=192,
    attention__value_length_mla=128,
)
"""As llama.cpp converts it since April 2025, with keys for multi-head latent attention."""
DEEPSEEK_V2_LITE_EARLY = header_of(
    "deepseek2",
    weights=10_364_416_768,
    tokens=102400,
    block_count=27,
    context_length=163840,
    embedding_length=2048,
    attention__head_count=16,
    attention__head_count_kv=16,
    attention__kv_lora_rank=512,
    attention__key_length=192,
    attention__value_length=128,
)
"""As llama.cpp converted it before."""
MAMBA_2_8B = header_of(
    "mamba",
    weights=2_941_337_600,
    tokens=50280,
    block_count=64,
    context_length=1048576,
    embedding_length=2560,
    attention__head_count=0,
    ssm__conv_kernel=4,
    ssm__inner_size=5120,
    ssm__state_size=16,
    ssm__time_step_rank=160,
)
GPT_OSS_20B = header_of(
    "gpt-oss",
    weights=13_780_162_560,
    tokens=201088,
    block_count=24,
    context_length=131072,
    embedding_length=2880,
    attention__head_count=64,
    attention__head_count_kv=8,
    attention__key_length=64,
    attention__value_length=64,
    attention__sliding_window=128,
)
