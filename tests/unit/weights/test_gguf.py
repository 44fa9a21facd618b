"""GGUF headers, compared with gguf-py's tables and files, and of malicious files."""

import os
import struct
from io import FileIO
from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.operations import count_copied, count_operations
from tests.support.tiny_gguf import write_tiny_gguf

from modelfile.errors import InputError
from modelfile.immutable import replace
from modelfile.weights.gguf import read_array, read_header, read_tensors, recall_header
from modelfile.weights.header import BOOL, STRING, UINT32, GGUFArray, TypeTotal

Q8_1 = 9
"""A type on which gguf-py and ggml disagree; it does not occur in files."""


def test_header_of_a_small_model(tiny: Path) -> None:
    header = read_header(tiny)
    assert header.size == header.needed == tiny.stat().st_size
    assert (header.architecture, header.file_type, header.number("block_count")) == ("llama", "F16", 1)
    assert header.number("llama.block_count") == 1
    assert header.number("general.architecture") == 0
    assert header.text("llama.block_count") == ""


@pytest.mark.parametrize("quant", [kind for kind in gguf.GGML_QUANT_SIZES if kind != Q8_1], ids=lambda kind: kind.name)
def test_size_of_every_type(quant: gguf.GGMLQuantizationType, tmp_path: Path) -> None:
    elements, size = gguf.GGML_QUANT_SIZES[quant]
    tensor = info("x", (elements * 2, 3), int(quant), 64)
    path = tmp_path / "x.gguf"
    path.write_bytes(file(tensors=[tensor]))
    header = read_header(path)
    assert header.needed == -(-header.size // 32) * 32 + 64 + size * 2 * 3


def test_both_byte_orders_are_read(tmp_path: Path) -> None:
    for order in "<>":
        body = file(pairs=[pair("general.file_type", 4, struct.pack(f"{order}I", 7), order)], order=order)
        path = tmp_path / "x.gguf"
        path.write_bytes(body)
        assert read_header(path).file_type == "Q8_0"


def test_type_of_an_f32_file_is_unknown(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(file(pairs=[pair("general.file_type", 4, struct.pack("<I", 0))]))
    assert read_header(path).file_type == "unknown"


def test_header_truncated_anywhere_is_rejected(tiny: Path, tmp_path: Path) -> None:
    whole = tiny.read_bytes()
    path = tmp_path / "cut.gguf"
    weights = read_header(tiny).needed - sum(int(tensor.n_bytes) for tensor in gguf.GGUFReader(tiny).tensors)
    for length in (*range(200), *range(200, weights - 64, 37)):
        path.write_bytes(whole[:length])
        expected = "is truncated: it has [0-9,]+ bytes, its header" if length > 3 else "no" if length else "is empty"
        with pytest.raises(InputError, match=expected):
            read_header(path)
    path.write_bytes(whole[:-1])
    assert read_header(path).size == read_header(path).needed - 1


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (struct.pack("<IQ", 0, 1 << 20), "is truncated"),  # an array of 2^20 bytes
        (struct.pack("<IQ", 0, 1 << 63), r"corrupt GGUF file: more than 2\^63 elements, over the limit of 67,108,864$"),
        (struct.pack("<IQ", 8, 1 << 63), r"more than 2\^63 texts in arrays, over the limit of 4,194,304$"),
        (struct.pack("<IQQ", 8, 2, (1 << 64) - 1), "is truncated"),  # of a string that long
        (struct.pack("<IQ", 9, 1) * 20_000, "arrays nested too deeply"),
        (struct.pack("<IQ", 9, 1 << 20) + struct.pack("<IQ", 0, 0) * 100, "is truncated"),
        (struct.pack("<IQ", 9, 1 << 40) + struct.pack("<IQ", 0, 0) * 100, "1,099,511,627,776 elements, over the limit"),
        (struct.pack("<IQ", 9, 1 << 16) + struct.pack("<IQ", 0, 0) * (1 << 16), "more than 65,536 arrays"),
        (struct.pack("<IQ", 77, 1), "a value of type 77"),
    ],
)
def test_malicious_arrays_are_rejected(value: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(file(pairs=[pair("x", 9, value)]))
    with pytest.raises(InputError, match=message):
        read_header(path)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (struct.pack("<4sIQQ", b"GGUF", 3, 1 << 10, 0), "is truncated"),
        (struct.pack("<4sIQQ", b"GGUF", 3, 0, 1 << 10), "is truncated"),
        (struct.pack("<4sIQQ", b"GGUF", 3, 1 << 63, 0), r"more than 2\^63 tensors, over the limit of 65,536$"),
        (struct.pack("<4sIQQ", b"GGUF", 3, 0, 1 << 63), r"more than 2\^63 keys, over the limit of 65,536$"),
        (
            struct.pack("<4sIQQQ", b"GGUF", 3, 0, 1, 1 << 40),
            "a text of 1,099,511,627,776 bytes, over the limit of 10,485,760",
        ),
        (struct.pack("<4sIQQQI", b"GGUF", 3, 1, 0, 0, 1 << 31), "a tensor of 2,147,483,648 dimensions"),
        (b"GGML", "not a GGUF file"),
        (b"", "is empty"),
    ],
)
def test_malicious_counts_are_rejected(body: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(body)
    with pytest.raises(InputError, match=message):
        read_header(path)


def test_counts_that_cannot_fit_are_rejected_without_a_loop(tmp_path: Path) -> None:
    path = tmp_path / "sparse.gguf"
    for tensors, pairs, message in (
        (1 << 62, 0, "4,611,686,018,427,387,904 tensors, over the limit of 65,536"),
        (0, 1 << 62, "4,611,686,018,427,387,904 keys, over the limit of 65,536"),
        ((1 << 16) + 1, 0, "65,537 tensors"),
        (0, (1 << 16) + 1, "65,537 keys"),
    ):
        path.write_bytes(struct.pack("<4sIQQ", b"GGUF", 3, tensors, pairs))
        os.truncate(path, 10 << 30)

        def read(message: str = message) -> None:
            with pytest.raises(InputError, match=message):
                read_header(path)

        assert count_operations(read) < 100
        assert count_copied(read) < 1_000


def test_strings_across_windows_are_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = b"".join(struct.pack("<Q", length) + bytes(length) for length in range(40))
    body = file(pairs=[pair("t", 9, struct.pack("<IQ", 8, 40) + texts), pair("x", 4, struct.pack("<I", 7))])
    path = tmp_path / "x.gguf"
    path.write_bytes(body)
    for window in range(1, 64):
        monkeypatch.setattr("modelfile.weights.gguf._WINDOW", window)
        assert read_header(path).metadata == {"x": 7}


def test_long_texts_are_not_kept(tmp_path: Path) -> None:
    pairs = [pair(key, 8, struct.pack("<Q", length) + b"x" * length) for key, length in (("a", 1024), ("b", 1025))]
    path = tmp_path / "x.gguf"
    path.write_bytes(file(pairs=pairs))
    assert read_header(path).metadata == {"a": "x" * 1024}


def test_a_file_that_shrinks_while_its_header_is_read_is_an_error(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(tiny.read_bytes())

    class Shrinking(FileIO):
        def read(self, size: int | None = -1, /) -> bytes:
            piece = super().read(size)
            if size == 64:
                os.truncate(path, 100)
            return piece

    monkeypatch.setattr("modelfile.weights.gguf._WINDOW", 64)
    monkeypatch.setattr("modelfile.weights.gguf.open_regular", Shrinking)
    with pytest.raises(InputError) as raised:
        read_header(path)
    assert raised.value.message == f"`{path}` changed while it was read"


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_damage_raises_input_error_or_nothing(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp()
    whole = folder / "whole.gguf"
    body = bytearray((whole if whole.exists() else write_tiny_gguf(whole)).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, 2000))
        body[at : at + 8] = data.draw(st.binary(min_size=8, max_size=8))
    path = folder / "damaged.gguf"
    path.write_bytes(body)
    try:
        assert read_header(path).size == len(body)
    except InputError:
        return


def file(pairs: list[bytes] | None = None, tensors: list[bytes] | None = None, order: str = "<") -> bytes:
    head = struct.pack(f"{order}IQQ", 3, len(tensors or ()), len(pairs or ()))
    return b"GGUF" + head + b"".join(pairs or ()) + b"".join(tensors or ())


def pair(key: str, kind: int, value: bytes, order: str = "<") -> bytes:
    return struct.pack(f"{order}Q", len(key)) + key.encode() + struct.pack(f"{order}I", kind) + value


def info(name: str, shape: tuple[int, ...], kind: int, offset: int) -> bytes:
    sizes = struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
    return struct.pack("<Q", len(name)) + name.encode() + sizes + struct.pack("<IQ", kind, offset)


def test_what_ollama_reads_by_type(tiny: Path) -> None:
    header = read_header(tiny)
    assert header.parameters == sum(int(tensor.n_elements) for tensor in gguf.GGUFReader(tiny).tensors)
    assert (header.typed("general.architecture", STRING), header.typed("block_count", UINT32)) == ("llama", 1)
    assert header.typed("general.file_type", UINT32) == 1
    assert header.typed("block_count", BOOL) is header.typed("llama.block_count", UINT32) is None
    assert (header.version, header.embedded) == (3, False)


def test_last_value_of_a_key_counts(tmp_path: Path) -> None:
    number, text = struct.pack("<I", 7), struct.pack("<Q", 1) + b"a"
    path = tmp_path / "x.gguf"
    path.write_bytes(file(pairs=[pair("unknown.x", 4, number), pair("unknown.x", 8, text)]))
    assert (read_header(path).typed("x", UINT32), read_header(path).typed("x", STRING)) == (None, "a")


def test_header_of_an_unchanged_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "tiny.gguf"
    write_tiny_gguf(path)
    monkeypatch.setattr("modelfile.weights.gguf._RACY", -1)
    first = recall_header(path)
    assert recall_header(path) is first
    with path.open("ab") as file:
        file.write(b"x")
    again = recall_header(path)
    assert (again.size, again.metadata) == (first.size + 1, first.metadata)
    monkeypatch.undo()
    path.write_bytes(path.read_bytes())  # it may change again within a tick of the clock
    assert recall_header(path) is not recall_header(path)


def test_arrays_and_tensors_are_located(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_array("llama.attention.head_count_kv", [1, 0, 4])
    writer.add_array("llama.attention.sliding_window_pattern", [True, False])
    writer.add_array("tokenizer.ggml.tokens", ["a", "bc", ""])
    writer.add_array("tokenizer.ggml.scores", [0.5] * 4097)
    writer.add_tensor("token_embd.weight", np.zeros((3, 64), np.float16))
    writer.add_tensor("blk.0.attn_q.weight", np.zeros((3, 34), np.uint8), raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    header = read_header(path)
    assert header.lists == {
        "llama.attention.head_count_kv": (1, 0, 4),
        "llama.attention.sliding_window_pattern": (True, False),
    }
    assert {key: (array.kind, array.length) for key, array in header.arrays.items()} == {
        "llama.attention.head_count_kv": (5, 3),
        "llama.attention.sliding_window_pattern": (7, 2),
        "tokenizer.ggml.tokens": (8, 3),
        "tokenizer.ggml.scores": (6, 4097),
    }
    assert header.kinds["tokenizer.ggml.tokens"] == 9
    assert read_array(path, header, "tokenizer.ggml.tokens") == ("a", "bc", "")
    assert read_array(path, header, "tokenizer.ggml.scores") == (0.5,) * 4097
    assert header.types == {
        1: TypeTotal(tensors=1, elements=192, bytes=384),
        8: TypeTotal(tensors=1, elements=96, bytes=102),
    }
    with path.open("rb") as file:
        assert read_header(file, "x") == header
        first, second = read_tensors(file, header)
    assert (first.name, first.shape, first.kind, first.size) == ("token_embd.weight", (64, 3), 1, 384)
    assert (second.name, second.shape, second.kind, second.size) == ("blk.0.attn_q.weight", (32, 3), 8, 102)
    assert (first.offset, header.needed) == (header.data_at, second.offset + second.size)


def test_what_is_kept_of_a_header_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    text = struct.pack("<Q", 1 << 10) + b"x" * (1 << 10)
    path.write_bytes(file(pairs=[pair(f"{number}", 8, text) for number in range(8_200)]))
    with pytest.raises(InputError, match="texts of more than 8,388,608 bytes"):
        read_header(path)
    path.write_bytes(file(pairs=[pair("x", 9, struct.pack("<IQ", 8, (1 << 22) + 1) + bytes((8 << 22) + 8))]))
    with pytest.raises(InputError, match="4,194,305 texts in arrays, over the limit of 4,194,304"):
        read_header(path)
    path.write_bytes(
        file(pairs=[pair(f"{number}", 9, struct.pack("<IQ", 0, 4096) + bytes(4096)) for number in range(70)])
    )
    header = read_header(path)
    assert (len(header.arrays), len(header.lists)) == (70, 64)
    with pytest.raises(InputError, match="an array of arrays"):
        read_array(path, replace(header, arrays={"x": GGUFArray(kind=9, length=1, offset=0)}), "x")


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("version", [1, 2, 3])
def test_every_version_is_read(version: int, order: str, tmp_path: Path) -> None:
    """The lengths of version 1 have 4 bytes; 2 and 3 differ only in that 3 may be big-endian."""
    word = "I" if version == 1 else "Q"

    def text(value: bytes) -> bytes:
        return struct.pack(f"{order}{word}", len(value)) + value

    def number(value: int) -> bytes:
        return struct.pack(f"{order}I", value)

    def count(value: int) -> bytes:
        return struct.pack(f"{order}{word}", value)

    pairs = [
        text(b"general.architecture") + number(8) + text(b"llama"),
        text(b"llama.block_count") + number(4) + number(7),
        text(b"llama.x") + number(9) + number(3) + count(3) + struct.pack(f"{order}3h", 1, -2, 3),
        text(b"tokens") + number(9) + number(8) + count(2) + text(b"a") + text(b"bc"),
    ]
    tensor = text(b"blk.0.w") + number(2) + count(32) + count(2) + number(8) + struct.pack(f"{order}Q", 64)
    path = tmp_path / "x.gguf"
    path.write_bytes(b"GGUF" + number(version) + count(1) + count(len(pairs)) + b"".join(pairs) + tensor)
    header = read_header(path)
    assert (header.version, header.big_endian, header.architecture) == (version, order == ">", "llama")
    assert (header.number("block_count"), header.lists) == (7, {"llama.x": (1, -2, 3)})
    assert read_array(path, header, "tokens") == ("a", "bc")
    (found,) = read_tensors(path, header)
    assert (found.name, found.shape, found.type, found.size) == ("blk.0.w", (32, 2), "Q8_0", 68)
    assert found.offset == header.data_at + 64
    assert header.needed == header.data_at + 132
