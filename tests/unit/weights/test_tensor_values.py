"""Values of tensors: what is not finite, and what is dead."""

import os
import struct
from pathlib import Path

import gguf
import numpy as np
import pytest
from numpy.typing import NDArray

from modelfile.errors import InputError
from modelfile.events import Progress
from modelfile.weights.reading import read_weights
from modelfile.weights.tensor_values import TensorValues

QUANTIZED = (gguf.GGMLQuantizationType.Q4_0, gguf.GGMLQuantizationType.Q6_K, gguf.GGMLQuantizationType.BF16)


def write(path: Path, tensors: dict[str, tuple[NDArray[np.generic], gguf.GGMLQuantizationType | None]]) -> Path:
    writer = gguf.GGUFWriter(path, "llama")
    for name, (content, kind) in tensors.items():
        writer.add_tensor(name, content, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def counts(path: Path) -> dict[str, TensorValues]:
    (found,) = read_weights(path)
    return {tensor.name: values for tensor, values in found.values()}


def test_values_of_plain_types(tmp_path: Path) -> None:
    plain = np.ones(100, np.float32)
    plain[3], plain[4:6], plain[32:64] = np.nan, np.inf, 0
    half = plain.astype(np.float16)
    found = counts(write(tmp_path / "x.gguf", {"a": (plain, None), "b": (half, None)}))
    for name, kind in (("a", "F32"), ("b", "F16")):
        assert found[name] == TensorValues(name=name, type=kind, nan=1, infinite=2, dead=1, blocks=4)


@pytest.mark.parametrize("kind", QUANTIZED, ids=lambda kind: kind.name)
def test_values_of_quantized_types(kind: gguf.GGMLQuantizationType, tmp_path: Path) -> None:
    values = np.ones((4, 256), np.float32)
    values[1] = 0
    content = gguf.quants.quantize(values, kind) if kind.name != "Q6_K" else six_bits(values)
    found = counts(write(tmp_path / "x.gguf", {"a": (content, kind)}))["a"]
    assert (found.nan, found.infinite, found.dead * 4) == (0, 0, found.blocks)
    bad = content.copy().view(np.uint8)
    bad[0] = 0xFF  # scales and values of all ones are not numbers
    assert counts(write(tmp_path / "y.gguf", {"a": (bad, kind)}))["a"].nan


def six_bits(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return blocks of Q6_K, which the package does not write: a scale of one, or of zero for zeros."""
    blocks = np.zeros((len(values), 210), np.uint8)
    blocks[:, 192:208] = 1
    blocks[:, 208:] = np.where(values.any(axis=1), 1, 0).astype(np.float16)[:, None].view(np.uint8)
    return blocks


def test_large_tensors_are_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelfile.weights.tensor_values._PIECE", 300)
    values = np.ones(1000, np.float32)
    values[::100] = np.nan
    path = write(tmp_path / "x.gguf", {"a": (values, None), "b": (values[:10], None)})
    seen: list[Progress] = []
    (weights,) = read_weights(path)
    found = {tensor.name: each for tensor, each in weights.values(seen.append)}
    assert (found["a"].nan, found["a"].blocks, found["b"].blocks) == (10, 32, 1)
    assert [event.completed for event in seen] == sorted({event.completed for event in seen})
    assert (seen[-1].completed, seen[-1].total, seen[-1].status) == (4040, 4040, "b")


def test_types_without_such_values_are_skipped(tmp_path: Path) -> None:
    path = write(tmp_path / "x.gguf", {"a": (np.ones(8, np.int32), None), "b": (np.ones(8, np.float32), None)})
    assert [each.skipped for each in counts(path).values()] == [True, False]
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 40)  # padding and some values of b
    assert [each.skipped for each in counts(path).values()] == [True, True]


def test_file_that_shrinks_while_it_is_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelfile.weights.tensor_values._PIECE", 300)
    path = write(tmp_path / "x.gguf", {"a": (np.ones(1000, np.float32), None)})
    (weights,) = read_weights(path)
    with pytest.raises(InputError) as caught:
        [*weights.values(lambda _: os.truncate(path, 500))]
    assert caught.value.message == f"`{path}` changed while it was read"


def test_tensors_that_overlap_are_read_as_far_as_a_file_could_have_them_all(tmp_path: Path) -> None:
    path = write(tmp_path / "x.gguf", {name: (np.ones(64, np.float32), None) for name in "abcdefgh"})
    content = path.read_bytes()
    for number in range(1, 8):  # all at the offset of the first; what its data has is cut off
        content = content.replace(struct.pack("<QIQ", 64, 0, number * 256), struct.pack("<QIQ", 64, 0, 0))
    path.write_bytes(content[: -7 * 256])
    size, found = path.stat().st_size, counts(path)
    assert [each.skipped for each in found.values()] == [number * 256 > size for number in range(1, 9)]
    assert [each.skipped for each in found.values()][-1]
