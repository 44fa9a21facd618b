"""GGUF files that need not be downloaded."""

import math
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path


def bare_gguf(name: str, *, file_type: int = 1, kind: str = "model", architecture: str | None = None) -> bytes:
    """Return a GGUF file without tensors, which `mf` takes for whole weights and the fake server accepts.

    Args:
        name: The name of the model, so that the bytes differ.
        file_type: The number of the type of most weights: 1 is F16, 15 is Q4_K_M.
        kind: `model` or `adapter`.
        architecture: The architecture, such as `qwen3`; None: none.
    """

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    texts = {"general.name": name, "general.type": kind} | (
        {"general.architecture": architecture} if architecture else {}
    )
    pairs = [text(key) + struct.pack("<I", 8) + text(value) for key, value in texts.items()]
    pairs.append(text("general.file_type") + struct.pack("<II", 4, file_type))
    return b"".join((b"GGUF", struct.pack("<IQQ", 3, 0, len(pairs)), *pairs))


def write_tiny_gguf(path: Path, seed: int = 0, chat_template: str | None = None) -> Path:
    """Write a llama of one block, 32 wide, with 64 tokens, in F16 (60 kB), to `path` and return it.

    The bytes depend on `seed` and `chat_template` alone.
    """
    import numpy as np
    from gguf import GGUFWriter, LlamaFileType, TokenType

    vocabulary, width, hidden = 64, 32, 192
    tokens = ["<unk>", "<s>", "</s>", *(chr(ord(" ") + index) for index in range(vocabulary - 3))]
    types = [TokenType.UNKNOWN, TokenType.CONTROL, TokenType.CONTROL, *[TokenType.NORMAL] * (vocabulary - 3)]
    shapes = {
        "token_embd": (vocabulary, width),
        "blk.0.attn_norm": (width,),
        "blk.0.attn_q": (width, width),
        "blk.0.attn_k": (width, width),
        "blk.0.attn_v": (width, width),
        "blk.0.attn_output": (width, width),
        "blk.0.ffn_norm": (width,),
        "blk.0.ffn_gate": (hidden, width),
        "blk.0.ffn_up": (hidden, width),
        "blk.0.ffn_down": (width, hidden),
        "output_norm": (width,),
        "output": (vocabulary, width),
    }
    weights = np.random.default_rng(seed)

    writer = GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_context_length(128)
    writer.add_embedding_length(width)
    writer.add_block_count(1)
    writer.add_feed_forward_length(hidden)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_rope_dimension_count(width // 2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(LlamaFileType.MOSTLY_F16)
    writer.add_vocab_size(vocabulary)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * vocabulary)
    writer.add_token_types(types)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    if chat_template is not None:
        writer.add_chat_template(chat_template)
    for name, shape in shapes.items():
        weight = weights.standard_normal(shape, dtype=np.float32)
        writer.add_tensor(f"{name}.weight", weight if len(shape) == 1 else weight.astype(np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def typed_gguf(
    metadata: Mapping[str, tuple[int, bytes] | str | bool | int],
    tensors: Mapping[str, Sequence[int]] | None = None,
    *,
    version: int = 3,
    size: int = 0,
) -> bytes:
    """Return a GGUF file with metadata, and tensors of no data.

    Args:
        metadata: The values by their keys: a text, a bool, a 32-bit unsigned number, or the number of a type and bytes.
        tensors: The shapes of F32 tensors by their names.
        version: The version of the format.
        size: The size of the file in bytes, if it is to be larger.
    """

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value.encode())) + value.encode()

    def encoded(value: tuple[int, bytes] | str | bool | int) -> bytes:
        match value:
            case str():
                return struct.pack("<I", 8) + text(value)
            case bool():
                return struct.pack("<I?", 7, value)
            case int():
                return struct.pack("<II", 4, value)
            case kind, content:
                return struct.pack("<I", kind) + content

    pairs = [text(key) + encoded(value) for key, value in metadata.items()]
    infos, end = [], 0
    for name, shape in (tensors or {}).items():
        infos.append(text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, end))
        end += -(-math.prod(shape) // 8) * 32
    head = struct.pack("<4sIQQ", b"GGUF", version, len(infos), len(pairs))
    content = b"".join((head, *pairs, *infos))
    return content.ljust(max(size, len(content) + 31 + end) if size else 0, b"\0")
