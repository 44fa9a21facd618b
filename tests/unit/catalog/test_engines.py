"""Facts about the memory of models, by version."""

import pytest

from modelfile.catalog.engines import batch_size, cache_layout, default_context, default_slots, uses_flash_attention
from modelfile.catalog.versions import NEWEST, Version

GIB = 1 << 30


@pytest.mark.parametrize(
    ("version", "gpu_memory", "expected"),
    [
        (Version(0, 5, 0), 80 * GIB, 2048),
        (Version(0, 9, 3), 80 * GIB, 4096),
        (Version(0, 15, 4), 80 * GIB, 4096),
        (Version(0, 15, 5), 0, 4096),
        (NEWEST, 23 * GIB - 1, 4096),
        (NEWEST, 23 * GIB, 32768),
        (NEWEST, 47 * GIB, 262144),
    ],
)
def test_default_context(version: Version, gpu_memory: int, expected: int) -> None:
    assert default_context(version, gpu_memory) == expected


def test_default_slots() -> None:
    assert (default_slots(Version(0, 9, 6)), default_slots(Version(0, 10, 0))) == (2, 1)


@pytest.mark.parametrize(("context", "expected"), [(64, 64), (4096, 512), (4097, 1024), (32768, 1024), (32769, 2048)])
def test_batch_size(context: int, expected: int) -> None:
    assert batch_size(context, NEWEST) == expected
    assert batch_size(context, Version(0, 24, 0)) == min(512, context)


@pytest.mark.parametrize(
    ("architecture", "version", "expected"),
    [
        ("llama", Version(0, 13, 3), False),
        ("llama", Version(0, 13, 4), True),
        ("gemma3", Version(0, 12, 5), False),
        ("gemma3", Version(0, 12, 6), True),
        ("deepseek2", Version(0, 24, 0), False),
        ("deepseek2", NEWEST, True),
    ],
)
def test_flash_attention(architecture: str, version: Version, expected: bool) -> None:
    assert uses_flash_attention(architecture, version) is expected


def test_windows_of_llama_cpp_are_used_since_0_11_5() -> None:
    before, since = cache_layout("gemma2", Version(0, 11, 4)), cache_layout("gemma2", Version(0, 11, 5))

    assert before is not None
    assert since is not None
    assert (before.every, since.every) == (0, 2)


@pytest.mark.parametrize("architecture", ["deepseek4", "kimi-linear", "clip", ""])
def test_other_architectures_are_not_known(architecture: str) -> None:
    assert cache_layout(architecture, NEWEST) is None
