"""Checks of local weights before anything is uploaded."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from tests.support.tiny_gguf import write_tiny_gguf
from tests.support.tiny_safetensors import write_lora, write_model

from modelfile import parse
from modelfile.catalog.versions import Version
from modelfile.errors import InputError, UsageError
from modelfile.recipe.recipe import Recipe, resolve
from modelfile.stores.ollama.wire import create_request
from modelfile.weights.checks import check_quantization, check_weights

OLD, NEW = Version(0, 9, 3), Version(0, 30, 0)


def write_gguf(
    path: Path,
    metadata: Mapping[str, str | int] | None = None,
    arch: str = "llama",
    tensors: tuple[str, ...] = ("x.weight",),
) -> Path:
    writer = gguf.GGUFWriter(path, arch)
    for key, value in (metadata or {}).items():
        if isinstance(value, str):
            writer.add_string(key, value)
        elif isinstance(value, bool):
            writer.add_bool(key, value)
        else:
            writer.add_uint32(key, value)
    for tensor in tensors:
        writer.add_tensor(tensor, np.zeros((4, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_shard(folder: Path, number: int, count: int, name: str | None = None) -> Path:
    name = name or f"m-{number:05}-of-{count:05}.gguf"
    return write_gguf(folder / name, {"split.no": number - 1, "split.count": count})


def check(folder: Path, text: str, version: Version | None = None) -> None:
    recipe = resolve(parse(text), folder, version)
    check_weights(recipe.model_files, recipe.adapters, recipe.drafts, version)


def reject(folder: Path, text: str, version: Version | None = None) -> tuple[str, str]:
    """Return the message and the hint of the error, with the folder written `…`."""
    with pytest.raises(InputError) as raised:
        check(folder, text, version)
    return raised.value.message.replace(str(folder), "…"), (raised.value.hint or "").replace(str(folder), "…")


def test_truncated_gguf_is_rejected(tmp_path: Path, tiny: Path) -> None:
    whole = tiny.read_bytes()
    (tmp_path / "m.gguf").write_bytes(whole)
    check(tmp_path, "FROM m.gguf")
    (tmp_path / "m.gguf").write_bytes(whole[:-1])
    assert reject(tmp_path, "FROM m.gguf") == (
        f"`…/m.gguf` is truncated: it has {len(whole) - 1:,} bytes, its header requires {len(whole):,}",
        "download it again",
    )
    (tmp_path / "m.gguf").write_bytes(whole[:600])
    assert "its header alone is longer" in reject(tmp_path, "FROM m.gguf")[0]
    check(tmp_path, "FROM m.gguf\nFROM llama3.2")  # Ollama ignores files if there is a base


def test_git_lfs_pointer_and_other_formats_are_rejected(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\n")
    assert reject(tmp_path, "FROM .") == (
        "`…/model.safetensors` is a git-lfs pointer, not the weights",
        "run `git lfs pull`",
    )
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / "pytorch_model.bin").write_bytes(b"PK\x03\x04")
    assert reject(tmp_path, "FROM .")[0] == (
        "`…/pytorch_model.bin` is neither GGUF nor safetensors, the only formats that Ollama's server accepts"
    )


def test_all_shards_of_a_split_gguf_are_required(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        write_shard(tmp_path, number, 3)
    every = "".join(f"FROM m-0000{number}-of-00003.gguf\n" for number in (1, 2, 3))
    check(tmp_path, every, NEW)
    check(tmp_path, "FROM .", NEW)
    check(tmp_path, f"FROM m-00002-of-00003.gguf\n{every}", NEW)
    assert reject(tmp_path, "FROM m-00001-of-00003.gguf", NEW) == (
        "`…/m-00001-of-00003.gguf` is named without its other shards: `m-00002-of-00003.gguf`, `m-00003-of-00003.gguf`",
        "write a FROM for each shard, or FROM with the folder",
    )
    (tmp_path / "m-00002-of-00003.gguf").unlink()
    assert reject(tmp_path, "FROM .", NEW) == (
        "`…/m-00001-of-00003.gguf` is named without its other shards: `m-00002-of-00003.gguf`",
        "download all shards",
    )
    assert reject(tmp_path, "FROM .", OLD) == (
        "`…/m-00001-of-00003.gguf` is one of 3 shards, and Ollama 0.9.3 would take each for a model of its own",
        "run `llama-gguf-split --merge m-00001-of-00003.gguf MERGED.gguf`, or build with Ollama 0.30.0 or later",
    )


def test_renamed_shard_is_rejected(tmp_path: Path) -> None:
    write_shard(tmp_path, 2, 2, "renamed.gguf")
    assert reject(tmp_path, "FROM renamed.gguf") == (
        "`…/renamed.gguf` is shard 2 of 2 by its header, but not by its name",
        "rename it to …-00002-of-00002.gguf",
    )


def test_complete_model_may_have_the_name_of_a_shard(tmp_path: Path) -> None:
    write_gguf(tmp_path / "m-00001-of-00003.gguf")
    check(tmp_path, "FROM m-00001-of-00003.gguf", OLD)
    tensors = (
        "enc.blk.0.attn_q.weight",
        "enc.blk.1.attn_q.weight",
        "dec.blk.0.attn_q.weight",
        "dec.blk.1.attn_q.weight",
    )
    write_gguf(tmp_path / "m-00001-of-00003.gguf", {"llama.block_count": 2}, tensors=tensors)
    check(tmp_path, "FROM m-00001-of-00003.gguf", OLD)
    write_gguf(tmp_path / "m-00001-of-00001.gguf", {"llama.block_count": 2})
    check(tmp_path, "FROM m-00001-of-00001.gguf", OLD)


@pytest.mark.parametrize("target", [OLD, NEW, None])
def test_incomplete_model_with_the_name_of_a_shard_is_rejected(target: Version | None, tmp_path: Path) -> None:
    shard = tmp_path / "m-00001-of-00002.gguf"
    again = "its header does not mark it as a shard, so Ollama cannot merge it: download all shards again"
    write_gguf(shard, {"llama.block_count": 3}, tensors=("blk.0.attn_q.weight", "blk.0.attn_k.weight", "blk.1.x"))
    assert reject(tmp_path, f"FROM {shard.name}", target) == (
        "`…/m-00001-of-00002.gguf` is shard 1 of 2 by its name, and has only 2 of 3 blocks",
        again,
    )
    write_gguf(tmp_path / "m-00002-of-00002.gguf", arch="", tensors=("blk.2.attn_q.weight",))
    assert reject(tmp_path, "FROM m-00002-of-00002.gguf", target) == (
        "`…/m-00002-of-00002.gguf` is shard 2 of 2 by its name, and has no architecture",
        again,
    )
    assert "by its name" in reject(tmp_path, "FROM .", target)[0]


def test_only_one_model_is_accepted(tmp_path: Path) -> None:
    write_gguf(tmp_path / "q4.gguf")
    write_gguf(tmp_path / "q8.gguf")
    assert reject(tmp_path, "FROM .") == (
        "FROM names 2 models (`q4.gguf`, `q8.gguf`), but Ollama runs only one",
        "name the file of one model in FROM",
    )


def test_folder_with_gguf_and_other_files_is_rejected(tmp_path: Path) -> None:
    write_gguf(tmp_path / "m.gguf")
    (tmp_path / "config.json").write_text("{}")
    assert reject(tmp_path, "FROM .") == (
        "FROM names `config.json` beside `m.gguf`, and Ollama rejects what is not GGUF",
        "name the GGUF file in FROM, not its folder",
    )
    check(tmp_path, "FROM m.gguf")


@pytest.mark.parametrize(
    "metadata",
    [
        {"general.type": "mmproj"},
        {"general.type": "projector"},
        {"clip.vision.block_count": 1},
        {"clip.has_vision_encoder": True},
        {"clip.has_audio_encoder": True},
    ],
)
def test_projector_is_not_a_second_model(metadata: dict[str, Any], tmp_path: Path, tiny: Path) -> None:
    write_gguf(tmp_path / "mmproj.gguf", metadata, arch="clip")
    check(tmp_path, f"FROM {tiny}\nFROM mmproj.gguf")
    assert reject(tmp_path, "FROM mmproj.gguf")[0] == "FROM names no model, only the projector `…/mmproj.gguf`"


@pytest.mark.parametrize(
    ("metadata", "before", "hint"),
    [
        ({}, None, "its header does not mark it as a projector: convert it again with a newer llama.cpp"),
        ({"general.type": "mmproj"}, Version(0, 30, 3), "build with Ollama 0.30.4 or later"),
        ({"clip.has_audio_encoder": True}, OLD, "build with Ollama 0.30.4 or later"),
    ],
)
def test_projector_that_ollama_does_not_detect_is_rejected(
    metadata: dict[str, Any], before: Version | None, hint: str, tmp_path: Path, tiny: Path
) -> None:
    write_gguf(tmp_path / "mmproj.gguf", metadata, arch="clip")
    message, actual_hint = reject(tmp_path, f"FROM {tiny}\nFROM mmproj.gguf", before)
    assert message.partition(" ")[2].partition(" ")[2] == ("would use the projector `…/mmproj.gguf` as the model")
    assert actual_hint == hint
    assert reject(tmp_path, "FROM mmproj.gguf", before)[0] == "FROM names no model, only the projector `…/mmproj.gguf`"


def test_only_one_projector_is_accepted(tmp_path: Path, tiny: Path) -> None:
    for name in ("a.gguf", "b.gguf"):
        write_gguf(tmp_path / name, {"clip.vision.block_count": 1}, arch="clip")
    assert reject(tmp_path, f"FROM {tiny}\nFROM a.gguf\nFROM b.gguf") == (
        "FROM names 2 projectors (`a.gguf`, `b.gguf`), but Ollama uses only one",
        "keep the FROM of the model's file and that of one projector",
    )


def test_adapter_is_one_gguf_file_or_folder_of_safetensors(tmp_path: Path, tiny: Path) -> None:
    write_gguf(tmp_path / "lora.gguf", {"general.type": "adapter"})
    check(tmp_path, f"FROM {tiny}\nADAPTER lora.gguf")
    check(tmp_path, "FROM llama3.2\nADAPTER lora.gguf")
    check(tmp_path, f"FROM {tiny}\nFROM lora.gguf")
    assert reject(tmp_path, "FROM lora.gguf")[0] == "FROM names no model, only the adapter `…/lora.gguf`"
    assert reject(tmp_path, f"FROM llama3.2\nADAPTER {tiny}") == (
        f"`{tiny}` is a model, not an adapter",
        "name it in FROM",
    )
    write_gguf(tmp_path / "other.gguf", {"general.type": "adapter"})
    assert reject(tmp_path, "FROM llama3.2\nADAPTER .")[0] == (
        "ADAPTER names 2 files (`lora.gguf`, `other.gguf`), but Ollama takes only one"
    )
    lora = write_lora(tmp_path / "lora")
    check(tmp_path, "FROM llama3.2\nADAPTER lora")
    assert reject(tmp_path, "FROM llama3.2\nADAPTER lora/model.safetensors") == (
        "Ollama cannot convert `…/lora/model.safetensors` without adapter_config.json",
        "name a folder in ADAPTER that has both",
    )
    (lora / "adapter_config.json").unlink()
    assert "without adapter_config.json" in reject(tmp_path, "FROM llama3.2\nADAPTER lora")[0]


def test_draft_is_supported_by_newer_versions_only(tmp_path: Path, tiny: Path) -> None:
    write_tiny_gguf(tmp_path / "small.gguf", seed=1)
    check(tmp_path, f"FROM {tiny}\nDRAFT small.gguf", NEW)
    check(tmp_path, "FROM llama3.2\nDRAFT small.gguf", NEW)
    assert reject(tmp_path, f"FROM {tiny}\nDRAFT small.gguf", Version(0, 29, 0)) == (
        "Ollama 0.29.0 does not support DRAFT",
        "build without `small.gguf`, or with a newer Ollama",
    )
    (tmp_path / "small.gguf").write_bytes((tmp_path / "small.gguf").read_bytes()[:-1])
    assert "is truncated" in reject(tmp_path, "FROM llama3.2\nDRAFT small.gguf")[0]


@pytest.mark.parametrize("target", [OLD, NEW, None])
def test_truncated_and_missing_shards_of_safetensors_are_rejected(target: Version | None, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m", shards=3)
    check(tmp_path, "FROM m", target)
    second = folder / "model-00002-of-00003.safetensors"
    whole = second.read_bytes()
    for length in (100, len(whole) - 1):
        second.write_bytes(whole[:length])
        assert reject(tmp_path, "FROM m", target)[0].startswith(
            f"`…/m/{second.name}` is truncated: it has {length:,} bytes"
        )
    second.unlink()
    assert reject(tmp_path, "FROM m", target) == (
        f"missing 1 of 3 weights files: `{second.name}`",
        "download them into `…/m`; without them, Ollama would make an incomplete model",
    )
    (folder / "model.safetensors.index.json").unlink()
    assert f"weights files: `{second.name}`" in reject(tmp_path, "FROM m", target)[0]


def test_shard_of_the_index_is_required(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m", shards=2)
    index = folder / "model.safetensors.index.json"
    for path, name in (("model-00001-of-00002", "model-a"), ("model-00002-of-00002", "model-b")):
        (folder / f"{path}.safetensors").rename(folder / f"{name}.safetensors")
        index.write_text(index.read_text().replace(path, name))
    check(tmp_path, "FROM m")
    (folder / "model-b.safetensors").unlink()
    assert "weights files: `model-b.safetensors`" in reject(tmp_path, "FROM m")[0]
    (folder / "consolidated.safetensors.index.json").write_text('{"weight_map": {"x": "consolidated-1.safetensors"}}')
    index.write_text("[]")
    check(tmp_path, "FROM m")  # an invalid index and one of other weights are ignored


def test_tensors_of_the_index_are_required(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m", shards=3)
    first, second = (folder / f"model-0000{number}-of-00003.safetensors" for number in (1, 2))
    whole, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(whole)
    check(tmp_path, "FROM m")  # all tensors are there, in other files
    first.write_bytes(whole)
    index = folder / "model.safetensors.index.json"
    message, hint = reject(tmp_path, "FROM m")
    assert message == (
        f"missing 4 of 12 tensors of `{index.name}`, "
        f"such as `model.layers.0.input_layernorm.weight` in `…/m/{second.name}`"
    )
    assert hint == "download the weights again, or delete the index, which Ollama ignores, if it belongs to others"
    second.write_bytes((2).to_bytes(8, "little") + b"[]")
    assert reject(tmp_path, "FROM m")[0].endswith("is a corrupt safetensors file: its header is not a JSON object")
    second.write_bytes(whole)
    index.unlink()
    check(tmp_path, "FROM m")


def test_safetensors_require_config_json_and_exclude_gguf(tmp_path: Path, tiny: Path) -> None:
    folder = write_model(tmp_path / "m")
    assert reject(tmp_path, f"FROM m\nFROM {tiny}")[0] == (
        f"FROM names `model.safetensors` and `{tiny.name}`, but Ollama uses only one format"
    )
    assert "without config.json" in reject(tmp_path, "FROM m/model.safetensors")[0]
    message, hint = reject(tmp_path, "FROM m", Version(0, 34, 1))
    command = "`python convert_hf_to_gguf.py …/m --outfile converted.gguf`"
    assert message == "Ollama 0.34.1 cannot convert safetensors"
    assert hint == f"convert them with llama.cpp, {command}, and write `FROM ./converted.gguf`"
    (folder / "config.json").unlink()
    assert "without config.json" in reject(tmp_path, "FROM m")[0]


def recipe(*files: Path, base: str | None = None) -> Recipe:
    return Recipe(base=base, files=files)


def quantize(made: Recipe, kind: str, version: Version | None = None, *, base_type: str = "") -> None:
    check_quantization(made.files, kind, version, base=made.base, base_type=base_type)


KINDS = "BF16, F16, F32, Q4_K, Q4_K_M, Q4_K_S, Q8_0"


def test_request_has_the_quantization() -> None:
    assert create_request(Recipe(base="x", quantize="q8_0")) == {"from": "x", "quantize": "q8_0"}


@pytest.mark.parametrize("kind", ["q4_K_M", "Q8_0", "f16", "bf16", "Q4_K"])
def test_supported_quantizations_are_accepted(kind: str, tmp_path: Path, tiny: Path) -> None:
    quantize(recipe(tiny), kind, OLD)
    quantize(recipe(*write_model(tmp_path / "m").iterdir()), kind, OLD)
    quantize(recipe(base="llama3.2"), kind)
    quantize(recipe(base="llama3.2"), kind, base_type="F16")
    projector = write_gguf(tmp_path / "mmproj.gguf", {"general.file_type": 7}, arch="clip")
    quantize(recipe(tiny, projector), kind)


@pytest.mark.parametrize(
    ("kind", "version", "message", "hint"),
    [
        (
            "q5_0",
            Version(0, 9, 3),
            "Ollama 0.9.3 cannot quantize to `q5_0`",
            f"choose one of {KINDS}, or quantize here: `mf build NAME --quantize q5_0 --with llama-quantize`",
        ),
        (
            "nvfp4",
            Version(0, 30, 0),
            "Ollama 0.30.0 cannot quantize to `nvfp4`",
            f"choose one of {KINDS}",
        ),
        (
            "q8_0",
            Version(0, 34, 1),
            "Ollama 0.34.1 cannot quantize",
            "quantize here: `mf build NAME --quantize q8_0 --with llama-quantize`",
        ),
    ],
)
def test_unsupported_quantization_is_rejected(kind: str, version: Version, message: str, hint: str, tiny: Path) -> None:
    with pytest.raises(UsageError) as raised:
        quantize(recipe(tiny), kind, version)
    assert (raised.value.message, raised.value.hint) == (message, hint)


@pytest.mark.parametrize(
    ("file_type", "name", "version"),
    [(7, "Q8_0", NEW), (32, "BF16", OLD), (0, "unknown", NEW), (15, "Q4_K_M", OLD)],
)
def test_quantization_of_other_types_is_rejected(file_type: int, name: str, version: Version, tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf", {"general.file_type": file_type})
    for what, made in ((f"`{path}`", recipe(path)), ("the base llama3.2", recipe(base="llama3.2"))):
        with pytest.raises(UsageError, match="cannot quantize") as raised:
            quantize(made, "Q8_0", version, base_type=name)
        problem = "the type of its weights is unknown" if name == "unknown" else f"its weights are {name}"
        assert raised.value.message == f"cannot quantize {what}: {problem}"
        assert raised.value.hint is not None
        known = "BF16, F16, F32" if version == NEW else "F16, F32"
        assert raised.value.hint.partition(", and ")[0] == f"Ollama {version} quantizes only {known}"
    if file_type == 32:
        quantize(recipe(path), "Q8_0", NEW)
