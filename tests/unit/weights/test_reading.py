"""Weights of files and folders: split files, several models, and safetensors."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.support.made_gguf import write_gguf
from tests.support.tiny_gguf import typed_gguf

from modelfile.errors import InputError
from modelfile.weights.header import GGUFHeader, TypeTotal
from modelfile.weights.reading import Weights, is_weights, join_headers, read_files, read_weights

LLAMA = {"block_count": 2, "context_length": 128, "attention.head_count": 4, "general.file_type": 1}


def write_part(folder: Path, number: int, count: int) -> Path:
    path = folder / f"m-{number:05}-of-{count:05}.gguf"
    metadata: dict[str, str | int] = {"split.no": number - 1, "split.count": count, "general.architecture": "llama"}
    path.write_bytes(typed_gguf(metadata, {f"blk.{number}.w": (8, 4)}, size=500))
    return path


def test_parts_of_a_split_file_are_one(tmp_path: Path) -> None:
    parts = [write_part(tmp_path, number, 3) for number in (1, 2, 3)]
    for given in (parts[0], parts[2], tmp_path):
        (found,) = read_weights(given)
        assert (found.facts.parameters, found.facts.size, [*found.files]) == (96, 1500, parts)
        assert [tensor.name for tensor in found.tensors()] == ["blk.1.w", "blk.2.w", "blk.3.w"]
        assert found.missing == ""
        assert found.header
        assert found.header.types == {0: TypeTotal(tensors=3, elements=96, bytes=384)}
    parts[1].unlink()
    (found,) = read_weights(parts[0])
    assert (found.missing, found.facts.parameters) == ("`m-00002-of-00003.gguf`", 64)
    other = parts[0].rename(tmp_path / "renamed.gguf")
    assert [*read_weights(other)[0].files] == [other]


def test_metadata_are_those_of_the_first_part() -> None:
    def part(number: int, name: str) -> GGUFHeader:
        metadata: dict[str, str | int] = {"split.no": number, "general.name": name}
        return GGUFHeader(metadata=metadata, size=1, needed=1, blocks=0)

    assert join_headers([part(1, "b"), part(0, "a")]).text("general.name") == "a"


def test_models_of_a_folder_are_read_one_by_one(tmp_path: Path) -> None:
    write_gguf(tmp_path / "a.gguf", "llama", LLAMA, {"blk.0.attn_q.weight": (4, 8)})
    write_gguf(tmp_path / "mmproj.gguf", "clip", {}, {"v.blk.0.attn_q.weight": (4, 8)})
    found = read_weights(tmp_path)
    assert [(each.facts.kind, Path(each.name).name) for each in found] == [
        ("model", "a.gguf"),
        ("projector", "mmproj.gguf"),
    ]


def test_weights_are_recognized(tmp_path: Path) -> None:
    (tmp_path / "renamed").write_bytes(typed_gguf({}))
    (tmp_path / "Modelfile").write_text("FROM ./renamed\n")
    (tmp_path / "bad.gguf").write_text("no weights")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").mkdir()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "x.safetensors").touch()
    known = {path.name for path in tmp_path.iterdir() if is_weights(path)}
    assert known == {"renamed", "bad.gguf", "folder"}
    assert not is_weights(tmp_path)
    assert not is_weights(tmp_path / "missing")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.gguf", b"version https://git-lfs.github.com/spec/v1\n", "is a git-lfs pointer"),
        ("x.gguf", b"<!DOCTYPE html><html>", "is an HTML page"),
        ("x.gguf", b"GGUF\3\0\0\0", "is truncated"),
        ("x.safetensors", b"\xff" * 9, "is truncated"),
    ],
)
def test_what_is_not_weights_is_rejected(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_weights(tmp_path / name)


def safetensors(folder: Path, name: str, tensors: dict[str, tuple[str, list[int], int]]) -> Path:
    entries, end = {}, 0
    for key, (kind, shape, size) in tensors.items():
        entries[key] = {"dtype": kind, "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps({"__metadata__": {"format": "pt"}, **entries}).encode()
    path = folder / name
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(end))
    return path


def folder_of_safetensors(folder: Path) -> Weights:
    safetensors(folder, "model-00001-of-00002.safetensors", {"a": ("BF16", [4, 8], 64), "b": ("F32", [2], 8)})
    safetensors(folder, "model-00002-of-00002.safetensors", {"c": ("BF16", [4, 8], 64)})
    (found,) = read_weights(folder)
    return found


def test_facts_of_safetensors(tmp_path: Path) -> None:
    config: dict[str, Any] = {
        "architectures": ["LlamaForCausalLM"],
        "text_config": {"num_hidden_layers": 3, "hidden_size": 8},
    }
    config |= {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 512, "vocab_size": 9}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ messages }}"}))
    found = folder_of_safetensors(tmp_path)
    facts = found.facts
    assert (facts.format, facts.kind, facts.architecture, facts.parameters) == (
        "safetensors",
        "model",
        "LlamaForCausalLM",
        66,
    )
    assert (facts.layers, facts.embedding_length, facts.heads, facts.kv_heads, facts.context_length) == (
        3,
        8,
        4,
        2,
        512,
    )
    assert (facts.vocabulary, facts.chat_template, facts.file_type, facts.bits_per_weight) == (
        9,
        "{{ messages }}",
        "BF16",
        136 * 8 / 66,
    )
    assert facts.size == sum(path.stat().st_size for path in tmp_path.glob("*.safetensors"))
    assert {tensor.name: (tensor.shape, tensor.type, tensor.size) for tensor in found.tensors()} == {
        "a": ((4, 8), "BF16", 64),
        "b": ((2,), "F32", 8),
        "c": ((4, 8), "BF16", 64),
    }
    (tmp_path / "chat_template.jinja").write_text("{{ other }}")
    assert read_weights(tmp_path)[0].facts.chat_template == "{{ other }}"


def test_facts_of_safetensors_without_a_config(tmp_path: Path) -> None:
    assert folder_of_safetensors(tmp_path).facts.architecture == ""
    (tmp_path / "adapter_config.json").write_text('{"base_model_name_or_path": "meta-llama/Llama-3.2-1B"}')
    facts = read_weights(tmp_path)[0].facts
    assert (facts.kind, facts.base_models) == ("adapter", ("meta-llama/Llama-3.2-1B",))
    for text in (
        "[]",
        "{",
        '{"architectures": [1], "num_hidden_layers": true, "text_config": 1}',
        '{"model_type": "t5"}',
    ):
        (tmp_path / "config.json").write_text(text)
        facts = read_weights(tmp_path)[0].facts
        assert (facts.architecture, facts.layers) == ("t5" if "t5" in text else "", None)


@pytest.mark.parametrize("shape", [[2] * 9, [-1]])
def test_odd_safetensors_tensors_are_rejected(shape: list[int], tmp_path: Path) -> None:
    odd = {"fine": ("F32", [1], 4), "odd": ("F32", shape, 4)}
    path = safetensors(tmp_path, "model.safetensors", odd)
    with pytest.raises(InputError, match="the shape of its tensor `odd` is not a list of at most 8 counts"):
        read_weights(path)


def test_shards_of_safetensors_are_one(tmp_path: Path) -> None:
    whole = folder_of_safetensors(tmp_path)
    shards = [tmp_path / f"model-{number:05}-of-00002.safetensors" for number in (1, 2)]
    (found,) = read_weights(shards[1])
    assert (found.facts.parameters, [*found.files], found.missing) == (whole.facts.parameters, shards, "")
    shards[1].unlink()
    for given in (shards[0], tmp_path):
        (found,) = read_weights(given)
        assert (found.missing, [*found.files]) == ("`model-00002-of-00002.safetensors`", shards[:1])


def test_files_of_a_modelfile(tmp_path: Path) -> None:
    folder_of_safetensors(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    parts = [write_part(tmp_path, number, 2) for number in (1, 2)]
    names = [[path.name for path in found.files] for found in read_files([*sorted(tmp_path.iterdir()), *parts])]
    assert names == [
        ["m-00001-of-00002.gguf", "m-00002-of-00002.gguf"],
        ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"],
    ]
