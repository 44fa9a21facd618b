"""The numbers by which GGUF calls its types (ggml.h and llama.h; v0.33.0-rc2 fs/ggml/{ggml,type}.go)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

BLOCKS: Final[Mapping[int, tuple[int, int]]] = MappingProxyType(
    {
        number: block
        for numbers, block in (
            ((0, 26), (1, 4)),  # F32, I32
            ((1, 25, 30), (1, 2)),  # F16, I16, BF16
            ((24,), (1, 1)),  # I8
            ((27, 28), (1, 8)),  # I64, F64
            ((2, 20), (32, 18)),  # Q4_0, IQ4_NL
            ((3,), (32, 20)),  # Q4_1
            ((6,), (32, 22)),  # Q5_0
            ((7,), (32, 24)),  # Q5_1
            ((8,), (32, 34)),  # Q8_0
            ((39,), (32, 17)),  # MXFP4
            ((10,), (256, 84)),  # Q2_K
            ((11, 21), (256, 110)),  # Q3_K, IQ3_S
            ((12,), (256, 144)),  # Q4_K
            ((13,), (256, 176)),  # Q5_K
            ((14,), (256, 210)),  # Q6_K
            ((15,), (256, 292)),  # Q8_K
            ((16, 35), (256, 66)),  # IQ2_XXS, TQ2_0
            ((17,), (256, 74)),  # IQ2_XS
            ((18,), (256, 98)),  # IQ3_XXS
            ((19,), (256, 50)),  # IQ1_S
            ((22,), (256, 82)),  # IQ2_S
            ((23,), (256, 136)),  # IQ4_XS
            ((29,), (256, 56)),  # IQ1_M
            ((34,), (256, 54)),  # TQ1_0
            ((40,), (64, 36)),  # NVFP4
            ((41,), (128, 18)),  # Q1_0
        )
        for number in numbers
    }
)
"""Of a tensor's type: how many elements a block has, and how many bytes."""

FILE_TYPES: Final[Mapping[int, str]] = MappingProxyType(
    {
        **dict(enumerate(("F32", "F16", "Q4_0", "Q4_1"))),
        **dict(enumerate(("Q8_0", "Q5_0", "Q5_1", "Q2_K", "Q3_K_S", "Q3_K_M", "Q3_K_L", "Q4_K_S", "Q4_K_M"), 7)),
        **dict(enumerate(("Q5_K_S", "Q5_K_M", "Q6_K", "IQ2_XXS", "IQ2_XS", "Q2_K_S", "IQ3_XS", "IQ3_XXS"), 16)),
        **dict(enumerate(("IQ1_S", "IQ4_NL", "IQ3_S", "IQ3_M", "IQ2_S", "IQ2_M", "IQ4_XS", "IQ1_M", "BF16"), 24)),
        **dict(enumerate(("TQ1_0", "TQ2_0", "MXFP4_MOE", "NVFP4", "Q1_0"), 36)),
    }
)
"""What `general.file_type` says the weights mostly are."""
