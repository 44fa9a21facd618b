"""The header that safetensors get when Ollama converts them, as far as the memory of the model depends on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from modelfile.weights.facts import header_from_info
from modelfile.weights.header import Tensor
from modelfile.weights.safetensors import read_object
from modelfile.weights.types import TENSOR_TYPES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from modelfile.weights.header import GGUFHeader
    from modelfile.weights.reading import Weights

_ARCHITECTURES: Final = {
    "GemmaForCausalLM": "gemma",
    "LlamaForCausalLM": "llama",
    "MistralForCausalLM": "llama",
    "Qwen2ForCausalLM": "qwen2",
}
"""Names of architectures in config.json and in GGUF, of those whose cache depends on the keys below and no others."""
_KEYS: Final = {
    "num_hidden_layers": ("block_count",),
    "max_position_embeddings": ("context_length",),
    "hidden_size": ("embedding_length",),
    "intermediate_size": ("feed_forward_length",),
    "num_attention_heads": ("attention.head_count",),
    "num_key_value_heads": ("attention.head_count_kv",),
    "head_dim": ("attention.key_length", "attention.value_length"),
    "vocab_size": ("vocab_size",),
}
"""Keys of config.json, and those that Ollama writes from them (convert/convert_llama.go and others, v0.9.3)."""
_F32, _F16 = 0, 1


def converted_header(weights: Weights) -> GGUFHeader:
    """Return the header of converted safetensors: vectors have 32 bits a value, all else 16 (measured on 0.9.3).

    The architecture is empty if it is not known how its memory depends on config.json.

    Raises:
        InputError: A file cannot be read.
    """
    folder = next(iter(weights.files), Path(weights.name)).parent
    config = read_object(folder / "config.json")
    tensors = []
    for tensor in weights.tensors():
        kind = _F32 if len(tensor.shape) < 2 else _F16  # noqa: PLR2004  # a matrix
        elements = 1
        for length in tensor.shape:
            elements *= length
        size = elements * TENSOR_TYPES[kind][2]
        shape = tensor.shape[::-1]
        tensors.append(Tensor(name=tensor.name, shape=shape, kind=kind, offset=0, elements=elements, size=size))
    info = {**_metadata(config), "general.parameter_count": sum(tensor.elements for tensor in tensors)}
    return header_from_info(info, tensors, sum(tensor.size for tensor in tensors))


def _metadata(config: Mapping[str, Any]) -> dict[str, Any]:
    match config.get("architectures"):
        case [str(name), *_] if architecture := _ARCHITECTURES.get(name):
            pass
        case _:
            return {}
    found = {
        f"{architecture}.{key}": value
        for name, keys in _KEYS.items()
        for key in keys
        if type(value := config.get(name)) is int and value > 0
    }
    return {"general.architecture": architecture, **found}
