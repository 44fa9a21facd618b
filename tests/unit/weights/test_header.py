"""Look-ups in headers."""

import struct
from pathlib import Path

import pytest
from tests.support.tiny_gguf import typed_gguf

from modelfile.weights.gguf import read_header
from modelfile.weights.header import BOOL, STRING, UINT32, GGUFHeader, Scalar, Tensor, Totals


def test_values_are_looked_up_as_ollama_does() -> None:
    metadata: dict[str, Scalar] = {"general.architecture": "llama", "llama.block_count": 3, "x": True}
    kinds = {"general.architecture": STRING, "llama.block_count": UINT32, "x": BOOL}
    header = GGUFHeader(metadata=metadata, size=0, needed=0, blocks=0, kinds=kinds)
    assert (header.architecture, header.number("block_count"), header.number("x")) == ("llama", 3, 1)
    assert (header.typed("block_count", UINT32), header.typed("block_count", STRING)) == (3, None)
    assert (header.text("llama.block_count"), header.text("none"), header.file_type) == ("", "", "unknown")


LLAMA = {"general.architecture": "llama"}


@pytest.mark.parametrize(
    ("content", "defect"),
    [
        (typed_gguf(LLAMA, {"x": (32, 2), "y": (7,), "z": (2, 2, 2, 2)}, size=1), ""),
        (typed_gguf(LLAMA, version=2), ""),
        (typed_gguf(LLAMA, version=4), "it has version 4 of GGUF, which Ollama does not load"),
        (typed_gguf(LLAMA, version=99), "it has version 99 of GGUF, which Ollama does not load"),
        (typed_gguf({"a": 1, "b": 2}).replace(b"b", b"a"), "the key `a` is there twice"),
        (typed_gguf({"general.alignment": 24}), "its alignment, 24, is no power of 2"),
        (
            typed_gguf({"tokenizer.chat_template": (9, struct.pack("<IQ", 8, 0))}),
            "`tokenizer.chat_template` is no text, and not used",
        ),
        (typed_gguf({}, {"x" * 63: (1,)}, size=1), ""),
        (typed_gguf({}, {"é" * 32: (1,)}, size=1), "a name of a tensor has 64 bytes, over the limit of 63"),
        (typed_gguf({}, {"x": (8,), "y": (8,)}, size=1).replace(b"y", b"x"), "two tensors are called `x`"),
        (typed_gguf({}, {"x": (1,) * 5}, size=1), "the tensor `x` has 5 dimensions, over the limit of 4"),
    ],
)
def test_defects_are_named_by_the_bound(content: bytes, defect: str, tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(content)
    assert read_header(path).defect == defect


def tensor(name: str, row: int, kind: int, offset: int, size: int) -> Tensor:
    return Tensor(name=name, shape=(row,), kind=kind, offset=offset, elements=row, size=size)


def test_data_of_tensors_follow_each_other() -> None:
    totals = Totals(alignment=64)
    totals.add(tensor("x", 32, 8, 0, 34))
    totals.add(tensor("y", 32, 8, 64, 34))
    assert (totals.defect, totals.end) == ("", 98)
    totals.add(tensor("z", 32, 8, 64, 34))
    assert totals.defect == "the data of `z` begin at byte 64 of all, not at 128, where those before end"
    totals.add(tensor("z", 32, 8, 0, 34))
    assert totals.defect.startswith("the data of `z`")


def test_rows_fill_the_blocks_of_their_type() -> None:
    totals = Totals(alignment=32)
    totals.add(tensor("x", 33, 8, 0, 34))
    assert totals.defect == "the tensor `x` has rows of 33 elements, no multiple of 32, the block of Q8_0"


def test_data_behind_an_unknown_type_are_not_judged() -> None:
    totals = Totals(alignment=32)
    totals.add(tensor("x", 33, 99, 0, 0))
    totals.add(tensor("y", 32, 0, 7, 128))
    assert totals.defect == ""
