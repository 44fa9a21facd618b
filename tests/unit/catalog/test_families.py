"""Tests of the families: every base that they know, and what they must not take for one."""

import json
from importlib.resources import files
from typing import Any

import pytest

from modelfile.catalog import families
from modelfile.catalog.families import Family, family_of, find_family, turn_formats
from modelfile.catalog.parameters import PARAMETERS
from modelfile.catalog.versions import NEWEST, Version
from modelfile.names import ModelName

FACTS: dict[str, Any] = json.loads(files(families.__package__ or "").joinpath("families.json").read_text("utf-8"))
MODELS: dict[str, dict[str, Any]] = FACTS["models"]
CAPABILITIES = {"audio", "embedding", "insert", "thinking", "tools", "vision"}
KEYS = {
    "architecture",
    "capabilities",
    "context",
    "files",
    "format",
    "license",
    "other_formats",
    "sizes",
    "parameters",
    "parser",
    "renderer",
    "roles",
    "since",
    "stops",
    "tags",
    "verified",
}


def found(base: str) -> Family:
    family = find_family(base)
    assert family, base
    return family


def test_models_and_formats_are_in_order_and_have_only_known_keys() -> None:
    assert [*MODELS] == sorted(MODELS)
    for name, model in MODELS.items():
        overrides = [{}, *model.get("tags", {}).values()]
        assert model.keys() <= KEYS, name
        assert all(each.keys() <= KEYS - {"files", "tags", "verified"} for each in overrides), name
        for each in (model, *overrides):
            assert each.get("format") in {*turn_formats(), None}, name
            assert {*each.get("capabilities", ())} <= CAPABILITIES, name
            assert each.get("context") is None or 256 <= each["context"] <= 10_485_760, name
            assert each.get("parameters", {}).keys() <= PARAMETERS.keys(), name
            assert Version.parse(each.get("since", "0.6.0")) <= NEWEST, name
        assert {*model.get("verified", ())} <= KEYS, name


def test_every_field_has_a_source() -> None:
    named = {key for keys in FACTS["sources"] for key in keys.split(", ")}
    assert KEYS - named <= {"verified"}


@pytest.mark.parametrize("name", MODELS)
def test_library_names_are_known_with_and_without_a_tag(name: str) -> None:
    family = found(name)
    assert (family.name, family.library) == (name, True)
    assert find_family(f"{name}:latest") == find_family(f"registry.ollama.ai/library/{name.upper()}") == family


def test_files_belong_to_one_model_each() -> None:
    named = [file for model in MODELS.values() for file in model.get("files", ())]
    assert len(named) == len({*named})
    for model, facts in MODELS.items():
        for file in facts.get("files", ()):
            assert found(f"{file}.gguf").name == found(f"hf.co/somebody/{file}-GGUF:Q4_K_M").name == model


@pytest.mark.parametrize(
    ("base", "name", "markers"),
    [
        ("./Qwen2.5-7B-Instruct-Q4_K_M.gguf", "qwen2.5", "chatml"),
        ("hf.co/bartowski/Meta-Llama-3.1-8B-Instruct-GGUF", "llama3.1", "llama3"),
        ("hf.co/bartowski/Meta-Llama-3.1-8B-Instruct-GGUF:Q8_0", "llama3.1", "llama3"),
        ("/models/llama-3.2-3b-instruct.Q4_K_M.gguf", "llama3.2", "llama3"),
        (r"C:\Backup\QA\Llama-3.2-3B-Instruct-f16.gguf", "llama3.2", "llama3"),
        ("../gemma-3-12b-it-qat-UD-Q6_K_XL.gguf", "gemma3", "gemma"),
        ("hf.co/unsloth/gemma-3n-E4B-it-GGUF:Q2_K_XL", "gemma3n", "gemma"),
        ("google_gemma-3-12b-it-Q4_K_M.gguf", "gemma3", "gemma"),
        ("mixtral-8x7b-instruct-v0.1.Q3_K_M.gguf", "mixtral", "mistral"),
        ("hf.co/unsloth/Qwen3-Coder-30B-A3B-Instruct-GGUF:Q4_K_M", "qwen3-coder", "chatml"),
        ("../DeepSeek-R1-0528-Qwen3-8B-UD-Q6_K_XL.gguf", "deepseek-r1", "deepseek"),
        ("DeepSeek-R1-Distill-Qwen-7B-Q4_K_M.gguf", "deepseek-r1", "deepseek"),
        ("huggingface.co/unsloth/gpt-oss-20b-GGUF", "gpt-oss", "harmony"),
        ("phi-4-Q4_K_M.gguf", "phi4", "phi4"),
        ("Phi-3-mini-4k-instruct-q4.gguf", "phi3", "phi3"),
        ("Nous-Hermes-2-Mixtral-8x7B-DPO.i1-Q5_K_M.gguf", "nous-hermes2-mixtral", "chatml"),
        ("mistralai_Codestral-22B-v0.1.ef16.q6_k.gguf", "codestral", "mistral"),
        ("Meta-Llama-3-70B-Instruct-IQ2_XXS-00001-of-00002.gguf", "llama3", "llama3"),
        ("llava:34b-v1.6-q4_0", "llava", "chatml"),
        ("mistral-small:22b", "mistral-small", "mistral"),
        ("cogito:14b", "cogito", "chatml"),
    ],
)
def test_a_base_has_the_markers_of_its_family(base: str, name: str, markers: str) -> None:
    family = found(base)
    assert family.turns is turn_formats()[markers]
    assert family.name == name


@pytest.mark.parametrize(
    "base",
    [
        "",
        ".",
        "./model.gguf",
        "./gemma-2b-finetuned.gguf",
        "llama-3-Korean-Bllossom-8B-Q4_K_M.gguf",
        "dolphin-2.9-llama3-8b-instruct.gguf",
        "Llama-3.1-8B-Instruct-my-data.Q4_K_M.gguf",
        "mistral-7b.Q4_K_M.gguf",
        "qwen2.5-coder-3b.Q4_K_M.gguf",
        "Qwen3-8B-Base.gguf",
        "hf.co/QuantFactory/Qwen2.5-Coder-7B-3x-Instruct-TIES-v1.2-GGUF",
        "hf.co/cognitivecomputations/dolphin-2.9.3-mistral-7B-32k",
        "somebody/llama3.1",
        "example.com/library/llama3.1",
        "codereview-qwen-Q4_K_M.gguf",
        "not a name",
    ],
)
def test_what_may_be_a_fine_tune_has_no_family(base: str) -> None:
    assert find_family(base) is None


def test_facts_by_tag_replace_those_of_the_model() -> None:
    assert (found("phi3").context, found("phi3:3.8b-mini-4k-instruct-q4_0").context) == (131_072, 4_096)
    assert found("mixtral:8x22b-instruct").capabilities == {"tools"}
    assert found("mixtral").capabilities == set()
    assert "thinking" not in found("qwen3:30b-a3b-instruct-2507-q4_K_M").capabilities
    assert found("gemma3:1b").capabilities == set()
    assert found("qwen2.5:3b").license == "Qwen Research License"


@pytest.mark.parametrize("base", ["llama3:8b-text", "deepseek-coder:base", "codellama:7b-code", "mistral:text"])
def test_weights_that_were_not_trained_on_conversations_have_no_turns(base: str) -> None:
    assert found(base).turns is None
    assert "tools" not in found(base).capabilities


def test_a_model_by_its_name() -> None:
    family = family_of(ModelName.parse("gemma3:27b"))
    assert family
    assert (family.architecture, family.stops, family.roles) == ("gemma3", ("<end_of_turn>",), ("user", "model"))
    assert (family.context, family.license, family.parameters["top_k"]) == (131_072, "Gemma Terms of Use", 64)
    assert family.verified == {"format", "parameters", "stops"}
    assert family_of(ModelName.parse("nobody-knows-this")) is None


@pytest.mark.parametrize(
    ("name", "size"),
    [("llama3.2", "3b"), ("qwen2.5", "7b"), ("gemma3n", "e4b"), ("gpt-oss", "20b"), ("mixtral", "8x7b"), ("x", None)],
)
def test_usual_size_is_one_that_most_machines_run(name: str, size: str | None) -> None:
    family = find_family(name)
    assert (family.usual_size if family else None) == size


def test_every_size_has_a_number_of_parameters() -> None:
    families = [find_family(name) for name in FACTS["models"]]
    assert sum(bool(family and family.usual_size) for family in families) > 120
