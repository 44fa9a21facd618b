"""Headers of converted safetensors."""

import json
from pathlib import Path

import pytest
from tests.support.tiny_safetensors import write_model

from modelfile.weights.conversion import converted_header
from modelfile.weights.header import GGUFHeader
from modelfile.weights.reading import read_weights


def header_with(config: object, folder: Path) -> GGUFHeader:
    write_model(folder)
    (folder / "config.json").write_text(json.dumps(config))
    (weights,) = read_weights(folder)
    return converted_header(weights)


def test_metadata_are_those_of_config_json(tmp_path: Path) -> None:
    write_model(tmp_path / "m", shards=3)
    (weights,) = read_weights(tmp_path / "m")
    header = converted_header(weights)
    assert header.metadata == {
        "general.architecture": "llama",
        "general.parameter_count": weights.facts.parameters,
        "llama.block_count": 1,
        "llama.context_length": 128,
        "llama.embedding_length": 32,
        "llama.feed_forward_length": 192,
        "llama.attention.head_count": 2,
        "llama.attention.head_count_kv": 2,
        "llama.vocab_size": 64,
    }
    vectors, matrices = header.types[0], header.types[1]
    assert (vectors.bytes, matrices.bytes) == (vectors.elements * 4, matrices.elements * 2)
    assert vectors.elements + matrices.elements == header.parameters
    assert header.size == vectors.bytes + matrices.bytes


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"architectures": []},
        {"architectures": [7]},
        {"architectures": "LlamaForCausalLM"},
        {"architectures": ["Gemma3ForCausalLM"], "num_hidden_layers": 2},
    ],
)
def test_unknown_architectures_have_no_metadata(config: object, tmp_path: Path) -> None:
    header = header_with(config, tmp_path / "m")
    assert (header.architecture, [*header.metadata]) == ("", ["general.parameter_count"])


def test_values_that_are_no_counts_are_left_out(tmp_path: Path) -> None:
    odd = {"num_hidden_layers": True, "hidden_size": -1, "vocab_size": "64", "head_dim": 16}
    header = header_with({"architectures": ["Qwen2ForCausalLM"], **odd}, tmp_path / "m")
    keys = {"general.architecture", "general.parameter_count"}
    assert {*header.metadata} == keys | {"qwen2.attention.key_length", "qwen2.attention.value_length"}
