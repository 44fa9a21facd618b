"""Write src/modelfile/weights/types.py from the installed gguf package: `make docs`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, LlamaFileType

MODULE: Final = Path(__file__).parents[1] / "src/modelfile/weights/types.py"
DISPUTED: Final = frozenset({GGMLQuantizationType.Q8_1})
"""Types of which gguf-py and ggml have different sizes; they do not occur in files."""
_TEXT: Final = '''\
"""Types of tensors and files, by their numbers in GGUF files; written by docs/tensor_types.py from the gguf package.

A file with values of these types is read with that package, but its import takes longer than the reading of a header.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

TENSOR_TYPES: Final[Mapping[int, tuple[str, int, int]]] = MappingProxyType(
    {{
{tensors}
    }}
)
"""Name of each type (`ggml_type` of ggml.h), elements of a block, and bytes of a block."""

FILE_TYPES: Final[Mapping[int, str]] = MappingProxyType(
    {{
{files}
    }}
)
"""Names of the values of `general.file_type`, the type of most weights (`llama_ftype` of llama.h)."""
'''


def module() -> str:
    """Return the text of the module."""
    types = {kind: size for kind, size in GGML_QUANT_SIZES.items() if kind not in DISPUTED}
    files = {
        int(kind): kind.name.removeprefix("ALL_").removeprefix("MOSTLY_")
        for kind in LlamaFileType
        if kind != LlamaFileType.GUESSED
    }
    return _TEXT.format(
        tensors="\n".join(
            f'        {int(kind)}: ("{kind.name}", {size[0]}, {size[1]}),' for kind, size in types.items()
        ),
        files="\n".join(f'        {number}: "{name}",' for number, name in files.items()),
    )


if __name__ == "__main__":
    sys.exit(MODULE.write_text(module(), encoding="utf-8") and None)
