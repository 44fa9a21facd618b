"""The memory of a model at several contexts, and what fits."""

import pytest
from tests.support.headers import LLAMA_3_8B, header_of

from modelfile.catalog.versions import Version
from modelfile.immutable import replace
from modelfile.weights.estimate import estimate
from modelfile.weights.footprint import CACHE_TYPES, Exactness, Runner
from modelfile.weights.header import GGUFHeader

GIB = 1 << 30
RUNNER = Runner(version=Version(0, 10, 0))
KNOWN = replace(LLAMA_3_8B, parameters=8_030_261_248, metadata={**LLAMA_3_8B.metadata, "general.file_type": 15})


def contexts(header: GGUFHeader, asked: int) -> list[int]:
    return [row[0].context for row in estimate(header, asked, GIB, RUNNER).table]


@pytest.mark.parametrize(
    ("trained", "asked", "expected"),
    [
        (8192, 8192, [2048, 4096, 8192]),
        (8192, 3000, [2048, 3000, 4096, 8192]),
        (8192, 9000, [2048, 4096, 8192]),
        (10000, 2048, [2048, 4096, 8192, 10000]),
        (512, 2048, [512]),
        (0, 2048, [2048, 4096, 8192, 16384, 32768, 65536, 131072]),
        (1 << 63, 4096, [*(2048 << power for power in range(10)), 1 << 63]),
        (0, 200000, [2048, 4096, 8192, 16384, 32768, 65536, 131072, 200000]),
    ],
)
def test_contexts_of_the_table(trained: int, asked: int, expected: list[int]) -> None:
    header = header_of("llama", weights=1, block_count=1, embedding_length=64, attention__head_count=1)
    header = replace(header, metadata={**header.metadata, "llama.context_length": trained})

    assert contexts(header, asked) == expected


def test_table_has_the_types_of_the_cache() -> None:
    (*_, row) = estimate(KNOWN, 4096, 8 * GIB, RUNNER).table
    sizes = [next(term.bytes for term in each.terms if term.name == "KV cache") for each in row]

    assert len(row) == len(CACHE_TYPES)
    assert sizes == [GIB, GIB * 17 // 32, GIB * 9 // 32]


@pytest.mark.parametrize(
    ("memory", "name", "size"),
    [(8 * GIB, "Q6_K", int(8_030_261_248 * 6.56 / 8)), (7 * GIB, "Q5_K_M", None), (6 * GIB, "Q4_K_M", 4_912_898_304)],
)
def test_best_type_that_fits(memory: int, name: str, size: int | None) -> None:
    found = estimate(KNOWN, 4096, memory, RUNNER)

    assert found.best_type is not None
    assert found.best_type.name == name
    assert size in (None, found.best_size)
    assert (found.best_exactness is Exactness.EXACT) == (
        name == "Q4_K_M"
    )  # its own; others by the mean, without tensors


def test_best_type_is_not_known_without_the_number_of_parameters() -> None:
    assert estimate(LLAMA_3_8B, 4096, 8 * GIB, RUNNER).best_type is None
    assert estimate(KNOWN, 4096, GIB, RUNNER).best_type is None
