"""A folder of safetensors that Ollama converts, and a LoRA for it, written without a library."""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

VOCABULARY, WIDTH, HIDDEN = 64, 32, 192
LAYER = "model.layers.0."
SHAPES = {
    "model.embed_tokens.weight": (VOCABULARY, WIDTH),
    f"{LAYER}input_layernorm.weight": (WIDTH,),
    f"{LAYER}self_attn.q_proj.weight": (WIDTH, WIDTH),
    f"{LAYER}self_attn.k_proj.weight": (WIDTH, WIDTH),
    f"{LAYER}self_attn.v_proj.weight": (WIDTH, WIDTH),
    f"{LAYER}self_attn.o_proj.weight": (WIDTH, WIDTH),
    f"{LAYER}post_attention_layernorm.weight": (WIDTH,),
    f"{LAYER}mlp.gate_proj.weight": (HIDDEN, WIDTH),
    f"{LAYER}mlp.up_proj.weight": (HIDDEN, WIDTH),
    f"{LAYER}mlp.down_proj.weight": (WIDTH, HIDDEN),
    "model.norm.weight": (WIDTH,),
    "lm_head.weight": (VOCABULARY, WIDTH),
}


def write_safetensors(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> Path:
    """Write tensors of zeros in F16."""
    header, end = {}, 0
    for name, shape in shapes.items():
        start, end = end, end + 2 * shape[0] * (shape[1] if len(shape) > 1 else 1)
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(end))
    return path


def write_model(folder: Path, shards: int = 1) -> Path:
    """Write a llama of one block, in so many files."""
    folder.mkdir(parents=True, exist_ok=True)
    if shards == 1:
        write_safetensors(folder / "model.safetensors", SHAPES)
    else:
        index: dict[str, str] = {}
        for number in range(shards):
            shapes = dict(list(SHAPES.items())[number::shards])
            path = write_safetensors(folder / f"model-{number + 1:05}-of-{shards:05}.safetensors", shapes)
            index |= dict.fromkeys(shapes, path.name)
        write_json(folder / "model.safetensors.index.json", {"weight_map": index})
    write_json(
        folder / "config.json",
        {
            "architectures": ["LlamaForCausalLM"],
            "hidden_size": WIDTH,
            "intermediate_size": HIDDEN,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "num_hidden_layers": 1,
            "rms_norm_eps": 1e-5,
            "vocab_size": VOCABULARY,
            "max_position_embeddings": 128,
        },
    )
    tokens = ["<unk>", "<s>", "</s>", *(chr(ord(" ") + number) for number in range(VOCABULARY - 3))]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    added = [{"id": number, "content": token, "special": True} for number, token in enumerate(tokens[:3])]
    model = {"type": "BPE", "vocab": vocabulary, "merges": []}
    write_json(folder / "tokenizer.json", {"version": "1.0", "added_tokens": added, "model": model})
    return folder


def write_lora(folder: Path) -> Path:
    """Write an adapter of rank 4, by a name that every version of Ollama looks for."""
    folder.mkdir(parents=True, exist_ok=True)
    target = f"base_model.model.{LAYER}self_attn.q_proj"
    shapes = {f"{target}.lora_A.weight": (4, WIDTH), f"{target}.lora_B.weight": (WIDTH, 4)}
    write_safetensors(folder / "model.safetensors", shapes)
    write_json(folder / "adapter_config.json", {"lora_alpha": 8, "r": 4})
    return folder


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON."""
    path.write_text(json.dumps(value))
