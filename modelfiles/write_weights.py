"""Write the weights of these examples: small, random and always the same (needs the packages gguf and numpy).

python modelfiles/write_weights.py
"""

import hashlib
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter, LlamaFileType, TokenType
from gguf.quants import quantize

HERE = Path(__file__).parent
VOCABULARY, WIDTH, HIDDEN, HEADS, RANK, PATCH, IMAGE = 64, 32, 64, 2, 4, 8, 16
LLAMA = {
    "token_embd": (VOCABULARY, WIDTH),
    "blk.0.attn_norm": (WIDTH,),
    **{f"blk.0.attn_{part}": (WIDTH, WIDTH) for part in ("q", "k", "v", "output")},
    "blk.0.ffn_norm": (WIDTH,),
    "blk.0.ffn_gate": (HIDDEN, WIDTH),
    "blk.0.ffn_up": (HIDDEN, WIDTH),
    "blk.0.ffn_down": (WIDTH, HIDDEN),
    "output_norm": (WIDTH,),
    "output": (VOCABULARY, WIDTH),
}
ADAPTER = {
    f"blk.0.attn_{part}.weight.lora_{side}": (RANK, WIDTH) if side == "a" else (WIDTH, RANK)
    for part in ("q", "v")
    for side in ("a", "b")
}
PROJECTOR = {
    "v.patch_embd.weight": (WIDTH, 3, PATCH, PATCH),
    "v.position_embd.weight": ((IMAGE // PATCH) ** 2, WIDTH),
    **{f"v.blk.0.attn_{part}.weight": (WIDTH, WIDTH) for part in ("q", "k", "v", "out")},
    **{f"v.blk.0.ln{number}.{part}": (WIDTH,) for number in (1, 2) for part in ("weight", "bias")},
    "v.blk.0.ffn_up.weight": (HIDDEN, WIDTH),
    "v.blk.0.ffn_down.weight": (WIDTH, HIDDEN),
    "mm.0.weight": (WIDTH, WIDTH),
    "mm.0.bias": (WIDTH,),
    "mm.2.weight": (WIDTH, WIDTH),
    "mm.2.bias": (WIDTH,),
}


def random(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return numbers from -1 to 1 that depend on the name alone."""
    count = int(np.prod(shape))
    drawn = np.frombuffer(hashlib.shake_256(name.encode()).digest(2 * count), "<i2")
    return (drawn / np.float32(1 << 15)).astype(np.float32).reshape(shape)


def finish(writer: GGUFWriter) -> None:
    """Write the file."""
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_llama(path: Path, kind: GGMLQuantizationType = GGMLQuantizationType.F16) -> None:
    """Write a llama of one block, whose vectors are in F32 and whose matrices have the type `kind`."""
    writer = GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_context_length(4096)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(LlamaFileType[f"MOSTLY_{kind.name}"])
    writer.add_vocab_size(VOCABULARY)
    writer.add_tokenizer_model("llama")
    special = ["<unk>", "<s>", "</s>"]
    writer.add_token_list([*special, *(chr(ord(" ") + at) for at in range(VOCABULARY - len(special)))])
    writer.add_token_scores([0.0] * VOCABULARY)
    writer.add_token_types(
        [TokenType.UNKNOWN, TokenType.CONTROL, TokenType.CONTROL, *[TokenType.NORMAL] * (VOCABULARY - len(special))]
    )
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    for name, shape in LLAMA.items():
        weight = random(name, shape)
        if len(shape) > 1:
            writer.add_tensor(f"{name}.weight", quantize(weight, kind), raw_dtype=kind)
        else:
            writer.add_tensor(f"{name}.weight", weight)
    finish(writer)


def write_adapter(path: Path) -> None:
    """Write a LoRA of rank 4 for the queries and values of that llama."""
    writer = GGUFWriter(path, "llama")
    writer.add_type("adapter")
    writer.add_name("tiny-lora")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 8.0)
    for name, shape in ADAPTER.items():
        writer.add_tensor(name, random(name, shape))
    finish(writer)


def write_projector(path: Path) -> None:
    """Write a vision encoder of one block, and the projection of what it sees to the llama's width."""
    writer = GGUFWriter(path, "clip")
    writer.add_type("mmproj")
    writer.add_name("tiny-vision")
    writer.add_file_type(LlamaFileType.ALL_F32)
    writer.add_clip_has_vision_encoder(value=True)
    writer.add_clip_projector_type("mlp")
    writer.add_vision_image_size(IMAGE)
    writer.add_vision_patch_size(PATCH)
    writer.add_vision_embedding_length(WIDTH)
    writer.add_vision_feed_forward_length(HIDDEN)
    writer.add_vision_block_count(1)
    writer.add_vision_head_count(HEADS)
    writer.add_vision_projection_dim(WIDTH)
    writer.add_vision_attention_layernorm_eps(1e-5)
    writer.add_vision_image_mean([0.5] * 3)
    writer.add_vision_image_std([0.5] * 3)
    writer.add_vision_use_gelu(value=True)
    for name, shape in PROJECTOR.items():
        writer.add_tensor(name, random(name, shape))
    finish(writer)


def write_all(folder: Path = HERE) -> None:
    """Write the weights of every example."""
    for name in ("local-gguf", "lora-adapter", "vision", "quantized-pair"):
        (folder / name).mkdir(exist_ok=True)
    write_llama(folder / "local-gguf" / "tiny.gguf")  # examples/support has a copy
    write_llama(folder / "lora-adapter" / "base.gguf")
    write_adapter(folder / "lora-adapter" / "adapter.gguf")
    write_llama(folder / "vision" / "model.gguf")
    write_projector(folder / "vision" / "mmproj.gguf")
    write_llama(folder / "quantized-pair" / "tiny-f16.gguf")
    write_llama(folder / "quantized-pair" / "tiny-q8_0.gguf", GGMLQuantizationType.Q8_0)


if __name__ == "__main__":
    write_all()
