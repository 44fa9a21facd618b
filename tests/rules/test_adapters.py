"""Adapters that do not fit their base, or that a release of Ollama does not take."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.support.cli import mf
from tests.support.tiny_gguf import typed_gguf
from tests.support.tiny_safetensors import write_lora

ATTENTION = "blk.0.attn_q.weight"
OTHER = "name the model that the adapter was trained on in FROM"
CONVERT = "convert it with llama.cpp's convert_lora_to_gguf.py, and name the GGUF file in ADAPTER"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_base(architecture: str = "llama", **metadata: str) -> None:
    named = {"general.architecture": architecture, **{f"general.{key}": value for key, value in metadata.items()}}
    tensors = {"token_embd.weight": (32, 64), ATTENTION: (32, 32), "blk.0.ffn_up.weight": (32, 48)}
    Path("m.gguf").write_bytes(typed_gguf(named, tensors, size=1 << 15))


def write_adapter(
    architecture: str = "llama",
    changes: Mapping[str, tuple[int, int]] | None = None,
    base_model: Mapping[str, str] | None = None,
) -> None:
    named = {"general.architecture": architecture, "general.type": "adapter"}
    named |= {f"general.base_model.0.{key}": value for key, value in (base_model or {}).items()}
    tensors: dict[str, tuple[int, ...]] = {}
    for name, (inputs, outputs) in ({ATTENTION: (32, 32)} if changes is None else changes).items():
        tensors |= {f"{name}.lora_a": (inputs, 4), f"{name}.lora_b": (4, outputs)}
    Path("lora.gguf").write_bytes(typed_gguf(named, tensors, size=1 << 15))


def found(text: str, *options: str) -> list[str]:
    Path("Modelfile").write_text(f"# Answers questions.\n{text}\n")
    ran = mf("lint", "--format", "json", "--select", "MF6", *options)
    findings = json.loads(ran.out)["findings"]
    return [f"{one['severity']} {one['name']}: {one['message']} = {one['help']}" for one in findings]


BOTH = "FROM ./m.gguf\nADAPTER ./lora.gguf"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {ATTENTION: (32, 32)},
        {ATTENTION: (32, 32), "blk.0.ffn_up.weight": (32, 48)},
        {"token_embd.weight": (64, 32)},  # flipped
    ],
)
def test_adapter_that_fits_has_no_finding(changes: dict[str, tuple[int, int]]) -> None:
    write_base()
    write_adapter(changes=changes)
    assert found(BOTH) == []


@pytest.mark.parametrize(
    ("architecture", "changes", "message"),
    [
        ("gemma2", {}, "the adapter `lora.gguf` is for the architecture `gemma2`, but `m.gguf` has `llama`"),
        (
            *("llama", {ATTENTION: (64, 64)}),
            f"the adapter `lora.gguf` changes `{ATTENTION}` with 64 x 64, but in `m.gguf` it has 32 x 32",
        ),
        (
            *("llama", {"blk.0.ffn_up.weight": (32, 40)}),
            "the adapter `lora.gguf` changes `blk.0.ffn_up.weight` with 32 x 40, but in `m.gguf` it has 32 x 48",
        ),
        (
            *("llama", {"blk.9.attn_q.weight": (32, 32)}),
            "the adapter `lora.gguf` changes `blk.9.attn_q.weight`, which `m.gguf` does not have",
        ),
    ],
)
def test_adapter_of_another_model_is_an_error(
    architecture: str, changes: dict[str, tuple[int, int]], message: str
) -> None:
    write_base()
    write_adapter(architecture, changes)
    assert found(BOTH) == [f"error adapter-mismatch: {message} = {OTHER}"]
    assert found("FROM llama3.2:3b\nADAPTER ./lora.gguf") == []


def test_engines_name_some_architectures_differently() -> None:
    write_base("gptoss")
    write_adapter("gpt-oss")
    assert found(BOTH) == []


def test_broken_base_has_no_second_finding_at_the_adapter() -> None:
    Path("m.gguf").write_bytes(b"<html>")
    write_adapter()
    assert [line.partition(":")[0] for line in found(BOTH)] == ["error html-instead-of-weights"]


@pytest.mark.parametrize(
    ("metadata", "base", "expected"),
    [
        (
            {"name": "Mistral 7B v0.3"},
            "FROM llama3.1:8b",
            "`./lora.gguf` was trained on Mistral, but the base is Llama",
        ),
        ({"repo_url": "https://huggingface.co/google/gemma-2-9b-it"}, "FROM llama3.1:8b", "trained on Gemma"),
        ({"name": "Meta Llama 3.1 70B"}, "FROM llama3.1:8b", "trained on 70B, but the base is 8B"),
        ({"name": "Llama 3.1 8B Instruct"}, "FROM llama3.1:8b", ""),
        ({}, "FROM llama3.1:8b", ""),
        ({"name": "Mistral 7B"}, "FROM ./m.gguf", "trained on Mistral, but the base is Llama"),
    ],
)
def test_base_in_the_header_of_the_adapter_is_compared(metadata: dict[str, str], base: str, expected: str) -> None:
    write_base(name="Llama 3.1 8B")
    write_adapter(base_model=metadata)
    findings = found(f"{base}\nADAPTER ./lora.gguf")
    assert [line.startswith("warning foreign-adapter: by its header, ") for line in findings] == [True] * bool(expected)
    assert all(expected in line for line in findings)


def test_adapter_in_safetensors_needs_a_base_that_ollama_converts(folder: Path) -> None:
    write_lora(folder / "lora")
    write_base("qwen2")
    problem = "converts adapters in safetensors only for `gemma2` and `llama`, not for `qwen2`"
    message = f"Ollama 0.32.15 {problem}: `{folder}/lora/model.safetensors`"
    assert found("FROM ./m.gguf\nADAPTER ./lora") == [f"error adapter-format: {message} = {CONVERT}"]
    assert found("FROM qwen2.5:7b\nADAPTER ./lora") == [f"warning adapter-format: Ollama {problem} = {CONVERT}"]
    assert found("FROM llama3.2:3b\nADAPTER ./lora") == []
    assert found("FROM somebody/own:1\nADAPTER ./lora") == []
    write_base("llama")
    assert found("FROM ./m.gguf\nADAPTER ./lora") == []
    (folder / "lora/adapter_config.json").unlink()
    (finding,) = found("FROM ./m.gguf\nADAPTER ./lora")
    assert finding.startswith("error adapter-format: Ollama cannot convert `")


def test_checkpoint_of_pytorch_is_no_adapter() -> None:
    write_base()
    Path("adapter_model.bin").write_bytes(b"PK\3\4" * 9)
    (finding,) = found("FROM ./m.gguf\nADAPTER ./adapter_model.bin")
    assert finding.startswith("error adapter-format: `adapter_model.bin` is neither GGUF nor safetensors")
    assert finding.endswith("= convert it with llama.cpp's convert_lora_to_gguf.py, and name the GGUF file in ADAPTER")


@pytest.mark.parametrize(
    ("base", "version", "expected"),
    [
        ("FROM gemma3:4b", "0.29.0", "warning adapter-format: Ollama 0.29.0 runs `gemma3` in an engine of its own"),
        ("FROM gemma3:4b", "0.32.0", ""),
        ("FROM llama3.2:3b", "0.29.0", ""),
        ("FROM ./m.gguf", "0.9.3", "warning adapter-format: Ollama 0.9.3 runs `gemma3` in an engine of its own"),
    ],
)
def test_versions_of_ollama_take_adapters_differently(base: str, version: str, expected: str) -> None:
    write_base("gemma3")
    write_adapter("gemma3")
    findings = found(f"{base}\nADAPTER ./lora.gguf", "--ollama", version)
    assert [line.startswith(expected) for line in findings] == [True] * bool(expected)
