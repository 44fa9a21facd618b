"""Facts about weights for people, from a header or from what a server says of a model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import Any, Final, TypeAlias, TypeGuard

from modelfile.catalog import behaviors
from modelfile.catalog.versions import NEWEST, Version
from modelfile.immutable import field, record
from modelfile.weights.header import BOOL, FLOAT32, STRING, UINT32, GGUFHeader, Scalar, Tensor, TypeTotal, type_name
from modelfile.weights.types import FILE_TYPES, TENSOR_TYPES

PerLayer: TypeAlias = int | tuple[int, ...] | None
"""A number of all layers, those of each layer, or None if it is not known."""
_SUFFIXES: Final = ((10**9, "B", 1), (10**6, "M", 2), (10**3, "K", 0))
"""Units of numbers of parameters, and the decimals that Ollama writes unless the number is whole (format/format.go)."""
_MAX_BASES: Final = 16
"""Base models that are listed."""
_MAX_DIMENSIONS: Final = 8
_MAX_LENGTH: Final = 1 << 63
_EMBEDDING: Final = "token_embd.weight"
_NUMBERS: Final = {name: number for number, (name, _, _) in TENSOR_TYPES.items()}


@record(kw_only=True)
class WeightsFacts:
    """Facts about weights; texts are empty and numbers None where the file does not tell."""

    format: str
    """`gguf` or `safetensors`."""
    kind: str
    """`model`, `adapter` or `projector`."""
    architecture: str
    name: str = ""
    parameters: int | None = None
    file_type: str = "unknown"
    """The quantization, as Ollama prints it: `Q4_K_M`."""
    bits_per_weight: float | None = None
    """Mean size of a weight, in bits, as its tensors are stored."""
    context_length: int | None = None
    """Longest context that the model was trained for, in tokens."""
    embedding_length: int | None = None
    layers: int | None = None
    heads: PerLayer = None
    kv_heads: PerLayer = None
    experts: int | None = None
    experts_used: int | None = None
    """Experts that are used for a token."""
    vocabulary: int | None = None
    """Number of tokens."""
    tokenizer: str = ""
    """The kind of tokenizer, with how it splits text, if the file says so: `gpt2 (llama-bpe)`."""
    chat_template: str | None = ""
    """In Jinja; None if it is not known whether there is one."""
    license: str = ""
    author: str = ""
    base_models: tuple[str, ...] = ()
    size: int | None = None
    """Size of the file or files, in bytes."""
    needed: int | None = None
    """Size that the tensors require, in bytes; a smaller file is truncated."""
    types: Mapping[str, TypeTotal] = field(default_factory=dict)
    """The tensors by the name of their type, those that take most bytes first."""

    @property
    def parameter_size(self) -> str:
        """The number of parameters, as Ollama prints it: `268.10M`; empty if it is not known."""
        return "" if self.parameters is None else format_parameters(self.parameters)


def facts_of(header: GGUFHeader, version: Version = NEWEST) -> WeightsFacts:
    """Return the facts that a header tells.

    Args:
        header: The header of a GGUF file.
        version: The release of Ollama whose names of quantizations are used.
    """
    tokens = header.arrays.get("tokenizer.ggml.tokens")
    return WeightsFacts(
        format="gguf",
        kind=content_of(header),
        architecture=header.architecture,
        name=header.text("general.name"),
        parameters=header.parameters,
        file_type=quantization(header, version),
        bits_per_weight=bits_per_weight(header.types.values()),
        context_length=_number(header, "context_length"),
        embedding_length=_number(header, "embedding_length"),
        layers=_number(header, "block_count"),
        heads=_per_layer(header, "attention.head_count"),
        kv_heads=_per_layer(header, "attention.head_count_kv"),
        experts=_number(header, "expert_count"),
        experts_used=_number(header, "expert_used_count"),
        vocabulary=tokens.length if tokens else _number(header, "vocab_size"),
        tokenizer=_tokenizer(header),
        chat_template=header.chat_template,
        license=header.text("general.license"),
        author=header.text("general.author") or header.text("general.organization"),
        base_models=_base_models(header),
        size=header.size,
        needed=header.needed,
        types=dict(
            sorted(
                ((type_name(kind), total) for kind, total in header.types.items()),
                key=lambda each: (-each[1].bytes, each[0]),
            )
        ),
    )


def header_from_info(info: Mapping[str, Any], tensors: Sequence[Tensor] = (), size: int = 0) -> GGUFHeader:
    """Return the header of weights on a server, as far as it tells.

    Args:
        info: `model_info` of /api/show: metadata, where arrays are lists, or null unless they were asked for.
        tensors: The tensors, from `tensors_of_info`.
        size: Size of the weights, in bytes, if known.
    """
    metadata: dict[str, Scalar] = {}
    lists: dict[str, tuple[Scalar, ...]] = {}
    for key, value in info.items():
        if isinstance(value, list):
            if all(isinstance(each, int | float | bool) for each in value):
                lists[key] = tuple(value)
        elif isinstance(value, Scalar):
            metadata[key] = value
    template, parameters = metadata.pop("tokenizer.chat_template", ""), metadata.get("general.parameter_count", 0)
    types: dict[int, TypeTotal] = {}
    for tensor in tensors:
        before = types.get(tensor.kind, TypeTotal(tensors=0, elements=0, bytes=0))
        types[tensor.kind] = TypeTotal(
            tensors=before.tensors + 1,
            elements=before.elements + tensor.elements,
            bytes=before.bytes + tensor.size,
        )
        if tensor.name == _EMBEDDING and tensor.shape:
            metadata.setdefault(f"{metadata.get('general.architecture', '')}.vocab_size", tensor.shape[-1])
    return GGUFHeader(
        metadata=metadata,
        size=size,
        needed=size,
        blocks=0,
        chat_template=template if isinstance(template, str) else "",
        kinds={key: _kind_of(value) for key, value in metadata.items()},
        parameters=parameters if _is_count(parameters) else 0,
        lists=lists,
        types=types,
        tensors=len(tensors),
    )


def tensors_of_info(tensors: Iterable[Mapping[str, Any]]) -> tuple[Tensor, ...]:
    """Return the tensors that a server tells, without those that are not valid.

    Args:
        tensors: `tensors` of /api/show: name, type and shape of each.
    """
    found = []
    for tensor in tensors:
        match tensor:
            case {"name": str(name), "type": str(kind_name), "shape": [*shape]} if _is_shape(shape):
                kind, elements = _NUMBERS.get(kind_name.upper(), -1), prod(shape)
                _, block, size = TENSOR_TYPES.get(kind, ("", 1, 0))
                found.append(
                    Tensor(
                        name=name,
                        shape=tuple(shape),
                        kind=kind,
                        offset=0,
                        elements=elements,
                        size=elements // block * size,
                    )
                )
    return tuple(found)


def _is_shape(shape: Sequence[Any]) -> bool:
    return len(shape) <= _MAX_DIMENSIONS and all(isinstance(each, int) and 0 <= each < _MAX_LENGTH for each in shape)


def _kind_of(value: Scalar) -> int:
    match value:
        case bool():
            return BOOL
        case int():
            return UINT32
        case str():
            return STRING
        case _:
            return FLOAT32


def content_of(header: GGUFHeader) -> str:
    """Return the content of a GGUF file: `model`, `adapter` or `projector`, even if Ollama does not detect it."""
    if header.text("general.type") == "adapter":
        return "adapter"
    is_projector = header.architecture == "clip" or is_projector_for(header, behaviors.DETECTS_PROJECTORS)
    return "projector" if is_projector else "model"


def is_projector_for(projector: GGUFHeader, version: Version) -> bool:
    """Return whether a release of Ollama detects that a file is a projector."""
    kind = projector.text("general.type")
    if kind == "projector" or (kind == "mmproj" and version >= behaviors.DETECTS_PROJECTORS):
        return True
    keys = ["vision.block_count"]
    if projector.architecture == "clip" and version >= behaviors.DETECTS_PROJECTORS:
        keys += ["has_vision_encoder", "has_audio_encoder"]
    return projector.number("block_count") == 0 and any(projector.number(key) > 0 for key in keys)


def quantization(header: GGUFHeader, version: Version) -> str:
    """Return Ollama's name of the type of most weights (`FileType.String` in fs/ggml/type.go)."""
    number = header.typed("general.file_type", UINT32)
    if not isinstance(number, int) or not number:
        return "unknown"
    since, until, mxfp4 = behaviors.NAMES_MXFP4
    if number == mxfp4 and since <= version < until:
        return "MXFP4"
    is_named = version >= behaviors.NAMES_ALL_FILE_TYPES or number in behaviors.FILE_TYPES_BEFORE
    return FILE_TYPES.get(number, "unknown") if is_named else "unknown"


def bits_per_weight(totals: Iterable[TypeTotal]) -> float | None:
    """Return the mean size of a weight, in bits; None if there are none, or the size of a type is not known."""
    known = [*totals]
    elements = sum(total.elements for total in known)
    if not elements or any(total.elements and not total.bytes for total in known):
        return None
    return sum(total.bytes for total in known) * 8 / elements


def format_parameters(number: int) -> str:
    """Return a number of parameters as Ollama writes it, such as `268.10M` (`HumanNumber` in format/format.go)."""
    for unit, suffix, decimals in _SUFFIXES:
        if number >= unit:
            value = float(number) / unit
            return f"{value:.{0 if value.is_integer() else decimals}f}{suffix}"
    return str(number)


def _number(header: GGUFHeader, key: str) -> int | None:
    value = header.metadata.get(f"{header.architecture}.{key}")
    return value if _is_count(value) else None


def _per_layer(header: GGUFHeader, key: str) -> PerLayer:
    values = header.lists.get(f"{header.architecture}.{key}")
    if values is None:
        return _number(header, key)
    return tuple(value for value in values if _is_count(value))


def _is_count(value: Scalar | None) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _tokenizer(header: GGUFHeader) -> str:
    model, pre = header.text("tokenizer.ggml.model"), header.text("tokenizer.ggml.pre")
    return f"{model} ({pre})" if model and pre else model


def _base_models(header: GGUFHeader) -> tuple[str, ...]:
    count = header.number("general.base_model.count")
    prefixes = [f"general.base_model.{index}" for index in range(min(count, _MAX_BASES))]
    names = (header.text(f"{prefix}.repo_url") or header.text(f"{prefix}.name") for prefix in prefixes)
    return tuple(name.removeprefix("https://huggingface.co/") for name in names if name)
