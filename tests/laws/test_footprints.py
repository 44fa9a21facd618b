"""Laws of the memory estimate."""

from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st
from tests.support.headers import GEMMA_2_9B, GPT_OSS_20B, LLAMA_3_8B, MAMBA_2_8B, QWEN_2_5_7B, header_of

from modelfile.catalog import engines
from modelfile.catalog.versions import NEWEST, Version
from modelfile.weights.estimate import estimate
from modelfile.weights.footprint import CACHE_TYPES, Runner, footprint, largest_context

versions = st.sampled_from([Version(0, 9, 3), Version(0, 10, 0), Version(0, 12, 6), Version(0, 24, 0), NEWEST])
headers = st.sampled_from([LLAMA_3_8B, GEMMA_2_9B, QWEN_2_5_7B, MAMBA_2_8B, GPT_OSS_20B])
runners = st.builds(
    Runner,
    version=versions,
    slots=st.none() | st.integers(1, 8),
    cache_type=st.sampled_from(CACHE_TYPES),
    flash_attention=st.none() | st.booleans(),
)
contexts = st.integers(1, 131072)
architectures = st.sampled_from([*engines._LAYOUTS, "unknown"])  # noqa: SLF001  # every layout there is
numbers = (
    st.integers(-2, 64) | st.sampled_from([1 << 31, (1 << 64) - 1, True]) | st.lists(st.integers(-1, 64), max_size=8)
)
keys = st.dictionaries(
    st.sampled_from(
        [
            *("block_count", "context_length", "embedding_length", "feed_forward_length", "nextn_predict_layers"),
            *("attention__head_count", "attention__head_count_kv", "attention__key_length", "attention__value_length"),
            *("attention__sliding_window", "attention__sliding_window_pattern", "attention__shared_kv_layers"),
            *(
                "attention__key_length_mla",
                "attention__recurrent_layers",
                "full_attention_interval",
                "shortconv__l_cache",
            ),
            *("ssm__conv_kernel", "ssm__inner_size", "ssm__state_size", "ssm__group_count", "vocab_size"),
        ]
    ),
    numbers,
)


@given(headers, runners, contexts, contexts)
def test_more_context_never_needs_less(header: Any, runner: Runner, one: int, other: int) -> None:
    short, long = (footprint(header, context, runner).total for context in sorted((one, other)))

    assert short is not None
    assert long is not None
    assert short <= long


@given(headers, versions, st.integers(1, 128), st.integers(1, 8))
def test_cache_is_linear_in_slots(header: Any, version: Version, blocks: int, slots: int) -> None:
    def cached(count: int) -> int:
        terms = footprint(header, blocks * 256, Runner(version=version, slots=count)).terms
        return sum(term.bytes or 0 for term in terms if term.name in ("KV cache", "state"))

    assume(not engines.runs_in_own_engine(header.architecture, version))  # a batch is shared by all slots there
    assert cached(slots) == slots * cached(1)


@given(headers, runners, st.integers(0, 1 << 38))
def test_largest_context_fits_and_the_next_does_not(header: Any, runner: Runner, memory: int) -> None:
    found = largest_context(header, memory, runner)
    assert found is not None
    trained = header.number("context_length")

    def total(context: int) -> int:
        return footprint(header, context, runner).total or 0

    assert found == 0 or total(found) <= memory
    assert found == trained or total(min(found + 256, trained)) > memory


@given(architectures, versions, keys, contexts)
def test_any_header_has_a_footprint(architecture: str, version: Version, found: dict[str, Any], context: int) -> None:
    header = header_of(architecture, weights=1024, **found)
    needed = footprint(header, context, Runner(version=version))

    assert all(term.bytes is None or term.bytes >= 0 for term in needed.terms)
    assert needed.least >= 1024
    estimate(header, context, 1 << 34, Runner(version=version))
