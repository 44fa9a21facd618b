"""Small models of many architectures, of zeros, that a real server loads: their memory is compared with its log."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

WIDTH, HEADS, KV_HEADS, LAYERS, HIDDEN, TOKENS, TRAINED = 256, 8, 2, 4, 512, 259, 131072
Shapes = Mapping[str, tuple[int, ...]]
"""Shapes of tensors, by name, the dimension whose elements are adjacent first."""


class MadeModel(NamedTuple):
    """An architecture with its metadata, and the tensors of each layer."""

    architecture: str
    keys: Mapping[str, Any]
    """Keys of the metadata, without the architecture before them."""
    layer: Shapes
    tied: bool = False
    """True if the output matrix is that of the embedding."""
    blocks: int = LAYERS


_FEED: Shapes = {
    "ffn_norm": (WIDTH,),
    "ffn_gate": (WIDTH, HIDDEN),
    "ffn_up": (WIDTH, HIDDEN),
    "ffn_down": (HIDDEN, WIDTH),
}


def _attention(key: int = 32, value: int = 32) -> Shapes:
    return {
        "attn_norm": (WIDTH,),
        "attn_q": (WIDTH, HEADS * key),
        "attn_k": (WIDTH, KV_HEADS * key),
        "attn_v": (WIDTH, KV_HEADS * value),
        "attn_output": (HEADS * value, WIDTH),
    }


_HEADS: Mapping[str, Any] = {
    "attention.head_count": HEADS,
    "attention.head_count_kv": KV_HEADS,
    "rope.dimension_count": 32,
}
_LONG: Mapping[str, Any] = {"attention.key_length": 64, "attention.value_length": 64}
_SCALES: Mapping[str, Any] = dict.fromkeys(("logit_scale", "residual_scale", "embedding_scale", "attention.scale"), 0.5)
_LORA, _ROPE, _NOPE, _VALUE = 64, 16, 32, 32
_LATENT: Mapping[str, Any] = {
    "attention.head_count": HEADS,
    "attention.q_lora_rank": 32,
    "attention.kv_lora_rank": _LORA,
    "rope.dimension_count": _ROPE,
    "leading_dense_block_count": LAYERS,
    "expert_feed_forward_length": HIDDEN,
    "expert_count": 4,
    "expert_used_count": 2,
    "expert_shared_count": 1,
    "expert_weights_scale": 1.0,
    "rope.scaling.yarn_log_multiplier": 0.1,
}
_LATENT_LAYER: Shapes = {
    "attn_norm": (WIDTH,),
    "attn_q_a": (WIDTH, 32),
    "attn_q_a_norm": (32,),
    "attn_q_b": (32, HEADS * (_NOPE + _ROPE)),
    "attn_kv_a_mqa": (WIDTH, _LORA + _ROPE),
    "attn_kv_a_norm": (_LORA,),
    "attn_output": (HEADS * _VALUE, WIDTH),
    **_FEED,
}
_INNER, _STATE, _RANK, _KERNEL = 512, 16, 16, 4

MODELS: Mapping[str, MadeModel] = {
    "llama": MadeModel("llama", _HEADS, {**_attention(), **_FEED}),
    "llama, key_length 64": MadeModel(
        "llama", {**_HEADS, **_LONG, "rope.dimension_count": 64}, {**_attention(64, 64), **_FEED}
    ),
    "llama, 4 experts": MadeModel(
        "llama",
        {**_HEADS, "expert_count": 4, "expert_used_count": 2},
        {
            **_attention(),
            "ffn_norm": (WIDTH,),
            "ffn_gate_inp": (WIDTH, 4),
            "ffn_gate_exps": (WIDTH, HIDDEN, 4),
            "ffn_up_exps": (WIDTH, HIDDEN, 4),
            "ffn_down_exps": (HIDDEN, WIDTH, 4),
        },
    ),
    "gemma2": MadeModel(
        "gemma2",
        {
            **_HEADS,
            **_LONG,
            "attention.sliding_window": 1024,
            "attn_logit_softcapping": 50.0,
            "final_logit_softcapping": 30.0,
        },
        {**_attention(64, 64), **_FEED, "post_attention_norm": (WIDTH,), "post_ffw_norm": (WIDTH,)},
        tied=True,
        blocks=26,  # others are of no known size, with which llama.cpp stops before it makes its buffers
    ),
    "qwen2": MadeModel(
        "qwen2",
        _HEADS,
        {
            **_attention(),
            **_FEED,
            "attn_q.bias": (WIDTH,),
            "attn_k.bias": (KV_HEADS * 32,),
            "attn_v.bias": (KV_HEADS * 32,),
        },
    ),
    "qwen3": MadeModel(
        "qwen3",
        {**_HEADS, **_LONG, "rope.dimension_count": 64},
        {**_attention(64, 64), **_FEED, "attn_q_norm": (64,), "attn_k_norm": (64,)},
    ),
    "gemma": MadeModel("gemma", {**_HEADS, **_LONG}, {**_attention(64, 64), **_FEED}, tied=True),
    "granite": MadeModel("granite", {**_HEADS, **_SCALES}, {**_attention(), **_FEED}),
    "olmo2": MadeModel(
        "olmo2",
        {**_HEADS, "attention.head_count_kv": HEADS},
        {
            **{name: shape for name, shape in {**_attention(), **_FEED}.items() if not name.endswith("_norm")},
            "attn_k": (WIDTH, WIDTH),
            "attn_v": (WIDTH, WIDTH),
            "attn_q_norm": (WIDTH,),
            "attn_k_norm": (WIDTH,),
            "post_attention_norm": (WIDTH,),
            "post_ffw_norm": (WIDTH,),
        },
    ),
    "cohere2": MadeModel(
        "cohere2",
        {**_HEADS, "attention.sliding_window": 1024, "logit_scale": 0.25, "attention.layer_norm_epsilon": 1e-5},
        {name: shape for name, shape in {**_attention(), **_FEED}.items() if name != "ffn_norm"},
        tied=True,
    ),
    "heads by layer": MadeModel(
        "llama", {**_HEADS, "attention.head_count_kv": [KV_HEADS] * LAYERS}, {**_attention(), **_FEED}
    ),
    "phi3": MadeModel(
        "phi3",
        {**_HEADS, "attention.sliding_window": 1024},
        {
            "attn_norm": (WIDTH,),
            "attn_qkv": (WIDTH, WIDTH + 2 * KV_HEADS * 32),
            "attn_output": (WIDTH, WIDTH),
            "ffn_norm": (WIDTH,),
            "ffn_up": (WIDTH, 2 * HIDDEN),
            "ffn_down": (HIDDEN, WIDTH),
        },
    ),
    "mamba": MadeModel(
        "mamba",
        {
            "ssm.conv_kernel": _KERNEL,
            "ssm.inner_size": _INNER,
            "ssm.state_size": _STATE,
            "ssm.time_step_rank": _RANK,
            "attention.head_count": 0,
        },
        {
            "attn_norm": (WIDTH,),
            "ssm_in": (WIDTH, 2 * _INNER),
            "ssm_conv1d": (_KERNEL, _INNER),
            "ssm_conv1d.bias": (_INNER,),
            "ssm_x": (_INNER, _RANK + 2 * _STATE),
            "ssm_dt": (_RANK, _INNER),
            "ssm_dt.bias": (_INNER,),
            "ssm_a": (_STATE, _INNER),
            "ssm_d": (_INNER,),
            "ssm_out": (_INNER, WIDTH),
        },
    ),
    "deepseek2, latent": MadeModel(
        "deepseek2",
        {
            **_LATENT,
            "attention.head_count_kv": 1,
            "attention.key_length": _LORA + _ROPE,
            "attention.value_length": _LORA,
            "attention.key_length_mla": _NOPE + _ROPE,
            "attention.value_length_mla": _VALUE,
        },
        {**_LATENT_LAYER, "attn_k_b": (_NOPE, _LORA, HEADS), "attn_v_b": (_LORA, _VALUE, HEADS)},
    ),
    "deepseek2": MadeModel(
        "deepseek2",
        {
            **_LATENT,
            "attention.head_count_kv": HEADS,
            "attention.key_length": _NOPE + _ROPE,
            "attention.value_length": _VALUE,
        },
        {**_LATENT_LAYER, "attn_kv_b": (_LORA, HEADS * (_NOPE + _VALUE))},
    ),
}


def write_made_model(path: Path, model: MadeModel) -> Path:
    """Write a model of zeros in F32 (4 MB to 30 MB), and return its path."""
    import numpy as np
    from gguf import GGUFWriter, TokenType

    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    writer = GGUFWriter(path, model.architecture)
    usual = {
        "context_length": TRAINED,
        "embedding_length": WIDTH,
        "block_count": model.blocks,
        "feed_forward_length": HIDDEN,
        "attention.layer_norm_rms_epsilon": 1e-5,
        "vocab_size": TOKENS,
    }
    for key, value in {**usual, **model.keys}.items():
        kinds: Mapping[type, Any] = {float: writer.add_float32, int: writer.add_uint32, list: writer.add_array}
        kinds[type(value)](f"{model.architecture}.{key}", value)
    writer.add_file_type(0)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * TOKENS)
    writer.add_token_types([TokenType.UNKNOWN, TokenType.CONTROL, TokenType.CONTROL, *[TokenType.BYTE] * 256])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    ends = {
        "token_embd": (WIDTH, TOKENS),
        "output_norm": (WIDTH,),
        **({} if model.tied else {"output": (WIDTH, TOKENS)}),
    }
    layers = {f"blk.{layer}.{name}": shape for layer in range(model.blocks) for name, shape in model.layer.items()}
    for name, shape in {**ends, **layers}.items():
        full = name if name.endswith((".bias", "ssm_a", "ssm_d")) else f"{name}.weight"
        writer.add_tensor(full, np.zeros(shape[::-1], np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
