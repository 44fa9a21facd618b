"""Our reader of GGUF headers and gguf.GGUFReader agree on every file that the latter can open."""

import random
from pathlib import Path
from typing import Any

import gguf
from tests.support.made_gguf import write_random_gguf

from modelfile.weights.gguf import read_array, read_header, read_tensors
from modelfile.weights.header import ARRAY, STRING

FILES = 100
"""Files in a round; `make fuzz` makes 20 rounds."""
VIRTUAL = 3
"""Fields that GGUFReader adds for the numbers at the start of a file."""


def test_both_readers_agree(tmp_path: Path, rounds: int) -> None:
    for seed in range(FILES * rounds):
        path = write_random_gguf(tmp_path / "x.gguf", random.Random(seed))  # noqa: S311  # reproducible
        compare(path, f"seed {seed}")


def test_both_readers_agree_on_a_model(tiny: Path) -> None:
    compare(tiny, "tiny")


def compare(path: Path, what: str) -> None:
    """Compare all that both readers say of a file."""
    theirs, header = gguf.GGUFReader(path), read_header(path)
    fields = [*theirs.fields.values()][VIRTUAL:]
    assert [*header.kinds] == [field.name for field in fields], what
    assert header.data_at == theirs.data_offset, what
    for field in fields:
        compare_field(path, field, what)
    ours = read_tensors(path, header)
    assert header.parameters == sum(int(tensor.n_elements) for tensor in theirs.tensors)
    assert sum(total.tensors for total in header.types.values()) == len(theirs.tensors) == header.tensors
    assert [
        (tensor.name, tensor.shape, tensor.kind, tensor.elements, tensor.size, tensor.offset) for tensor in ours
    ] == [
        (
            tensor.name,
            tuple(map(int, tensor.shape)),
            int(tensor.tensor_type),
            int(tensor.n_elements),
            int(tensor.n_bytes),
            int(tensor.data_offset),
        )
        for tensor in theirs.tensors
    ], what
    ends = (int(tensor.data_offset + tensor.n_bytes) for tensor in theirs.tensors)
    assert header.needed == max(ends, default=header.needed), what


def compare_field(path: Path, field: gguf.ReaderField, what: str) -> None:
    """Compare the value of a key."""
    header, key = read_header(path), field.name
    kind, value = int(field.types[0]), field.contents()
    assert header.kinds[key] == kind, (what, key)
    if kind != ARRAY:
        expected = None if kind == STRING and len(value.encode()) > 1024 else value
        assert header.metadata.get(key) == expected or key == "tokenizer.chat_template", (what, key)
        return
    array, inner = header.arrays[key], int(field.types[1])
    assert array.kind == inner, (what, key)
    if inner == ARRAY:
        return
    assert array.length == len(value), (what, key)
    texts: list[Any] = ["" if isinstance(each, str) and len(each.encode()) > 1024 else each for each in value]
    assert [*read_array(path, header, key)] == texts, (what, key)
    assert (key in header.lists) == (inner != STRING and len(value) <= 4096), (what, key)
    assert [*header.lists.get(key, texts)] == texts, (what, key)
