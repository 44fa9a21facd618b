"""What is wrong with local weights is told before anything is sent."""

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


def write_part(folder: Path, number: int, count: int, name: str | None = None) -> Path:
    name = name or f"m-{number:05}-of-{count:05}.gguf"
    return write_gguf(folder / name, {"split.no": number - 1, "split.count": count})


def look(folder: Path, text: str, target: Version | None = None) -> None:
    recipe = resolve(parse(text), folder, target)
    check_weights(recipe.model_files, recipe.adapters, recipe.drafts, target)


def refused(folder: Path, text: str, target: Version | None = None) -> tuple[str, str]:
    """What is said, and the way on; the folder is written `…`."""
    with pytest.raises(InputError) as raised:
        look(folder, text, target)
    return raised.value.message.replace(str(folder), "…"), (raised.value.hint or "").replace(str(folder), "…")


def test_a_gguf_that_is_cut_short(tmp_path: Path, tiny: Path) -> None:
    whole = tiny.read_bytes()
    (tmp_path / "m.gguf").write_bytes(whole)
    look(tmp_path, "FROM m.gguf")
    (tmp_path / "m.gguf").write_bytes(whole[:-1])
    assert refused(tmp_path, "FROM m.gguf") == (
        f"`…/m.gguf` is cut short: it has {len(whole) - 1:,} bytes, and its header tells of {len(whole):,}",
        "download it again",
    )
    (tmp_path / "m.gguf").write_bytes(whole[:600])
    assert "its header alone goes on behind them" in refused(tmp_path, "FROM m.gguf")[0]
    look(tmp_path, "FROM m.gguf\nFROM llama3.2")  # the name wins, and the file is of no consequence


def test_a_pointer_and_what_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\n")
    assert refused(tmp_path, "FROM .") == (
        "`…/model.safetensors` is a git-lfs pointer, not the weights",
        "run `git lfs pull`",
    )
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / "pytorch_model.bin").write_bytes(b"PK\x03\x04")
    assert refused(tmp_path, "FROM .")[0] == (
        "`…/pytorch_model.bin` is neither GGUF nor safetensors, and Ollama's server takes nothing else"
    )


def test_parts_of_a_split_gguf(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        write_part(tmp_path, number, 3)
    every = "".join(f"FROM m-0000{number}-of-00003.gguf\n" for number in (1, 2, 3))
    look(tmp_path, every, NEW)
    look(tmp_path, "FROM .", NEW)
    look(tmp_path, f"FROM m-00002-of-00003.gguf\n{every}", NEW)
    assert refused(tmp_path, "FROM m-00001-of-00003.gguf", NEW) == (
        "`…/m-00001-of-00003.gguf` is one of several parts; missing: `m-00002-of-00003.gguf`, `m-00003-of-00003.gguf`",
        "write a FROM for each part, or FROM with the folder",
    )
    (tmp_path / "m-00002-of-00003.gguf").unlink()
    assert refused(tmp_path, "FROM .", NEW) == (
        "`…/m-00001-of-00003.gguf` is one of several parts; missing: `m-00002-of-00003.gguf`",
        "download all parts",
    )
    assert refused(tmp_path, "FROM .", OLD) == (
        "`…/m-00001-of-00003.gguf` is one of 3 parts, each of which Ollama 0.9.3 takes for a model of its own",
        "run `llama-gguf-split --merge m-00001-of-00003.gguf MERGED.gguf`, or build with Ollama 0.30.0 or later",
    )


def test_a_part_by_another_name(tmp_path: Path) -> None:
    write_part(tmp_path, 2, 2, "renamed.gguf")
    assert refused(tmp_path, "FROM renamed.gguf") == (
        "`…/renamed.gguf` is part 2 of 2, and its name says otherwise",
        "name it …-00002-of-00002.gguf",
    )


def test_a_name_alone_makes_no_part(tmp_path: Path) -> None:
    write_gguf(tmp_path / "m-00001-of-00003.gguf")
    look(tmp_path, "FROM m-00001-of-00003.gguf", OLD)
    tensors = (
        "enc.blk.0.attn_q.weight",
        "enc.blk.1.attn_q.weight",
        "dec.blk.0.attn_q.weight",
        "dec.blk.1.attn_q.weight",
    )
    write_gguf(tmp_path / "m-00001-of-00003.gguf", {"llama.block_count": 2}, tensors=tensors)
    look(tmp_path, "FROM m-00001-of-00003.gguf", OLD)
    write_gguf(tmp_path / "m-00001-of-00001.gguf", {"llama.block_count": 2})
    look(tmp_path, "FROM m-00001-of-00001.gguf", OLD)


@pytest.mark.parametrize("target", [OLD, NEW, None])
def test_a_part_by_its_name_in_which_something_is_missing(target: Version | None, tmp_path: Path) -> None:
    part = tmp_path / "m-00001-of-00002.gguf"
    again = "its header does not say so, and Ollama cannot put it together: download all parts again"
    write_gguf(part, {"llama.block_count": 3}, tensors=("blk.0.attn_q.weight", "blk.0.attn_k.weight", "blk.1.x"))
    assert refused(tmp_path, f"FROM {part.name}", target) == (
        "`…/m-00001-of-00002.gguf` is part 1 of 2 by its name, and has 2 of 3 blocks",
        again,
    )
    write_gguf(tmp_path / "m-00002-of-00002.gguf", arch="", tensors=("blk.2.attn_q.weight",))
    assert refused(tmp_path, "FROM m-00002-of-00002.gguf", target) == (
        "`…/m-00002-of-00002.gguf` is part 2 of 2 by its name, and has no word on what model it is",
        again,
    )
    assert "by its name" in refused(tmp_path, "FROM .", target)[0]


def test_two_models(tmp_path: Path) -> None:
    write_gguf(tmp_path / "q4.gguf")
    write_gguf(tmp_path / "q8.gguf")
    assert refused(tmp_path, "FROM .") == (
        "FROM gives 2 models, `q4.gguf`, `q8.gguf`, and Ollama runs only one",
        "write FROM with the one file that is meant",
    )


def test_a_gguf_and_what_is_none_in_one_folder(tmp_path: Path) -> None:
    write_gguf(tmp_path / "m.gguf")
    (tmp_path / "config.json").write_text("{}")
    assert refused(tmp_path, "FROM .") == (
        "FROM gives `config.json` beside `m.gguf`, and Ollama refuses what is not GGUF",
        "let FROM name the GGUF file, not its folder",
    )
    look(tmp_path, "FROM m.gguf")


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
def test_a_projector_is_no_second_model(metadata: dict[str, Any], tmp_path: Path, tiny: Path) -> None:
    write_gguf(tmp_path / "mmproj.gguf", metadata, arch="clip")
    look(tmp_path, f"FROM {tiny}\nFROM mmproj.gguf")
    assert refused(tmp_path, "FROM mmproj.gguf")[0] == "FROM gives no model, only the projector `…/mmproj.gguf`"


@pytest.mark.parametrize(
    ("metadata", "before", "hint"),
    [
        ({}, None, "its header does not say that it is one: convert it again with a newer llama.cpp"),
        ({"general.type": "mmproj"}, Version(0, 30, 9), "build with Ollama 0.30.10 or later"),
        ({"clip.has_audio_encoder": True}, OLD, "build with Ollama 0.30.10 or later"),
    ],
)
def test_a_projector_that_ollama_does_not_see(
    metadata: dict[str, Any], before: Version | None, hint: str, tmp_path: Path, tiny: Path
) -> None:
    write_gguf(tmp_path / "mmproj.gguf", metadata, arch="clip")
    message, way = refused(tmp_path, f"FROM {tiny}\nFROM mmproj.gguf", before)
    assert message.partition(" ")[2].partition(" ")[2] == (
        "takes the projector `…/mmproj.gguf` for a model, in the place of the one that is meant"
    )
    assert way == hint
    assert refused(tmp_path, "FROM mmproj.gguf", before)[0] == "FROM gives no model, only the projector `…/mmproj.gguf`"


def test_two_projectors(tmp_path: Path, tiny: Path) -> None:
    for name in ("a.gguf", "b.gguf"):
        write_gguf(tmp_path / name, {"clip.vision.block_count": 1}, arch="clip")
    assert refused(tmp_path, f"FROM {tiny}\nFROM a.gguf\nFROM b.gguf") == (
        "FROM gives 2 projectors, `a.gguf`, `b.gguf`, and Ollama uses only one",
        "write FROM with the model's file, and FROM with that of the one that is meant",
    )


def test_adapters(tmp_path: Path, tiny: Path) -> None:
    write_gguf(tmp_path / "lora.gguf", {"general.type": "adapter"})
    look(tmp_path, f"FROM {tiny}\nADAPTER lora.gguf")
    look(tmp_path, "FROM llama3.2\nADAPTER lora.gguf")
    look(tmp_path, f"FROM {tiny}\nFROM lora.gguf")
    assert refused(tmp_path, "FROM lora.gguf")[0] == "FROM gives no model, only the adapter `…/lora.gguf`"
    assert refused(tmp_path, f"FROM llama3.2\nADAPTER {tiny}") == (
        f"`{tiny}` holds a model, not an adapter",
        "a model goes into FROM",
    )
    write_gguf(tmp_path / "other.gguf", {"general.type": "adapter"})
    assert refused(tmp_path, "FROM llama3.2\nADAPTER .")[0] == (
        "ADAPTER gives 2 files, `lora.gguf`, `other.gguf`, and Ollama takes one"
    )
    lora = write_lora(tmp_path / "lora")
    look(tmp_path, "FROM llama3.2\nADAPTER lora")
    assert refused(tmp_path, "FROM llama3.2\nADAPTER lora/model.safetensors") == (
        "`…/lora/model.safetensors` comes without adapter_config.json, and Ollama cannot convert it so",
        "it belongs to the weights: let ADAPTER name the folder that has both",
    )
    (lora / "adapter_config.json").unlink()
    assert "without adapter_config.json" in refused(tmp_path, "FROM llama3.2\nADAPTER lora")[0]


def test_drafts(tmp_path: Path, tiny: Path) -> None:
    write_tiny_gguf(tmp_path / "small.gguf", seed=1)
    look(tmp_path, f"FROM {tiny}\nDRAFT small.gguf", NEW)
    look(tmp_path, "FROM llama3.2\nDRAFT small.gguf", NEW)
    assert refused(tmp_path, f"FROM {tiny}\nDRAFT small.gguf", Version(0, 29, 0)) == (
        "Ollama 0.29.0 takes no DRAFT",
        "build without `small.gguf`",
    )
    (tmp_path / "small.gguf").write_bytes((tmp_path / "small.gguf").read_bytes()[:-1])
    assert "is cut short" in refused(tmp_path, "FROM llama3.2\nDRAFT small.gguf")[0]


@pytest.mark.parametrize("target", [OLD, NEW, None])
def test_safetensors(target: Version | None, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m", shards=3)
    look(tmp_path, "FROM m", target)
    second = folder / "model-00002-of-00003.safetensors"
    whole = second.read_bytes()
    for length in (100, len(whole) - 1):
        second.write_bytes(whole[:length])
        assert refused(tmp_path, "FROM m", target)[0].startswith(
            f"`…/m/{second.name}` is cut short: it has {length:,} bytes"
        )
    second.unlink()
    assert refused(tmp_path, "FROM m", target) == (
        f"of 3 files of weights 1 are missing: `{second.name}`",
        "they belong into `…/m`; Ollama would make a model of the others",
    )
    (folder / "model.safetensors.index.json").unlink()
    assert f"missing: `{second.name}`" in refused(tmp_path, "FROM m", target)[0]


def test_shards_by_the_index_alone(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m", shards=2)
    index = folder / "model.safetensors.index.json"
    for path, name in (("model-00001-of-00002", "model-a"), ("model-00002-of-00002", "model-b")):
        (folder / f"{path}.safetensors").rename(folder / f"{name}.safetensors")
        index.write_text(index.read_text().replace(path, name))
    look(tmp_path, "FROM m")
    (folder / "model-b.safetensors").unlink()
    assert "missing: `model-b.safetensors`" in refused(tmp_path, "FROM m")[0]
    (folder / "consolidated.safetensors.index.json").write_text('{"weight_map": {"x": "consolidated-1.safetensors"}}')
    index.write_text("[]")
    look(tmp_path, "FROM m")  # an index of other weights says nothing of these, nor does one that is none


def test_shards_without_what_the_index_says_of_them(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m", shards=3)
    first, second = (folder / f"model-0000{number}-of-00003.safetensors" for number in (1, 2))
    whole, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(whole)
    look(tmp_path, "FROM m")  # every tensor is there, and Ollama does not ask where
    first.write_bytes(whole)
    index = folder / "model.safetensors.index.json"
    message, hint = refused(tmp_path, "FROM m")
    assert message == (
        f"`…/m/{second.name}` should have the tensor `model.layers.0.input_layernorm.weight` by "
        f"`{index.name}`; of its 12 tensors 4 are in no file"
    )
    assert hint == "download the weights again, or delete the index if it is of others: Ollama does not read it"
    second.write_bytes((2).to_bytes(8, "little") + b"[]")
    look(tmp_path, "FROM m")  # what that is, the server says
    second.write_bytes(whole)
    index.unlink()
    look(tmp_path, "FROM m")


def test_safetensors_need_their_configuration_and_no_gguf(tmp_path: Path, tiny: Path) -> None:
    folder = write_model(tmp_path / "m")
    assert refused(tmp_path, f"FROM m\nFROM {tiny}")[0] == (
        f"FROM gives `model.safetensors` and `{tiny.name}`, and Ollama takes either as it comes"
    )
    assert "comes without config.json" in refused(tmp_path, "FROM m/model.safetensors")[0]
    assert refused(tmp_path, "FROM m", Version(0, 34, 1))[0] == "Ollama 0.34.1 converts no safetensors"
    (folder / "config.json").unlink()
    assert "comes without config.json" in refused(tmp_path, "FROM m")[0]


def test_junk_headers_of_safetensors(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m")
    for junk in (b"[]", b'{"x": 1}', b'{"x": {"data_offsets": ["a", 2]}}', b"[" * 100_000, b"\xff"):
        (folder / "model.safetensors").write_bytes(len(junk).to_bytes(8, "little") + junk)
        look(tmp_path, "FROM m")  # not cut; what it is, the server says
    (folder / "model.safetensors").write_bytes((1 << 62).to_bytes(8, "little") + b"{}")
    assert "is cut short" in refused(tmp_path, "FROM m")[0]


def recipe(*files: Path, base: str | None = None) -> Recipe:
    return Recipe(base=base, files=files)


def quantize(made: Recipe, kind: str, version: Version | None = None, *, base_type: str = "") -> None:
    check_quantization(made.files, kind, version, base=made.base, base_type=base_type)


def test_quantize_is_in_the_request() -> None:
    assert Recipe(base="x", quantize="q8_0").request() == {"from": "x", "quantize": "q8_0"}


@pytest.mark.parametrize("kind", ["q4_K_M", "Q8_0", "f16", "bf16", "Q4_K"])
def test_what_can_be_quantized(kind: str, tmp_path: Path, tiny: Path) -> None:
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
            "it takes BF16, F16, F32, Q4_K, Q4_K_M, Q4_K_S, Q8_0; llama-quantize makes others",
        ),
        (
            "nvfp4",
            Version(0, 30, 0),
            "Ollama 0.30.0 cannot quantize to `nvfp4`",
            "it takes BF16, F16, F32, Q4_K, Q4_K_M, Q4_K_S, Q8_0; llama-quantize makes others",
        ),
        ("q8_0", Version(0, 34, 1), "Ollama 0.34.1 does not quantize", "quantize the GGUF with llama-quantize"),
    ],
)
def test_to_what_cannot_be_quantized(kind: str, version: Version, message: str, hint: str, tiny: Path) -> None:
    with pytest.raises(UsageError) as raised:
        quantize(recipe(tiny), kind, version)
    assert (raised.value.message, raised.value.hint) == (message, hint)


@pytest.mark.parametrize(
    ("file_type", "name", "version"),
    [(7, "Q8_0", NEW), (32, "BF16", OLD), (0, "unknown", NEW), (15, "Q4_K_M", OLD)],
)
def test_of_what_cannot_be_quantized(file_type: int, name: str, version: Version, tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf", {"general.file_type": file_type})
    for what, made in ((f"`{path}`", recipe(path)), ("the base llama3.2", recipe(base="llama3.2"))):
        with pytest.raises(UsageError, match="cannot be quantized") as raised:
            quantize(made, "Q8_0", version, base_type=name)
        assert raised.value.message == f"{what} cannot be quantized: its weights are {name}"
        assert raised.value.hint is not None
        known = "BF16, F16, F32" if version == NEW else "F16, F32"
        assert raised.value.hint.partition(", by ")[0] == f"Ollama {version} quantizes {known}"
    if file_type == 32:
        quantize(recipe(path), "Q8_0", NEW)
