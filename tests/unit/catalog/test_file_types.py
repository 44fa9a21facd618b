"""Sizes and uses of the types of weights."""

import pytest

from modelfile.catalog.file_types import FILE_TYPES_BY_NAME, read_tag
from modelfile.catalog.quantizations import QUANTIZATIONS
from modelfile.weights.types import FILE_TYPES, TENSOR_TYPES


def test_every_type_of_files_is_known() -> None:
    assert {*FILE_TYPES_BY_NAME} == {*FILE_TYPES.values()}


def test_every_type_that_servers_make_is_known() -> None:
    made = {each.means for each in QUANTIZATIONS.values() if not each.experimental}
    assert made - FILE_TYPES_BY_NAME.keys() == {"Q4_1_F16", "Q3_K_XS"}  # which no file has any more


@pytest.mark.parametrize("name", sorted(FILE_TYPES_BY_NAME.keys() & {name for name, _, _ in TENSOR_TYPES.values()}))
def test_size_is_that_of_its_blocks_or_a_little_more(name: str) -> None:
    block = next(size * 8 / elements for each, elements, size in TENSOR_TYPES.values() if each == name)
    assert block - 0.01 <= FILE_TYPES_BY_NAME[name].bits <= block + 0.65


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("8b-q4_K_M", (8 * 10**9, "Q4_K_M")),
        ("1.5b-instruct-fp16", (15 * 10**8, "F16")),
        ("270m-it-qat-Q8_0", (270 * 10**6, "Q8_0")),
        ("70B-IQ2_XXS", (70 * 10**9, "IQ2_XXS")),
    ],
)
def test_tag_names_size_and_type(tag: str, expected: tuple[int, str]) -> None:
    found = read_tag(tag)

    assert found is not None
    assert (found[0], found[1].name) == expected


@pytest.mark.parametrize("tag", ["latest", "8b", "q4_K_M", "8x7b-q4_K_M", "e4b-q8_0", "8b-q4", "", "0b-q8_0"])
def test_tag_without_both_names_none(tag: str) -> None:
    assert read_tag(tag) is None
