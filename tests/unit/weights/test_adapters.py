"""Adapters and the bases that they fit."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.support.tiny_gguf import typed_gguf

from modelfile.catalog.versions import NEWEST
from modelfile.errors import InputError
from modelfile.weights.adapters import check_adapter_fits, check_conversion
from modelfile.weights.gguf import read_header

LLAMA = {"general.architecture": "llama"}


def write(path: Path, tensors: Mapping[str, tuple[int, ...]]) -> Path:
    path.write_bytes(typed_gguf(LLAMA, tensors, size=1 << 15))
    return path


def test_tensors_of_all_shards_count(tmp_path: Path) -> None:
    shards = [write(tmp_path / f"{number}.gguf", {f"blk.{number}.attn_q.weight": (32, 32)}) for number in (0, 1)]
    lora = {f"blk.1.attn_q.weight.lora_{half}": shape for half, shape in (("a", (32, 4)), ("b", (4, 32)))}
    adapter = write(tmp_path / "lora.gguf", lora)
    headers = {path: read_header(path) for path in shards}
    check_adapter_fits(headers, adapter, read_header(adapter))
    del headers[shards[1]]
    with pytest.raises(InputError, match="does not have") as raised:
        check_adapter_fits(headers, adapter, read_header(adapter))
    assert raised.value.rule == "adapter-mismatch"


@pytest.mark.parametrize("lora", [{"x.lora_a": (32, 4)}, {"x.lora_a": (32,), "x.lora_b": (4,)}, {"y": (1, 1)}])
def test_what_is_no_pair_of_matrices_is_left_to_ollama(lora: Mapping[str, tuple[int, ...]], tmp_path: Path) -> None:
    base, adapter = write(tmp_path / "m.gguf", {"x": (64, 64)}), write(tmp_path / "lora.gguf", lora)
    check_adapter_fits({base: read_header(base)}, adapter, read_header(adapter))


def test_only_some_architectures_are_converted() -> None:
    for architecture in ("llama", "gemma2", ""):
        check_conversion(architecture, Path("lora"), NEWEST)
    with pytest.raises(InputError, match="not for `qwen2`: `lora`"):
        check_conversion("qwen2", Path("lora"), NEWEST)
