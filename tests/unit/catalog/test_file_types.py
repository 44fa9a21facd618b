"""Sizes and uses of the types of weights."""

import pytest

from modelfile.catalog.file_types import FILE_TYPES_BY_NAME
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
