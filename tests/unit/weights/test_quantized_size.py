"""The size of a model in other types against what llama-quantize says that it would make."""

from collections.abc import Iterator
from math import prod
from typing import NamedTuple

import pytest
from tests.support.headers import header_of

from modelfile.weights.header import GGUFHeader, Tensor
from modelfile.weights.quantized_size import quantized_size

MIB = 1 << 20
TYPES = "F16 Q8_0 Q6_K Q2_K IQ4_XS IQ3_XXS IQ2_XXS Q5_K_M Q5_K_S Q4_K_M Q4_K_S Q3_K_L Q3_K_M Q3_K_S IQ3_M IQ2_M"
# "quant size" of `llama-quantize --dry-run` of August 2026 for models of these shapes in F16, in MiB with two decimals;
# for I-quants with an importance matrix of ones.
MEASURED = {
    "llama": "9.49 5.05 3.9 1.87 2.62 1.92 1.41 3.38 3.31 2.89 2.77 2.57 2.37 2.15 2.25 1.75",
    "heads that share values": "25.29 13.46 10.4 4.81 6.85 4.95 3.49 8.97 8.76 7.62 7.26 6.77 6.21 5.57 5.84 4.43",
    "80 layers": "53.63 28.57 22.09 10.29 14.53 10.55 7.41 18.95 18.57 16.02 15.42 14.48 13.27 11.9 12.65 9.6",
    "narrow": "21.17 11.26 11.26 6.15 6.16 6.15 6.15 8.48 8.05 7.92 7.43 6.82 6.59 6.12 6.3 6.15",
    "8 experts": "102.07 54.27 42.04 19.3 27.67 20.28 14.08 36.43 35.37 31.28 29.46 26.54 24.92 22.67 23.74 17.25",
    "shared expert": "157.84 83.91 64.81 28.83 42.11 30.4 20.77 56.07 54.37 47.85 44.82 40.92 37.62 34.1 34.51 25.84",
    "joint queries, keys and values": "10.99 5.85 4.52 2.24 3.0 2.23 1.67 3.99 3.82 3.49 3.28 3.24 2.92 2.47 2.75 2.12",
}


def tensor(name: str, *shape: int) -> Tensor:
    size = prod(shape) * (4 if len(shape) == 1 else 2)
    kind = 0 if size == 4 * prod(shape) else 1
    return Tensor(name=f"{name}.weight", shape=shape, kind=kind, offset=0, elements=prod(shape), size=size)


class Shape(NamedTuple):
    """The numbers of a made model."""

    width: int = 256
    layers: int = 8
    heads: int = 8
    shared: int = 2
    hidden: int = 512
    tied: bool = False
    experts: int = 0
    has_shared_expert: bool = False
    joint: bool = False


def tensors(shape: Shape = Shape()) -> Iterator[Tensor]:  # noqa: B008  # a value that cannot change
    width, layers, heads, shared, hidden, tied, experts, has_shared_expert, joint = shape
    values = width // heads * shared
    yield tensor("token_embd", width, 1000)
    yield tensor("output_norm", width)
    if not tied:
        yield tensor("output", width, 1000)
    for layer in range(layers):
        block = f"blk.{layer}"
        yield from (tensor(f"{block}.{name}", width) for name in ("attn_norm", "ffn_norm"))
        if joint:
            yield tensor(f"{block}.attn_qkv", width, width + 2 * values)
        else:
            yield tensor(f"{block}.attn_q", width, width)
            yield from (tensor(f"{block}.attn_{letter}", width, values) for letter in "kv")
        yield tensor(f"{block}.attn_output", width, width)
        if experts:
            yield tensor(f"{block}.ffn_gate_inp", width, experts)
        many = (experts,) if experts else ()
        for suffix, count in (("_exps" if experts else "", many), *([("_shexp", ())] if has_shared_expert else [])):
            if not joint:
                yield tensor(f"{block}.ffn_gate{suffix}", width, hidden, *count)
            yield tensor(f"{block}.ffn_up{suffix}", width, hidden * (2 if joint else 1), *count)
            yield tensor(f"{block}.ffn_down{suffix}", hidden, width, *count)


def header(architecture: str, layers: int, heads: int, shared: int, experts: int = 0) -> GGUFHeader:
    keys = {"block_count": layers, "attention__head_count": heads, "attention__head_count_kv": shared}
    return header_of(architecture, **keys, expert_count=experts)


MODELS = {
    "llama": (header("llama", 8, 8, 2), [*tensors()]),
    "heads that share values": (header("llama", 24, 8, 1), [*tensors(Shape(layers=24, shared=1, tied=True))]),
    "80 layers": (header("llama", 80, 8, 1), [*tensors(Shape(layers=80, shared=1, hidden=256))]),
    "narrow": (header("llama", 10, 5, 1), [*tensors(Shape(width=320, heads=5, shared=1, hidden=832, layers=10))]),
    "8 experts": (header("llama", 16, 8, 2, 8), [*tensors(Shape(layers=16, experts=8))]),
    "shared expert": (
        header("qwen2moe", 12, 8, 2, 16),
        [*tensors(Shape(layers=12, experts=16, has_shared_expert=True))],
    ),
    "joint queries, keys and values": (header("phi3", 8, 8, 8), [*tensors(Shape(shared=8, joint=True))]),
}


@pytest.mark.parametrize("name", MODELS)
def test_size_is_that_of_llama_quantize(name: str) -> None:
    known, listed = MODELS[name]

    for kind, measured in zip(TYPES.split(), MEASURED[name].split(), strict=True):
        size = quantized_size(known, listed, kind)
        assert size is not None
        assert size / MIB == pytest.approx(float(measured), abs=0.0051), kind


def test_order_of_the_tensors_does_not_matter() -> None:
    known, listed = MODELS["llama"]

    assert quantized_size(known, listed[::-1], "Q4_K_M") == quantized_size(known, listed, "Q4_K_M")


def test_size_is_not_known_without_tensors_or_for_other_choices() -> None:
    known, listed = MODELS["llama"]

    assert quantized_size(known, (), "Q4_K_M") is None
    assert quantized_size(known, listed, "Q4_0") is None
    assert quantized_size(header("falcon", 8, 8, 2), listed, "Q4_K_M") is None
