"""The header of a GGUF file as a value: metadata, arrays, and totals of its tensors."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

from modelfile.immutable import field, record
from modelfile.weights.types import FILE_TYPES, TENSOR_TYPES

UINT32: Final = 4
FLOAT32: Final = 6
BOOL: Final = 7
STRING: Final = 8
ARRAY: Final = 9
MAX_COUNT: Final = 1 << 63
"""The first number that no size of a file can be."""

_LLAMA_CPP_DIMENSIONS: Final = 4
_LLAMA_CPP_NAME: Final = 63
"""Size, in bytes, of the longest name of a tensor in llama.cpp."""
_BLOCK: Final = re.compile(r"(?:^|\.)blk\.([0-9]+)\.")
_EMBEDDED: Final = ("a.", "mm.", "mtp.", "s.", "v.")
"""How names of tensors begin that are not of the model itself (`isEmbeddedCompatibilityTensor`, server/create.go)."""

Scalar: TypeAlias = int | float | bool | str


@record(kw_only=True)
class GGUFArray:
    """An array of the metadata, whose elements `gguf.read_array` reads."""

    kind: int
    """The type of its elements, as GGUF numbers them."""
    length: int
    """Number of its elements."""
    offset: int
    """Offset of its first element in the file, in bytes."""


@record(kw_only=True)
class TypeTotal:
    """The tensors of one type."""

    tensors: int
    elements: int
    bytes: int
    """Their size; 0 for a type that is not known."""


@record(kw_only=True)
class Tensor:
    """A tensor of a file."""

    name: str
    shape: tuple[int, ...]
    """Its dimensions, the one whose elements are adjacent first."""
    kind: int
    """The number of its type, as in `types.TENSOR_TYPES`."""
    offset: int
    """Offset of its data from the start of the file, in bytes."""
    elements: int
    size: int
    """In bytes; 0 for a type that is not known."""

    @property
    def type(self) -> str:
        """The name of its type, such as `Q4_K`."""
        return type_name(self.kind)


def format_count(number: int) -> str:
    """Return a number for a message, shortened if no file can be as large."""
    return f"{number:,}" if number < MAX_COUNT else "more than 2^63"


def type_name(kind: int) -> str:
    """Return the name of a type of tensors, such as `Q4_K`; of one that is not known, its number."""
    return TENSOR_TYPES[kind][0] if kind in TENSOR_TYPES else f"type {kind}"


@record(frozen=False)
class Totals:
    """The facts of the tensors that were read so far."""

    alignment: int
    """The data of each tensor begins at a multiple of it, in bytes."""
    defect: str = ""
    """The first defect that was found, for which llama.cpp rejects the file."""
    next: int | None = 0
    """Offset of the data of the next tensor from the start of all, in bytes; None after an unknown type."""
    names: set[str] = field(default_factory=set)
    end: int = 0
    """Offset of the end of the last one from the start of all, in bytes."""
    blocks: set[str] = field(default_factory=set)
    embedded: bool = False
    types: dict[int, list[int]] = field(default_factory=dict)
    """Number, elements and bytes of the tensors of each type."""

    def add(self, tensor: Tensor) -> None:
        """Count a tensor."""
        self.defect = self.defect or next(self._defects(tensor), "")
        self.embedded |= tensor.name.startswith(_EMBEDDED)
        if block := _BLOCK.search(tensor.name):
            self.blocks.add(block[1])
        self.end = max(self.end, tensor.offset + tensor.size)
        total = self.types.setdefault(tensor.kind, [0, 0, 0])
        total[0] += 1
        total[1] += tensor.elements
        total[2] += tensor.size

    def _defects(self, tensor: Tensor) -> Iterator[str]:
        """Yield what llama.cpp rejects in a tensor (`gguf_init_from_file_impl` in ggml/src/gguf.cpp, b4489 and later).

        Ollama 0.9.3 makes models of such files, and fails when it loads them (measured).
        """
        name, dimensions, row = tensor.name, len(tensor.shape), tensor.shape[0] if tensor.shape else 1
        if (length := len(name.encode())) > _LLAMA_CPP_NAME:
            yield f"a name of a tensor has {length:,} bytes, over the limit of {_LLAMA_CPP_NAME}"
        if name in self.names:
            yield f"two tensors are called `{name}`"
        self.names.add(name)
        if dimensions > _LLAMA_CPP_DIMENSIONS:
            yield f"the tensor `{name}` has {dimensions} dimensions, over the limit of {_LLAMA_CPP_DIMENSIONS}"
        kind, block, _ = TENSOR_TYPES.get(tensor.kind, ("", 1, 0))
        if row % block:
            yield f"the tensor `{name}` has rows of {row:,} elements, no multiple of {block}, the block of {kind}"
        if not kind:
            self.next = None
        if self.next is not None:
            if tensor.offset != self.next:
                found = format_count(tensor.offset)
                yield f"the data of `{name}` begin at byte {found} of all, not at {self.next:,}, where those before end"
            self.next += -(-tensor.size // self.alignment) * self.alignment


@record(kw_only=True)
class GGUFHeader:
    """The header of a GGUF file."""

    metadata: Mapping[str, Scalar]
    """Its keys and values, without arrays and texts of more than 1,024 bytes."""
    size: int
    """Size of the file, in bytes."""
    needed: int
    """Size that its tensors require at least, in bytes."""
    blocks: int
    """Number of blocks (such as `blk.0`) that have tensors in the file."""
    chat_template: str = ""
    """Its chat template, in Jinja; empty if there is none, or only a list of several."""
    version: int = 3
    """The version of the format."""
    kinds: Mapping[str, int] = field(default_factory=dict)
    """The type of the value of every key, as GGUF numbers them."""
    parameters: int = 0
    """Number of the elements of all tensors."""
    embedded: bool = False
    """True if tensors of a projector, or of one that predicts several tokens, are among those of the model."""
    arrays: Mapping[str, GGUFArray] = field(default_factory=dict)
    """All arrays, by their keys."""
    lists: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict)
    """The elements of the arrays of numbers and bools with at most 4,096 elements."""
    types: Mapping[int, TypeTotal] = field(default_factory=dict)
    """The tensors by the number of their type."""
    tensors: int = 0
    """Number of tensors."""
    tensors_at: int = 0
    """Offset of the list of tensors in the file, in bytes."""
    data_at: int = 0
    """Offset of the tensors' data in the file, in bytes."""
    big_endian: bool = False
    defect: str = ""
    """Defect for which llama.cpp rejects the file, though its header can be read; empty if there is none."""

    @property
    def architecture(self) -> str:
        """The model's architecture, such as `llama`."""
        return self.text("general.architecture")

    @property
    def file_type(self) -> str:
        """The type of most weights, such as `Q4_K_M`; as in Ollama, 0 (F32) counts as unknown."""
        number = self.number("general.file_type")
        return FILE_TYPES.get(number, "unknown") if number else "unknown"

    def text(self, key: str) -> str:
        """Return the text of a key, or an empty string."""
        value = self.metadata.get(key)
        return value if isinstance(value, str) else ""

    def number(self, key: str) -> int:
        """Return the number of a key, else of that key of the architecture (as Ollama does), else 0."""
        value = self.metadata.get(key, self.metadata.get(f"{self.architecture}.{key}"))
        return value if isinstance(value, int) else 0

    def typed(self, key: str, kind: int) -> Scalar | None:
        """Return the value of a key as Ollama looks it up (`keyValue` in fs/ggml/ggml.go, v0.7.0 to v0.33.0-rc2).

        Args:
            key: The key, without the architecture before it unless it begins with `general.` or `tokenizer.`.
            kind: The type that the value must have; with any other, the key counts as missing.
        """
        if not key.startswith(("general.", "tokenizer.")):
            architecture = self.typed("general.architecture", STRING)
            key = f"{'unknown' if architecture is None else architecture}.{key}"
        return self.metadata.get(key) if self.kinds.get(key) == kind else None
