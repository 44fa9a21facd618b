"""Facts about weights, from made headers and from what a server says."""

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.paths import ROOT

from modelfile.catalog.versions import Version
from modelfile.report.weights import weights_as_json, weights_rows
from modelfile.weights.facts import (
    bits_per_weight,
    facts_of,
    format_parameters,
    header_from_info,
    quantization,
    tensors_of_info,
)
from modelfile.weights.header import ARRAY, STRING, UINT32, GGUFArray, GGUFHeader, TypeTotal, type_name

SCHEMA = json.loads((ROOT / "docs/schema/weights.schema.json").read_text(encoding="utf-8"))
METADATA: dict[str, Any] = {
    "general.architecture": "qwen3moe",
    "general.name": "Qwen3 30B A3B",
    "general.file_type": 15,
    "general.license": "apache-2.0",
    "general.organization": "Qwen",
    "general.base_model.count": 2,
    "general.base_model.0.name": "Qwen3 30B",
    "general.base_model.1.name": "Other",
    "general.base_model.1.repo_url": "https://huggingface.co/Qwen/Other",
    "qwen3moe.context_length": 40960,
    "qwen3moe.block_count": 48,
    "qwen3moe.embedding_length": 2048,
    "qwen3moe.attention.head_count": 32,
    "qwen3moe.expert_count": 128,
    "qwen3moe.expert_used_count": 8,
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": "qwen2",
}
KINDS = {key: STRING if isinstance(value, str) else UINT32 for key, value in METADATA.items()}
HEADER = GGUFHeader(
    metadata=METADATA,
    kinds=KINDS,
    size=1000,
    needed=1000,
    blocks=48,
    parameters=268_098_176,
    chat_template="{{ messages }}",
    arrays={"tokenizer.ggml.tokens": GGUFArray(kind=STRING, length=151_936, offset=0)},
    lists={"qwen3moe.attention.head_count_kv": (4, 0, 8)},
    types={
        0: TypeTotal(tensors=1, elements=4, bytes=16),
        12: TypeTotal(tensors=2, elements=512, bytes=288),
        77: TypeTotal(tensors=1, elements=0, bytes=0),
    },
)


def test_facts_of_a_header() -> None:
    facts = facts_of(HEADER)
    assert (facts.format, facts.kind, facts.architecture, facts.name) == ("gguf", "model", "qwen3moe", "Qwen3 30B A3B")
    assert (facts.parameter_size, facts.file_type, facts.bits_per_weight) == ("268.10M", "Q4_K_M", 304 * 8 / 516)
    assert (facts.context_length, facts.embedding_length, facts.layers) == (40960, 2048, 48)
    assert (facts.heads, facts.kv_heads, facts.experts, facts.experts_used) == (32, (4, 0, 8), 128, 8)
    assert (facts.vocabulary, facts.tokenizer, facts.chat_template) == (151_936, "gpt2 (qwen2)", "{{ messages }}")
    assert (facts.license, facts.author, facts.base_models) == ("apache-2.0", "Qwen", ("Qwen3 30B", "Qwen/Other"))
    assert [*facts.types] == ["Q4_K", "F32", "type 77"]
    assert facts.size == 1000


def test_facts_of_an_empty_header() -> None:
    facts = facts_of(GGUFHeader(metadata={}, size=24, needed=24, blocks=0))
    assert (facts.parameter_size, facts.bits_per_weight, facts.heads, facts.vocabulary) == ("0", None, None, None)


def test_content_is_recognized() -> None:
    def content(**metadata: Any) -> str:
        values = {key.replace("__", "."): value for key, value in metadata.items()}
        return facts_of(GGUFHeader(metadata=values, size=0, needed=0, blocks=0)).kind

    assert content(general__architecture="clip") == content(general__type="mmproj") == "projector"
    assert content(general__type="adapter", general__architecture="llama") == "adapter"
    assert content(general__architecture="llama") == "model"


def test_facts_of_a_server_are_those_of_the_file() -> None:
    info = {**METADATA, "general.parameter_count": 268_098_176, "tokenizer.ggml.tokens": None}
    info |= {"qwen3moe.attention.head_count_kv": [4, 0, 8], "tokenizer.chat_template": "{{ messages }}"}
    tensors: list[dict[str, Any]] = [
        {"name": "a", "type": "F32", "shape": [4]},
        {"name": "b", "type": "Q4_K", "shape": [256, 1]},
        {"name": "c", "type": "Q4_K", "shape": [256]},
        {"name": "d", "type": 3},
    ]
    header = header_from_info(info, tensors_of_info(tensors), size=1000)
    facts, expected = facts_of(header), facts_of(HEADER)
    assert facts.types == {name: total for name, total in expected.types.items() if name != "type 77"}
    for name in (
        "architecture",
        "parameter_size",
        "file_type",
        "bits_per_weight",
        "kv_heads",
        "context_length",
        "size",
    ):
        assert getattr(facts, name) == getattr(expected, name), name
    assert facts_of(header_from_info({})).parameters == 0
    assert header.kinds.get("qwen3moe.attention.head_count_kv") != ARRAY


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (128, "128"), (14_400, "14K"), (999_999, "1000K"), (268_098_176, "268.10M"), (10**9, "1B")],
)
def test_numbers_of_parameters_are_written_as_ollama_does(number: int, text: str) -> None:
    assert format_parameters(number) == text


def test_quantization_has_the_name_of_the_version() -> None:
    header = GGUFHeader(
        metadata={"general.file_type": 30}, kinds={"general.file_type": UINT32}, size=0, needed=0, blocks=0
    )
    assert (quantization(header, Version(0, 9, 3)), quantization(header, Version(0, 33, 0))) == ("unknown", "IQ4_XS")


def test_size_of_a_weight_needs_the_sizes_of_all_types() -> None:
    assert bits_per_weight([TypeTotal(tensors=1, elements=32, bytes=34)]) == 8.5
    assert bits_per_weight([TypeTotal(tensors=1, elements=32, bytes=0)]) is None
    assert (type_name(8), type_name(99)) == ("Q8_0", "type 99")


KEYS = st.sampled_from([*METADATA, "general.parameter_count", "qwen3moe.attention.head_count_kv", "x", ""])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=6,
)
TENSORS = st.dictionaries(
    st.sampled_from(["name", "type", "shape"]), VALUES | st.sampled_from(["F32", "token_embd.weight"])
)


@given(info=st.dictionaries(KEYS, VALUES), tensors=st.lists(TENSORS, max_size=3))
def test_odd_answers_of_servers_have_facts(info: dict[str, Any], tensors: list[dict[str, Any]]) -> None:
    header = header_from_info({**METADATA, **info}, tensors_of_info(tensors))
    facts = facts_of(header)
    assert [*weights_rows(facts)]
    jsonschema.validate({"weights": [weights_as_json("x", facts)]}, SCHEMA)
