"""Headers of safetensors, and shards by their names and their index."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.tiny_safetensors import write_model

from modelfile.errors import InputError
from modelfile.weights.checks import check_weights
from modelfile.weights.folder import resolve_folder
from modelfile.weights.reading import read_weights
from modelfile.weights.safetensors import check_shards, read_tensor_names


def reject(*paths: Path) -> tuple[str, str | None]:
    """Return the message and the hint of the error that shards raise."""
    with pytest.raises(InputError) as raised:
        check_shards(dict.fromkeys(paths), paths)
    return raised.value.message, raised.value.hint


def test_shards_that_are_too_many_are_rejected_without_listing_them(tmp_path: Path) -> None:
    shards = tmp_path / "model-…-of-99999.safetensors"
    expected = (f"`{shards}` has 99,999 shards by its name", "at most 10,000 are supported")
    assert reject(tmp_path / "model-00001-of-99999.safetensors") == expected
    message, _ = reject(tmp_path / "a-00001-of-06001.safetensors", tmp_path / "a-00002-of-06000.safetensors")
    assert message == f"the weights in `{tmp_path}` have 12,001 shards by their names"


def test_of_many_missing_shards_the_first_are_listed(tmp_path: Path) -> None:
    listed = ", ".join(f"`a-{number:05}-of-06001.safetensors`" for number in range(2, 7))
    message, _ = reject(tmp_path / "a-00001-of-06001.safetensors")
    assert message == f"missing 6000 of 6001 weights files: {listed} and 5,995 more"


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
def test_an_index_with_an_impossible_name_is_ignored(tmp_path: Path, name: str) -> None:
    weights = write_model(tmp_path) / "model.safetensors"
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"x": name, "lm_head.weight": weights.name}}))
    check_shards({weights: read_tensor_names(weights)}, (index,))


KINDS: list[Any] = ["X9", 5, []]


def check_folder(folder: Path) -> None:
    check_weights(resolve_folder(folder))


def tensor(**changes: Any) -> bytes:
    """Return a header with one tensor of 32 x 2 values in F16."""
    return json.dumps({"x": {"dtype": "F16", "shape": [32, 2], "data_offsets": [0, 128], **changes}}).encode()


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        *(
            (junk, "its header is not a JSON object")
            for junk in (b"null", b"[]", b"5", b"[[[", b"[" * 100_000, b"\xff")
        ),
        *((b'{"x": %b}' % junk, "its tensor `x` is not an object") for junk in (b"1", b"null", b"[]")),
        *(
            (tensor(shape=shape), "the shape of its tensor `x` is not a list of at most 8 counts")
            for shape in ([-32, 2], [0.5, 2], [True, 2], ["a"], 5, [1 << 64], [1] * 9)
        ),
        *((tensor(dtype=kind), "its tensor `x` has a type that safetensors does not have") for kind in KINDS),
        *(
            (tensor(data_offsets=offsets), "the data offsets of its tensor `x` are not a start and an end after it")
            for offsets in ([128, 0], [-128, 0], [0], ["a", 2], [], 5)
        ),
        (tensor(shape=[64, 2]), "its tensor `x` has 128 bytes, but its shape and type require 256"),
        (tensor(shape=[0, 2]), "its tensor `x` has 128 bytes, but its shape and type require 0"),
        (tensor(shape=[1 << 63] * 8), "its tensor `x` has 128 bytes, but its shape and type require more than 2^63"),
    ],
)
def test_corrupt_safetensors_are_rejected(header: bytes, problem: str, tmp_path: Path) -> None:
    weights = write_model(tmp_path / "m") / "model.safetensors"
    weights.write_bytes(len(header).to_bytes(8, "little") + header + bytes(128))
    for read in (check_folder, read_weights):
        with pytest.raises(InputError) as raised:
            read(weights.parent)
        assert raised.value.message == f"`{weights}` is a corrupt safetensors file: {problem}"
        assert raised.value.hint == "download it again"


@pytest.mark.parametrize(
    "header",
    [
        b"{}",
        tensor() + b"  ",
        tensor() + bytes(8),
        tensor(dtype="F8_E4M3", shape=[128]),
        tensor(dtype="F4", shape=[256]),
        tensor(data_offsets=[64, 192]),
        b'{"__metadata__": {"format": "pt"}, ' + tensor()[1:],
        b'{"__metadata__": null, "y": {"dtype": "F16", "shape": [64], "data_offsets": [0, 128]}, ' + tensor()[1:],
    ],
    ids=str,
)
def test_unusual_safetensors_are_accepted(header: bytes, tmp_path: Path) -> None:
    weights = write_model(tmp_path / "m") / "model.safetensors"
    weights.write_bytes(len(header).to_bytes(8, "little") + header + bytes(256))
    check_folder(weights.parent)


@pytest.mark.parametrize(("length", "needed"), [(1 << 40, "1,099,511,627,784"), (1 << 63, "more than 2^63")])
def test_absurd_length_of_a_header_is_named(length: int, needed: str, tmp_path: Path) -> None:
    weights = write_model(tmp_path / "m") / "model.safetensors"
    weights.write_bytes(length.to_bytes(8, "little") + b"{}")
    with pytest.raises(InputError, match="is truncated") as raised:
        check_folder(weights.parent)
    assert raised.value.message.endswith(f"it has 10 bytes, its header requires {needed}")
