"""Layers of models by what they remember, from their headers."""

from typing import Any

import pytest
from tests.support.headers import header_of

from modelfile.catalog.versions import NEWEST, Version
from modelfile.weights.layers import Layers, head_count, key_length, read_layers

USUAL: dict[str, Any] = {"block_count": 4, "embedding_length": 64, "attention__head_count": 4}
WINDOWS = Version(0, 13, 1)


def layers_of(architecture: str, version: Version = NEWEST, **keys: Any) -> Layers | None:
    return read_layers(header_of(architecture, **{**USUAL, **keys}), version, pads_values=False)


def test_heads_by_layer() -> None:
    assert layers_of("openelm", attention__head_count_kv=[1, 2, 0, 4]) == Layers([32, 64, 128], [], 0, [])
    assert head_count(header_of("openelm", attention__head_count=[12, 16])) == 16
    assert key_length(header_of("openelm", embedding_length=160, attention__head_count=[8, 10])) == 20


def test_values_of_all_layers_have_the_room_of_the_largest_without_flash_attention() -> None:
    header = header_of("deci", **USUAL, attention__head_count_kv=[1, 2, 0, 4])

    assert read_layers(header, NEWEST, pads_values=True) == Layers([80, 96, 64, 128], [], 0, [])
    assert read_layers(header, Version(0, 9, 3), pads_values=True) == Layers([32, 64, 128], [], 0, [])


def test_heads_of_queries_stand_in_for_those_of_keys() -> None:
    assert layers_of("llama") == Layers([128] * 4, [], 0, [])


@pytest.mark.parametrize("heads", [[1, 2, 3], [0.5, 1.0, 1.5, 2.0]])
def test_list_that_does_not_name_all_layers_is_unknown(heads: list[float]) -> None:
    assert layers_of("llama", attention__head_count_kv=heads) is None


@pytest.mark.parametrize(
    "keys",
    [
        {"block_count": 0},
        {"block_count": -1},
        {"block_count": 1 << 40},
        {"attention__head_count": 0},
        {"attention__head_count": -4},
        {"embedding_length": -64},
        {"embedding_length": 0},
    ],
)
def test_impossible_numbers_are_unknown(keys: dict[str, Any]) -> None:
    assert layers_of("llama", **keys) is None


def test_negative_heads_count_as_none() -> None:
    assert layers_of("llama", attention__head_count_kv=-1) == Layers([], [], 0, [])


def test_layers_that_predict_several_tokens_have_no_cache() -> None:
    assert layers_of("glm4moe", nextn_predict_layers=1) == Layers([128] * 3, [], 0, [])


@pytest.mark.parametrize(
    ("architecture", "keys", "whole", "sliding"),
    [
        ("gemma2", {}, 2, 2),
        ("gemma3", {"attention__sliding_window": 512}, 0, 4),
        ("gemma3", {"attention__sliding_window": 512, "block_count": 12}, 2, 10),
        ("gemma3", {}, 4, 0),
        ("gemma3", {"attention__sliding_window": 512, "attention__sliding_window_pattern": 2}, 2, 2),
        (
            "gemma3",
            {"attention__sliding_window": 512, "attention__sliding_window_pattern": [True, True, False, True]},
            1,
            3,
        ),
        ("cohere2", {"attention__sliding_window": 512}, 1, 3),
        ("laguna", {"attention__sliding_window": 512, "block_count": 5}, 2, 3),
        ("gemma3n", {"attention__sliding_window": 512, "block_count": 30}, 4, 16),
        ("llama4", {}, 1, 3),
        ("llama4", {"attention__sliding_window": 512}, 1, 3),
        ("llama4", {"attention__sliding_window": 0}, 4, 0),
        ("phi3", {"attention__sliding_window": 512}, 4, 0),
    ],
)
def test_sliding_windows(architecture: str, keys: dict[str, Any], whole: int, sliding: int) -> None:
    found = layers_of(architecture, **keys)

    assert found is not None
    assert (len(found.whole), len(found.sliding)) == (whole, sliding)


def test_gemma_4_has_its_pattern_shared_layers_and_lengths_in_the_header() -> None:
    keys: dict[str, Any] = {
        "attention__head_count_kv": [2, 2, 1, 2],
        "attention__key_length": 32,
        "attention__value_length": 32,
        "attention__key_length_swa": 16,
        "attention__value_length_swa": 16,
        "attention__sliding_window": 512,
        "attention__shared_kv_layers": 1,
    }
    pattern = [True, True, False, True]

    assert layers_of("gemma4", **keys, attention__sliding_window_pattern=pattern) == Layers([64], [64, 64], 512, [])
    assert layers_of("gemma4", **keys) is None
    assert layers_of("gemma4", **keys, attention__sliding_window_pattern=pattern[:3]) is None
    assert layers_of("gemma4", Version(0, 24, 0), **keys, attention__sliding_window_pattern=pattern) is None


STATE: dict[str, Any] = {"ssm__conv_kernel": 4, "ssm__inner_size": 128, "ssm__state_size": 16}
SIZE = 3 * 128 + 128 * 16


@pytest.mark.parametrize(
    ("architecture", "keys", "expected"),
    [
        ("mamba", STATE, Layers([], [], 0, [SIZE] * 4)),
        ("mamba2", {**STATE, "ssm__group_count": 2}, Layers([], [], 0, [SIZE + 3 * 2 * 2 * 16] * 4)),
        ("jamba", {**STATE, "attention__head_count_kv": [0, 2, 0, 2]}, Layers([64, 64], [], 0, [SIZE] * 2)),
        ("falcon-h1", STATE, Layers([128] * 4, [], 0, [SIZE] * 4)),
        ("qwen35", {**STATE, "block_count": 8}, Layers([128] * 2, [], 0, [SIZE] * 6)),
        ("qwen35", {**STATE, "full_attention_interval": 2}, Layers([128] * 2, [], 0, [SIZE] * 2)),
        ("qwen35", {**STATE, "attention__recurrent_layers": [1, 0, 0, 0]}, Layers([128] * 3, [], 0, [SIZE])),
        ("qwen35", {**STATE, "attention__recurrent_layers": [1, 0]}, None),
        (
            "nemotron_h",
            {**STATE, "attention__head_count_kv": [0, 2, 0, 0], "feed_forward_length": [0, 0, 256, 0]},
            Layers([64], [], 0, [SIZE] * 2),
        ),
        (
            "lfm2",
            {"shortconv__l_cache": 3, "attention__head_count_kv": [0, 2, 0, 2]},
            Layers([64, 64], [], 0, [128] * 2),
        ),
        ("mamba", {}, None),
    ],
)
def test_states(architecture: str, keys: dict[str, Any], expected: Layers | None) -> None:
    assert layers_of(architecture, **keys) == expected


def test_hybrid_models_are_unknown_before_their_release() -> None:
    assert layers_of("falcon-h1", Version(0, 9, 3), **STATE) is None
    assert layers_of("falcon-h1", WINDOWS, **STATE) is not None
