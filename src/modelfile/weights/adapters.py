"""Adapters and the base that they are applied to: architectures, tensors and their shapes.

Ollama makes a model of any adapter on any base, and fails when it loads the model (measured on 0.9.3).

Source: src/llama-adapter.cpp in llama.cpp, as in v0.9.3 to v0.24.0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from modelfile.catalog.architectures import ADAPTED
from modelfile.catalog.versions import Version
from modelfile.errors import InputError
from modelfile.weights.gguf import read_tensors
from modelfile.weights.header import GGUFHeader, Tensor

_A: Final = ".lora_a"
_B: Final = ".lora_b"
_EMBEDDING: Final = "token_embd.weight"
_ALIASES: Final = {"gptoss": "gpt-oss", "qwen25vl": "qwen2vl"}
"""Ollama's own names of architectures, and those of llama.cpp."""
_OTHER: Final = "name the model that the adapter was trained on in FROM"


def check_adapter_fits(bases: Mapping[Path, GGUFHeader], path: Path, adapter: GGUFHeader) -> None:
    """Reject an adapter of another architecture than the base, or with tensors that the base does not have.

    Args:
        bases: The headers of the model's GGUF files; several if it is split.
        path: The path of the adapter.
        adapter: Its header.

    Raises:
        InputError: It is rejected, or a file cannot be read.
    """
    base_path, base = next(iter(bases.items()))
    own, of_base = (_ALIASES.get(name, name) for name in (adapter.architecture, base.architecture))
    if own and of_base and own != of_base:
        message = f"the adapter `{path}` is for the architecture `{own}`, but `{base_path}` has `{of_base}`"
        raise InputError(message, hint=_OTHER, rule="adapter-mismatch")
    tensors = {tensor.name: tensor for each, header in bases.items() for tensor in read_tensors(each, header)}
    for name, changes in _changes(path, adapter):
        if (tensor := tensors.get(name)) is None:
            message = f"the adapter `{path}` changes `{name}`, which `{base_path}` does not have"
            raise InputError(message, hint=_OTHER, rule="adapter-mismatch")
        if (shape := _shape(changes)) and shape != tensor.shape[:2] and not name.endswith(_EMBEDDING):
            sizes = (" x ".join(map(str, each)) for each in (shape, tensor.shape))
            message = (
                f"the adapter `{path}` changes `{name}` with {next(sizes)}, but in `{base_path}` it has {next(sizes)}"
            )
            raise InputError(message, hint=_OTHER, rule="adapter-mismatch")


def check_conversion(architecture: str, path: Path, version: Version) -> None:
    """Reject an adapter in safetensors that Ollama cannot convert for the architecture of the base.

    Raises:
        InputError: It is rejected.
    """
    if architecture and architecture not in ADAPTED:
        known = " and ".join(f"`{name}`" for name in sorted(ADAPTED))
        problem = f"Ollama {version} converts adapters in safetensors only for {known}, not for `{architecture}`"
        hint = "convert it with llama.cpp's convert_lora_to_gguf.py, and name the GGUF file in ADAPTER"
        raise InputError(f"{problem}: `{path}`", hint=hint, rule="adapter-format")


def _changes(path: Path, adapter: GGUFHeader) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Yield the names of the tensors that an adapter changes, with the one or two tensors that do so."""
    pairs: dict[str, dict[str, Tensor]] = {}
    for tensor in read_tensors(path, adapter):
        if tensor.name.endswith((_A, _B)):
            pairs.setdefault(tensor.name[: -len(_A)], {})[tensor.name[-len(_A) :]] = tensor
    yield from pairs.items()


def _shape(changes: Mapping[str, Tensor]) -> tuple[int, int] | None:
    """Return the dimensions of the tensor that a pair changes; None if it is not a pair of matrices."""
    if len(changes) < 2 or any(len(tensor.shape) < 2 for tensor in changes.values()):  # noqa: PLR2004  # a pair; a matrix
        return None
    return changes[_A].shape[0], changes[_B].shape[1]
