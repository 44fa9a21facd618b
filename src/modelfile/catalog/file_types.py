"""The types that the weights of a file can have, with their size and use; `mf explain Q4_K_M` prints them.

Sizes are those of Llama 3.1 8B in tools/quantize/README.md of llama.cpp, with two decimals where tools/quantize.cpp has
only the size of the file; of types that are in neither, those of a block. Uses follow the perplexities in the latter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from modelfile.catalog.architectures import TENSOR_TYPES_SINCE
from modelfile.catalog.versions import Version
from modelfile.immutable import record

_SIZE: Final = r"([0-9]{1,4}(?:\.[0-9]{1,3})?)([bm])"


@record(kw_only=True)
class FileType:
    """A type of weights."""

    name: str
    bits: float
    """Mean size of a weight, in bits; a little less in larger models."""
    use: str
    """When to use it, as sentences."""
    since: Version | None = None
    """The first release that runs it; None: all do."""
    is_usual: bool = False
    """True if models are usually published in it."""


_RESULT: Final = "As good as the weights that it was made of, and the input of every quantization."
_ROOM: Final = "A little better than Q4_K_M; for machines with room for it."
_SMALL: Final = "Visibly worse than Q4_K_M; for a model that does not fit otherwise."
_SMALLEST: Final = "Much worse than Q4_K_M: a smaller model in Q4_K_M is usually better."
_OLD: Final = "An older type: Q4_K_M or Q5_K_M is better at the same size."
_MATRIX: Final = "Better than a Q type of its size if it was made with an importance matrix; slower on CPUs. "

FILE_TYPES_BY_NAME: Final[Mapping[str, FileType]] = MappingProxyType(
    {
        each.name: each
        for each in (
            FileType(name="F32", bits=32, use="Twice the size of F16, and no better: for converters only."),
            FileType(name="F16", bits=16, use=_RESULT, is_usual=True),
            FileType(name="BF16", bits=16, use=f"{_RESULT} Slower than F16 on older machines."),
            FileType(name="Q8_0", bits=8.5, use="Nearly as good as F16 in half the memory.", is_usual=True),
            FileType(name="Q6_K", bits=6.56, use="Close to Q8_0 at three quarters of its size.", is_usual=True),
            FileType(name="Q5_K_M", bits=5.7, use=_ROOM, is_usual=True),
            FileType(name="Q5_K_S", bits=5.57, use=_ROOM, is_usual=True),
            FileType(
                name="Q4_K_M",
                bits=4.89,
                use="The usual choice, and that of Ollama's library: a third of F16 with a small loss.",
                is_usual=True,
            ),
            FileType(name="Q4_K_S", bits=4.67, use="A little smaller and a little worse than Q4_K_M.", is_usual=True),
            FileType(name="Q3_K_L", bits=4.3, use=_SMALL, is_usual=True),
            FileType(name="Q3_K_M", bits=4, use=_SMALL, is_usual=True),
            FileType(name="Q3_K_S", bits=3.64, use=_SMALL, is_usual=True),
            FileType(name="Q2_K", bits=3.16, use=_SMALLEST, is_usual=True),
            FileType(name="Q2_K_S", bits=2.97, use=_SMALLEST),
            FileType(name="Q5_1", bits=6.04, use=_OLD),
            FileType(name="Q5_0", bits=5.57, use=_OLD),
            FileType(name="Q4_1", bits=5.11, use=_OLD),
            FileType(name="Q4_0", bits=4.64, use="An older type, fast on CPUs: Q4_K_M is better at nearly its size."),
            FileType(name="IQ4_NL", bits=4.68, use=f"{_MATRIX}IQ4_XS is smaller and as good."),
            FileType(name="IQ4_XS", bits=4.46, use=f"{_MATRIX}Close to Q4_K_S.", is_usual=True),
            FileType(name="IQ3_M", bits=3.76, use=_MATRIX + _SMALL, is_usual=True),
            FileType(name="IQ3_S", bits=3.66, use=_MATRIX + _SMALL),
            FileType(name="IQ3_XS", bits=3.5, use=_MATRIX + _SMALL),
            FileType(name="IQ3_XXS", bits=3.25, use=_MATRIX + _SMALL, is_usual=True),
            FileType(name="IQ2_M", bits=2.93, use=_MATRIX + _SMALLEST, is_usual=True),
            FileType(name="IQ2_S", bits=2.74, use=_MATRIX + _SMALLEST),
            FileType(name="IQ2_XS", bits=2.59, use=_MATRIX + _SMALLEST),
            FileType(name="IQ2_XXS", bits=2.38, use=_MATRIX + _SMALLEST, is_usual=True),
            FileType(name="IQ1_M", bits=2.15, use=_MATRIX + _SMALLEST),
            FileType(name="IQ1_S", bits=2, use=_MATRIX + _SMALLEST),
            FileType(name="TQ2_0", bits=2.06, use="For models that were trained with weights of -1, 0 and 1 only."),
            FileType(name="TQ1_0", bits=1.69, use="For models that were trained with weights of -1, 0 and 1 only."),
            FileType(
                name="MXFP4_MOE",
                bits=4.25,
                use="For the experts of gpt-oss, which were trained in it; other types only make it larger.",
                since=TENSOR_TYPES_SINCE[39],
            ),
            FileType(
                name="NVFP4",
                bits=4.5,
                use="For models published in it; fast on Blackwell GPUs.",
                since=TENSOR_TYPES_SINCE[40],
            ),
            FileType(
                name="Q1_0",
                bits=1.13,
                use="For models that were trained with weights of one bit.",
                since=TENSOR_TYPES_SINCE[41],
            ),
        )
    }
)
"""All types that the files of models have, by name."""


def read_tag(tag: str) -> tuple[int, FileType] | None:
    """Return the number of parameters and the type of the weights that a tag names; None if it does not name both.

    >>> read_tag("8b-instruct-q4_K_M")[0]
    8000000000
    """
    size = kind = None
    for part in tag.split("-"):
        kind = FILE_TYPES_BY_NAME.get(part.upper().replace("FP16", "F16"), kind)
        if found := re.fullmatch(_SIZE, part, re.IGNORECASE):
            size = int(float(found[1]) * 10 ** (9 if found[2] in "bB" else 6))
    return (size, kind) if size and kind else None
