"""The size of a model in a type that it is not in, from the list of its tensors.

A file type such as Q4_K_M gives each tensor a type of its own, by name, layer and width: a small model with a large
vocabulary has far more bits per weight than the type's mean. The choice is that of `llama_tensor_get_type_impl` and
`tensor_allows_quantization` in src/llama-quant.cpp of llama.cpp (August 2026), with an importance matrix for I-quants.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from math import prod
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from modelfile.weights.layers import count_of, head_count, kv_head_count
from modelfile.weights.types import TENSOR_TYPES

if TYPE_CHECKING:
    from modelfile.weights.header import GGUFHeader
    from modelfile.weights.reading import ListedTensor

_SIZES: Final[Mapping[str, tuple[int, int]]] = MappingProxyType(
    {name: (elements, size) for name, elements, size in TENSOR_TYPES.values()}
)
"""Elements and bytes of a block, by type."""
_MAIN: Final[Mapping[str, str]] = MappingProxyType(
    {
        **{name: name for name in ("F16", "Q8_0", "Q6_K", "Q2_K", "IQ4_XS", "IQ3_XXS", "IQ2_XXS")},
        **dict.fromkeys(("Q5_K_M", "Q5_K_S"), "Q5_K"),
        **dict.fromkeys(("Q4_K_M", "Q4_K_S"), "Q4_K"),
        **dict.fromkeys(("Q3_K_L", "Q3_K_M", "Q3_K_S"), "Q3_K"),
        "IQ3_M": "IQ3_S",
        "IQ2_M": "IQ2_S",
    }
)
"""The type of most tensors, by file type (`llama_ftype_get_default_type`)."""
_NARROWER: Final[Mapping[str, str]] = MappingProxyType(
    {"Q2_K": "Q4_0", "Q3_K": "Q4_0", "Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0"}
)
"""The type of tensors whose rows are no multiple of 256; of I-quants, IQ4_NL."""
_KEPT: Final = re.compile(
    r"_norm\.weight|ffn_gate_inp\.weight|ffn_gate_tid2eid|altup|laurel|per_layer_model_proj|ssm_conv1d|shortconv\.conv"
    r"|indexer\.[kq]_proj|time_mix_(?:first|[wva][012]|g[12]|decay_w[12]|lerp_fused)\.weight|attn_rel_b\.weight"
    r"|position_embd|token_types|^(?:a|mm|s|v)\."
)
"""Names of tensors that keep their type."""
_ROLES: Final = re.compile(
    r"attn_(?:qkv|kv_b|v|k|q|output)\.weight|ffn_down|^output\.weight|^(?:per_layer_)?token_embd"
)
_VALUES: Final = ("attn_v.weight", "attn_qkv.weight", "attn_kv_b.weight")
_BLOCK: Final = re.compile(r"blk\.([0-9]{1,4})\.")
_OTHERS: Final = frozenset({"falcon", "glm5-next"})
"""Architectures with other choices."""
_MIXTRAL: Final = 8
"""The number of experts for which llama.cpp has choices of its own."""
_BY_ROLE: Final[Mapping[tuple[str, str], str]] = MappingProxyType(
    {
        **{(name, "output.weight"): "Q5_K" for name in ("IQ3_XXS", "IQ2_M", "IQ2_XXS")},
        **{
            (name, "token_embd"): kind for name, kind in (("IQ3_XXS", "IQ3_S"), ("IQ2_M", "IQ3_S"), ("IQ2_XXS", "Q2_K"))
        },
        **{(name, "attn_v.weight"): "Q4_K" for name in ("IQ3_M", "Q3_K_M")},
        **{("IQ3_XXS", f"attn_{letter}.weight"): "IQ2_S" for letter in "kq"},
        ("Q3_K_L", "attn_v.weight"): "Q5_K",
        ("Q2_K", "attn_v.weight"): "Q3_K",
        ("IQ2_M", "attn_v.weight"): "IQ3_S",
        ("IQ2_XXS", "attn_v.weight"): "Q2_K",
        ("Q3_K_L", "ffn_down"): "Q5_K",
        ("Q3_K_M", "ffn_down"): "Q4_K",
        ("Q2_K", "ffn_down"): "Q3_K",
        ("Q3_K_L", "attn_output.weight"): "Q5_K",
        **{(name, "attn_output.weight"): "Q4_K" for name in ("IQ3_M", "Q3_K_M")},
        ("Q2_K", "attn_output.weight"): "Q3_K",
        **{(name, "attn_output.weight"): "IQ3_S" for name in ("IQ3_XXS", "IQ2_M")},
    }
)
"""The types of tensors that differ from that of most, by file type and role."""
_GROUPED: Final[Mapping[str, str]] = MappingProxyType(
    {"IQ4_XS": "Q5_K", **dict.fromkeys(("Q2_K", "IQ3_XXS", "IQ2_M", "IQ2_XXS"), "Q4_K")}
)
"""The types of values that four heads or more share, by file type."""
_EARLY: Final[Mapping[str, str]] = MappingProxyType(
    {"Q4_K_S": "Q5_K", "Q3_K_M": "Q5_K", "IQ3_M": "Q4_K", "IQ2_M": "IQ3_S", "IQ2_XXS": "Q2_K"}
)
"""The types of `ffn_down` in the first layers, by file type."""
_EARLY_VALUES: Final[Mapping[str, int]] = MappingProxyType({"Q3_K_M": 2, "Q4_K_S": 4})
"""Tensors of values that are Q5_K, by file type."""


class _Counts(NamedTuple):
    """The numbers of a model that decide on types."""

    shared: int
    """Heads that share a key and a value."""
    experts: int
    layers: int
    is_70b: bool
    values: int
    """Tensors of values."""


def quantized_size(header: GGUFHeader, tensors: Iterable[ListedTensor], file_type: str) -> int | None:
    """Return the size of a model's tensors in a file type, in bytes; None if that is not known.

    Args:
        header: The header of its weights.
        tensors: Its tensors.
        file_type: The type, such as `Q4_K_M`.
    """
    listed = sorted(tensors, key=lambda each: (_layer(each.name), each.name))
    if not listed or (main := _MAIN.get(file_type)) is None or header.architecture in _OTHERS:
        return None
    heads, kv_heads, layers = head_count(header), kv_head_count(header), header.number("block_count")
    counts = _Counts(
        shared=heads // kv_heads if kv_heads else 0,
        experts=count_of(header, "expert_count"),
        layers=layers,
        is_70b=header.architecture == "llama" and layers == 80 and heads != kv_heads,  # noqa: PLR2004  # LLM_TYPE_70B
        values=sum(_role(each.name) in _VALUES for each in listed),
    )
    has_output, seen, total = any(each.name == "output.weight" for each in listed), dict[str, int](), 0
    for tensor in listed:
        if prod(tensor.shape) == tensor.shape[0] or not tensor.name.endswith("weight") or _KEPT.search(tensor.name):
            total += tensor.size
            continue
        role, kind = _role(tensor.name), main
        if role == "token_embd" and not has_output:
            role = "output.weight"
        elif role in _VALUES:
            role = "attn_v.weight"
        number = seen[role] = seen.get(role, -1) + 1
        if role == "ffn_down" and counts.experts > 1 and not file_type.startswith("IQ2"):
            number = _layer(tensor.name)
        if main != "F16":
            kind = _fitting(_choose(file_type, role, number, tensor.shape[0], counts), tensor.shape[0])
        elements, size = _SIZES[kind]
        total += prod(tensor.shape) // elements * size
    return total


def _layer(name: str) -> int:
    return int(found[1]) if (found := _BLOCK.search(name)) else -1


def _role(name: str) -> str:
    return found[0].removeprefix("per_layer_") if (found := _ROLES.search(name)) else ""


def _choose(file_type: str, role: str, number: int, width: int, counts: _Counts) -> str:
    """Return the type of a tensor, the `number`th of its role."""
    main = _MAIN[file_type]
    kind = _BY_ROLE.get((file_type, role), main)
    match role:
        case "output.weight":
            is_wide = not width % _SIZES[main][0]
            kind = "Q8_0" if main == "Q8_0" or not is_wide else "Q6_K" if kind == main else kind
        case "attn_v.weight":
            kind = _choose_for_values(file_type, kind, number, counts)
        case "ffn_down":
            kind = _choose_for_down(file_type, kind, number, counts)
        case "attn_k.weight" if counts.experts == _MIXTRAL:
            kind = "Q4_K" if file_type.startswith("IQ2") else "Q8_0"
        case "attn_output.weight" if counts.experts == _MIXTRAL:
            kind = main if main in ("Q5_K", "Q6_K", "Q8_0") or file_type == "Q3_K_L" else "Q5_K"
    return kind


def _choose_for_values(file_type: str, kind: str, number: int, counts: _Counts) -> str:
    is_2_bit = file_type.startswith("IQ2")
    if counts.shared >= 4 or (is_2_bit and counts.experts >= 4):  # noqa: PLR2004  # as in its source
        kind = _GROUPED.get(file_type, kind)
    if is_2_bit:
        return kind
    if counts.experts == _MIXTRAL:
        return "Q8_0"
    if file_type in ("Q4_K_M", "Q5_K_M") and _has_more_bits(number, counts.values):
        return "Q6_K"
    is_early = number < _EARLY_VALUES.get(file_type, 0)
    return "Q5_K" if is_early or (counts.is_70b and kind in ("Q3_K", "Q4_K")) else kind


def _choose_for_down(file_type: str, kind: str, number: int, counts: _Counts) -> str:
    has_more = _has_more_bits(number, counts.layers)
    if file_type in ("Q4_K_M", "Q5_K_M") and has_more:
        return "Q6_K"
    is_early = number < counts.layers // (16 if file_type == "Q3_K_M" else 8)
    is_early |= file_type == "IQ3_M" and counts.experts == _MIXTRAL and has_more
    return _EARLY.get(file_type, kind) if is_early else kind


def _has_more_bits(number: int, count: int) -> bool:
    return number < count // 8 or number >= 7 * count // 8 or (number - count // 8) % 3 == 2  # noqa: PLR2004  # as in its source


def _fitting(kind: str, width: int) -> str:
    """Return a type whose blocks fill rows of a width: it, a narrower one, or F16."""
    if width % _SIZES[kind][0]:
        kind = _NARROWER.get(kind, "IQ4_NL" if kind.startswith("IQ") else kind)
    return "F16" if width % _SIZES[kind][0] else kind
