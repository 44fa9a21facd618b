"""The header of a GGUF file as a value: metadata, arrays, and totals of its tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

from modelfile.immutable import field, record
from modelfile.weights.types import FILE_TYPES, TENSOR_TYPES

UINT32: Final = 4
FLOAT32: Final = 6
BOOL: Final = 7
STRING: Final = 8
ARRAY: Final = 9

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


def type_name(kind: int) -> str:
    """Return the name of a type of tensors, such as `Q4_K`; of one that is not known, its number."""
    return TENSOR_TYPES[kind][0] if kind in TENSOR_TYPES else f"type {kind}"


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
