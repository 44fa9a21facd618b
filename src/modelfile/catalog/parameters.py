"""The parameters Ollama knows: `api.Options` and the command line's list of deprecated ones (0.33)."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """What a parameter's value is."""

    INT = "int"
    FLOAT = "float"
    BOOL = "bool"
    STRINGS = "string"
    """Given several times, its values add up."""


PARAMETERS: Final = {
    **dict.fromkeys(
        (
            "num_ctx", "num_batch", "num_gpu", "main_gpu", "num_thread", "num_keep", "seed", "num_predict",
            "draft_num_predict", "top_k", "repeat_last_n",
        ),
        Kind.INT,
    ),
    **dict.fromkeys(
        (
            "temperature", "top_p", "min_p", "typical_p", "repeat_penalty", "presence_penalty", "frequency_penalty",
        ),
        Kind.FLOAT,
    ),
    "use_mmap": Kind.BOOL,
    "stop": Kind.STRINGS,
}  # fmt: skip

DEPRECATED: Final = frozenset(
    {
        "penalize_newline", "low_vram", "f16_kv", "logits_all", "vocab_only", "use_mlock", "mirostat", "mirostat_tau",
        "mirostat_eta",
    }
)  # fmt: skip
"""Ollama's command line warns of these and drops them, whatever their value."""
