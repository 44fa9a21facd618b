"""Shards of safetensors by their names and their index; their headers are tested with the other checks."""

import json
from pathlib import Path

import pytest
from tests.support.tiny_safetensors import write_model

from modelfile.errors import InputError
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
