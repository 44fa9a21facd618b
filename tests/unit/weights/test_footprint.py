"""The memory of known public models, computed by hand from their public hyperparameters."""

import pytest
from tests.support.headers import (
    DEEPSEEK_V2_LITE,
    DEEPSEEK_V2_LITE_EARLY,
    GEMMA_2_9B,
    GEMMA_3_270M,
    GPT_OSS_20B,
    LLAMA_3_8B,
    MAMBA_2_8B,
    MIXTRAL_8X7B,
    QWEN_2_5_7B,
    header_of,
)

from modelfile.catalog.versions import NEWEST, Version
from modelfile.weights.footprint import Exactness, Footprint, Runner, Term, fits, footprint, largest_context
from modelfile.weights.header import GGUFHeader
from modelfile.weights.layers import hidden_size

MIB = 1 << 20
GIB = 1 << 30
OLD = Version(0, 9, 3)
"""Two slots, no flash attention, no short windows in llama.cpp."""
SINGLE = Version(0, 10, 0)
WINDOWS = Version(0, 13, 1)


def term(needed: Footprint, name: str) -> Term:
    return next(each for each in needed.terms if each.name == name)


def cache(header: GGUFHeader, context: int, version: Version, cache_type: str = "f16") -> tuple[int | None, Exactness]:
    found = term(footprint(header, context, Runner(version=version, cache_type=cache_type)), "KV cache")
    return found.bytes, found.exactness


@pytest.mark.parametrize(
    ("header", "context", "version", "expected"),
    [
        (LLAMA_3_8B, 8192, NEWEST, GIB),  # 32 layers x 8 heads x (128 + 128) x 8192 x 2
        (LLAMA_3_8B, 8192, OLD, 2 * GIB),  # two slots
        (LLAMA_3_8B, 2048, NEWEST, GIB // 4),
        (LLAMA_3_8B, 131072, NEWEST, GIB),  # it was trained on 8192
        (MIXTRAL_8X7B, 32768, NEWEST, 4 * GIB),
        (QWEN_2_5_7B, 32768, NEWEST, 28 * 4 * 256 * 32768 * 2),
        (GEMMA_2_9B, 8192, SINGLE, 42 * 8 * 512 * 8192 * 2),  # all layers whole
        (GEMMA_2_9B, 8192, WINDOWS, 21 * 4096 * (8192 + 4096 + 512) * 2),
        (GEMMA_2_9B, 2048, WINDOWS, 42 * 4096 * 2048 * 2),  # the window is longer
        (GEMMA_3_270M, 2048, OLD, 34 * MIB + MIB // 2),
        (GEMMA_3_270M, 8192, OLD, 70 * MIB + MIB // 2),
        (GEMMA_3_270M, 8192, WINDOWS, (3 * 8192 + 15 * 1024) * 512 * 2),
        (GPT_OSS_20B, 8192, WINDOWS, (12 * 8192 + 12 * (4096 + 512)) * 1024 * 2),
        (GPT_OSS_20B, 4096, WINDOWS, 24 * 4096 * 1024 * 2),
        (DEEPSEEK_V2_LITE, 8192, SINGLE, 27 * (576 + 512) * 8192 * 2),
        (DEEPSEEK_V2_LITE, 8192, NEWEST, 27 * 576 * 8192 * 2),  # values are made of the keys
        (DEEPSEEK_V2_LITE_EARLY, 8192, NEWEST, 27 * 16 * (192 + 128) * 8192 * 2),
    ],
)
def test_cache_is_exact(header: GGUFHeader, context: int, version: Version, expected: int) -> None:
    found, exactness = cache(header, context, version)

    assert found == expected
    one_slot = version >= SINGLE or not header.number("attention.sliding_window")
    assert exactness is (Exactness.EXACT if one_slot else Exactness.ESTIMATED)


def test_window_is_estimated_where_the_size_of_a_batch_is_by_the_free_memory() -> None:
    assert cache(GEMMA_2_9B, 8192, NEWEST) == (21 * 4096 * (8192 + 5120) * 2, Exactness.ESTIMATED)
    assert cache(GPT_OSS_20B, 65536, NEWEST) == (12 * 1024 * (65536 + 2304) * 2, Exactness.ESTIMATED)


@pytest.mark.parametrize(("cache_type", "eighths"), [("f16", 16), ("q8_0", 8.5), ("q4_0", 4.5)])
def test_cache_by_type(cache_type: str, eighths: float) -> None:
    assert cache(LLAMA_3_8B, 8192, NEWEST, cache_type)[0] == int(GIB * eighths / 16)


def test_states_do_not_grow_with_the_context() -> None:
    short, long = (footprint(MAMBA_2_8B, context, Runner(version=SINGLE)) for context in (2048, 65536))

    assert term(short, "state").bytes == term(long, "state").bytes == 64 * (3 * 5120 + 16 * 5120) * 4
    assert term(short, "state").exactness is Exactness.EXACT
    assert "KV cache" not in {each.name for each in short.terms}
    assert footprint(MAMBA_2_8B, 2048, Runner(version=OLD)).terms[1].bytes == 2 * 64 * 19 * 5120 * 4


@pytest.mark.parametrize(
    ("version", "flash", "expected", "exactness"),
    [
        (SINGLE, None, 4 * 512 * (1 + 4 * 4096 + 8192 * 33), Exactness.EXACT),
        (OLD, None, 4 * 512 * (1 + 4 * 4096 + 16384 * 33), Exactness.EXACT),
        (SINGLE, True, 4 * 512 * (4096 + 128256), Exactness.ESTIMATED),  # the output needs more than attention
        (Version(0, 30, 8), None, 4 * 1024 * (4096 + 128256), Exactness.ESTIMATED),
        (NEWEST, None, 4 * 1024 * (4 * 4096 + 3 * 14336), Exactness.ESTIMATED),  # one output for each slot
        (NEWEST, False, 4 * 1024 * (1 + 4 * 4096 + 8192 * 33), Exactness.ESTIMATED),
    ],
)
def test_compute(version: Version, flash: bool | None, expected: int, exactness: Exactness) -> None:
    found = term(footprint(LLAMA_3_8B, 8192, Runner(version=version, flash_attention=flash)), "compute")

    assert (found.bytes, found.exactness) == (expected, exactness)


def test_quantized_cache_needs_flash_attention() -> None:
    found = footprint(LLAMA_3_8B, 8192, Runner(version=SINGLE, cache_type="q8_0", flash_attention=False))

    assert term(found, "compute").bytes == 4 * 512 * (4096 + 128256)


def test_total_is_the_sum_of_all_terms() -> None:
    found = footprint(LLAMA_3_8B, 8192, Runner(version=SINGLE))

    assert [(each.name, each.bytes) for each in found.terms] == [
        ("weights", 4_912_898_304),
        ("KV cache", GIB),
        ("compute", 587_204_608),
        ("output", 513_024),
        ("overhead", 457 * MIB),
    ]
    assert found.total == 4_912_898_304 + GIB + 587_204_608 + 513_024 + 457 * MIB
    assert found.exactness is Exactness.ESTIMATED
    assert footprint(LLAMA_3_8B, 8192, Runner(version=SINGLE, reserve=0)).exactness is Exactness.EXACT


def test_each_term_says_how_it_is_computed() -> None:
    found = footprint(GEMMA_2_9B, 8192, Runner(version=WINDOWS))

    assert term(found, "KV cache").formula == (
        "(21 layers x 4,096 x 8,192 cells + 21 layers x 4,096 x 4,608 cells) x 2 bytes (f16)"
    )
    assert term(found, "KV cache").source == "llama.cpp src/llama-kv-cache.cpp"
    assert all(each.formula for each in found.terms)
    assert all(each.source for each in found.terms)


@pytest.mark.parametrize("architecture", ["deepseek4", "kimi-linear", "rwkv7", "", "ollama"])
def test_unknown_architecture_has_no_total(architecture: str) -> None:
    header = header_of(
        architecture, weights=GIB, block_count=2, context_length=4096, embedding_length=64, attention__head_count=4
    )
    found = footprint(header, 2048)

    assert term(found, "KV cache").exactness is Exactness.UNKNOWN
    assert found.total is None
    assert found.least == GIB + 457 * MIB
    assert largest_context(header, 1 << 50) is None
    assert fits(header, 2048, 1 << 50) is None
    assert fits(header, 2048, GIB) is False


def test_architecture_that_ollama_ran_in_its_own_engine_is_unknown_there() -> None:
    header = header_of("lfm2", block_count=1, embedding_length=64, attention__head_count=4)

    assert footprint(header, 2048, Runner(version=Version(0, 24, 0))).total is None


def test_embedding_model_has_no_cache() -> None:
    header = header_of(
        "bert",
        weights=MIB,
        tokens=30522,
        block_count=6,
        context_length=512,
        embedding_length=384,
        attention__head_count=12,
    )
    found = term(footprint(header, 512), "KV cache")

    assert (found.bytes, found.exactness, found.formula) == (0, Exactness.EXACT, "no layer has one")


def test_weights_without_tensors_are_the_size_of_the_file() -> None:
    whole, stub = (term(footprint(each, 64), "weights") for each in (LLAMA_3_8B, header_of("llama")))

    assert (whole.bytes, whole.exactness) == (4_912_898_304, Exactness.EXACT)
    assert (stub.bytes, stub.exactness) == (None, Exactness.UNKNOWN)


def test_largest_context() -> None:
    runner = Runner(version=SINGLE)
    at_4096 = footprint(LLAMA_3_8B, 4096, runner).total
    assert at_4096 is not None

    assert largest_context(LLAMA_3_8B, at_4096, runner) == 4096
    assert largest_context(LLAMA_3_8B, at_4096 - 1, runner) == 3840
    assert largest_context(LLAMA_3_8B, 64 * GIB, runner) == 8192
    assert largest_context(LLAMA_3_8B, GIB, runner) == 0
    assert fits(LLAMA_3_8B, 4096, at_4096, runner) is True
    assert fits(LLAMA_3_8B, 4352, at_4096, runner) is False


def test_layers_of_many_sizes_are_counted_together() -> None:
    header = header_of("openelm", block_count=6, embedding_length=64, attention__head_count=[1, 2, 3, 4, 5, 6])

    found = term(footprint(header, 256), "KV cache")

    assert found.formula == "2,688 elements of 6 layers x 256 cells x 2 bytes (f16)"
    assert found.bytes == 2688 * 256 * 2


def test_absurd_header_costs_no_time() -> None:
    huge = (1 << 64) - 1
    header = header_of(
        "openelm",
        weights=1,
        tokens=huge,
        block_count=4096,
        context_length=huge,
        embedding_length=huge,
        attention__head_count=[*range(1, 4097)],
        attention__key_length=huge,
        attention__value_length=huge,
    )

    assert footprint(header, huge).total is not None
    assert largest_context(header, GIB) == 0


@pytest.mark.parametrize(("context", "batch", "logged"), [(4096, 512, 132), (32769, 2048, 568)])
def test_compute_is_near_that_of_llama_server(context: int, batch: int, logged: int) -> None:
    header = header_of(
        "qwen3",
        tokens=248320,
        block_count=64,
        context_length=262144,
        embedding_length=5120,
        feed_forward_length=17408,
        attention__head_count=24,
        attention__key_length=256,
    )
    found = term(footprint(header, context), "compute")

    assert found.formula.startswith(f"4 bytes x {batch} tokens")
    assert found.bytes == pytest.approx(logged * MIB, rel=0.1)


def test_experts_that_are_used_count_together() -> None:
    header = header_of("qwen3moe", feed_forward_length=[64, 128], expert_used_count=8, expert_feed_forward_length=32)

    assert hidden_size(header) == 256
    assert hidden_size(header_of("llama", feed_forward_length=[64, 128])) == 128
