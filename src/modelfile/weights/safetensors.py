"""Safetensors files: truncated files, missing shards and missing tensors; the facts of a folder of them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from math import prod
from pathlib import Path
from typing import Any, Final, TypeGuard

from modelfile.errors import InputError
from modelfile.filesystem import MAX_JSON, changed_while_read, open_regular, read_file, real_path
from modelfile.immutable import record
from modelfile.weights.facts import WeightsFacts, bits_per_weight
from modelfile.weights.header import TypeTotal, format_count

_MAX_HEADER: Final = 8 << 20
"""Size, in bytes, above which a header is not read; real ones have a few hundred kB."""
_MAX_DIMENSIONS: Final = 8
_BITS: Final = {
    bits: frozenset(names.split())
    for bits, names in {
        4: "F4",
        6: "F6_E2M3 F6_E3M2",
        8: "BOOL U8 I8 F8_E4M3 F8_E5M2 F8_E8M0 F8_E4M3FNUZ F8_E5M2FNUZ",
        16: "U16 I16 F16 BF16",
        32: "U32 I32 F32",
        64: "U64 I64 F64 C64",
    }.items()
}
"""Types of values by their size, in bits (`Dtype` of the safetensors crate)."""
_MAX_SHARDS: Final = 10_000
_MAX_SHOWN: Final = 60
"""Length of the longest name of a tensor that a message shows, in characters."""
_SHOWN: Final = 5
"""Number of missing files that a message lists."""
_SHARD: Final = re.compile(r"(.+-)([0-9]{5})(-of-([0-9]{5})\.safetensors)")


@record(kw_only=True)
class SafeTensor:
    """A tensor of a safetensors file."""

    name: str
    shape: tuple[int, ...]
    type: str
    """Such as `BF16`."""
    size: int
    """In bytes."""


def read_tensor_names(path: Path) -> frozenset[str] | None:
    """Return the names of a file's tensors, or None if its header has none or is too long.

    Raises:
        InputError: It cannot be read, changes while it is read, is shorter than its header says, or has a header that
            Ollama rejects or misreads.
    """
    header = _read_header(path)
    return frozenset(header) if header else None


def read_safetensors(path: Path) -> tuple[SafeTensor, ...]:
    """Return the tensors of a file.

    Raises:
        InputError: As `read_tensor_names`.
    """
    return tuple(_read_header(path).values())


def read_folder(folder: Path, files: Iterable[Path]) -> WeightsFacts:
    """Return the facts of safetensors files, and of config.json in their folder if there is one.

    Raises:
        InputError: As `read_tensor_names`.
    """
    totals: dict[str, TypeTotal] = {}
    size = 0
    for path in files:
        size += path.stat().st_size
        for tensor in read_safetensors(path):
            before = totals.get(tensor.type, TypeTotal(tensors=0, elements=0, bytes=0))
            totals[tensor.type] = TypeTotal(
                tensors=before.tensors + 1,
                elements=before.elements + prod(tensor.shape),
                bytes=before.bytes + tensor.size,
            )
    types = dict(sorted(totals.items(), key=lambda each: (-each[1].bytes, each[0])))
    config = _config(folder)
    is_adapter = not config and (folder / "adapter_config.json").is_file()
    adapter = read_object(folder / "adapter_config.json") if is_adapter else {}
    base = adapter.get("base_model_name_or_path")
    return WeightsFacts(
        format="safetensors",
        kind="adapter" if is_adapter else "model",
        architecture=_architecture(config),
        name=folder.resolve().name,
        parameters=sum(total.elements for total in types.values()),
        file_type=next(iter(types), "unknown"),
        bits_per_weight=bits_per_weight(types.values()),
        context_length=_number(config, "max_position_embeddings"),
        embedding_length=_number(config, "hidden_size"),
        layers=_number(config, "num_hidden_layers"),
        heads=_number(config, "num_attention_heads"),
        kv_heads=_number(config, "num_key_value_heads"),
        experts=_number(config, "num_local_experts", "num_experts", "n_routed_experts"),
        experts_used=_number(config, "num_experts_per_tok"),
        vocabulary=_number(config, "vocab_size"),
        chat_template=_chat_template(folder),
        base_models=(base,) if isinstance(base, str) and base else (),
        size=size,
        types=types,
    )


def _config(folder: Path) -> dict[str, Any]:
    """Return the content of config.json; the part of a model with several that is about text comes first."""
    config = read_object(folder / "config.json")
    text = config.get("text_config")
    return {**config, **text} if isinstance(text, dict) else config


def _architecture(config: Mapping[str, Any]) -> str:
    """Return the class of the model, such as `LlamaForCausalLM`, or else its type."""
    match config:
        case {"architectures": [str(name), *_]} | {"model_type": str(name)}:
            return name
        case _:
            return ""


def _number(config: Mapping[str, Any], *keys: str) -> int | None:
    values = (config.get(key) for key in keys)
    return next((value for value in values if isinstance(value, int) and not isinstance(value, bool)), None)


def _chat_template(folder: Path) -> str:
    with suppress(InputError):
        return str(read_file(folder / "chat_template.jinja"), "utf-8", "replace")
    template = read_object(folder / "tokenizer_config.json").get("chat_template")
    return template if isinstance(template, str) else ""


def read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file; an empty one if it is missing, too long, or something else."""
    with suppress(InputError):
        value = _json(read_file(path, limit=MAX_JSON))
        if isinstance(value, dict):
            return value
    return {}


def _read_header(path: Path) -> dict[str, SafeTensor]:
    """Return the tensors in a file's header by name; none if it is too long.

    Ollama 0.9.3 rejects a header that is an array or a number, negative dimensions and unknown types; offsets that run
    backwards and absurd lengths end its process; of `null` or of a shape that contradicts the offsets it makes a model
    without a message (measured). It accepts offsets that overlap or leave gaps, and reads what they name.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        length = int.from_bytes(file.read(8), "little")
        is_read = length <= min(size - 8, _MAX_HEADER)
        text = file.read(length) if is_read else b"{}"
    if is_read and len(text) < length:
        raise changed_while_read(path)
    try:
        tensors = dict(_tensors(text))
    except (ValueError, RecursionError) as failure:
        problem = str(failure) if type(failure) is ValueError else "its header is not a JSON object"
        message = f"`{path}` is a corrupt safetensors file: {problem}"
        raise InputError(message, hint="download it again") from failure
    needed = 8 + length + max((end for end, _ in tensors.values()), default=0)
    if size < needed:
        message = f"`{path}` is truncated: it has {size:,} bytes, its header requires {format_count(needed)}"
        raise InputError(message, hint="download it again", rule="truncated-weights")
    return {name: tensor for name, (_, tensor) in tensors.items()}


def _tensors(text: bytes) -> Iterator[tuple[str, tuple[int, SafeTensor]]]:
    """Yield the name of each tensor with the end of its data; what follows the object does not count, as in Ollama."""
    header, _ = json.JSONDecoder().raw_decode(str(text, "utf-8", "replace").lstrip())
    if not isinstance(header, dict):
        raise ValueError("its header is not a JSON object")  # noqa: TRY004  # of the file, not of this code
    for name, entry in header.items():
        if name != "__metadata__":
            yield name, _tensor(name, entry)


def _tensor(name: str, entry: Any) -> tuple[int, SafeTensor]:
    shown = f"tensor `{name[:_MAX_SHOWN]}`"
    if not isinstance(entry, dict):
        raise ValueError(f"its {shown} is not an object")  # noqa: TRY004  # as above
    shape, kind, offsets = (entry.get(key) for key in ("shape", "dtype", "data_offsets"))
    if not _are_numbers(shape) or len(shape) > _MAX_DIMENSIONS or any(not 0 <= each < 1 << 64 for each in shape):
        raise ValueError(f"the shape of its {shown} is not a list of at most {_MAX_DIMENSIONS} counts")
    bits = next((bits for bits, kinds in _BITS.items() if isinstance(kind, str) and kind in kinds), None)
    if bits is None:
        raise ValueError(f"its {shown} has a type that safetensors does not have")
    if not _are_numbers(offsets) or len(offsets) < 2 or not 0 <= offsets[0] <= offsets[1]:  # noqa: PLR2004  # a start and an end
        raise ValueError(f"the data offsets of its {shown} are not a start and an end after it")
    size, needed = offsets[1] - offsets[0], -(-prod(shape) * bits // 8)
    if size != needed:
        message = f"its {shown} has {format_count(size)} bytes, but its shape and type require {format_count(needed)}"
        raise ValueError(message)
    return offsets[1], SafeTensor(name=name, shape=tuple(shape), type=str(kind), size=size)


def _are_numbers(value: Any) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(type(each) is int for each in value)  # a bool is no number


def check_shards(weights: Mapping[Path, frozenset[str] | None], files: Iterable[Path]) -> None:
    """Reject weights with missing shards or tensors, according to their file names and their index.

    Ollama's server does not check this: 0.9.3 makes a model of the tensors that are there, in any file (measured).

    Args:
        weights: The files, with the names of their tensors where known.
        files: All files of the model, its index among them if it has one.

    Raises:
        InputError: A shard or a tensor is missing.
    """
    names = ((path, _SHARD.fullmatch(path.name)) for path in weights)
    expected = list_shards((path.parent, name[1], int(name[4]), name[3]) for path, name in names if name)
    indexes = {index: _read_index(index) for index in files if index.name.endswith(".safetensors.index.json")}
    indexes = {index: listed for index, listed in indexes.items() if {*listed.values()} & weights.keys()}
    expected.update(*(listed.values() for listed in indexes.values()))
    if missing := sorted(expected - {*weights}):
        raise InputError(
            f"missing {len(missing)} of {len(expected | {*weights})} weights files: {list_names(missing)}",
            hint=f"download them into `{missing[0].parent}`; without them, Ollama would make an incomplete model",
            rule="split-weights",
        )
    if None in weights.values():
        return
    present = frozenset().union(*filter(None, weights.values()))
    for index, listed in indexes.items():
        if lost := sorted(listed.keys() - present):
            raise InputError(
                f"missing {len(lost)} of {len(listed)} tensors of `{index.name}`, "
                f"such as `{lost[0]}` in `{listed[lost[0]]}`",
                hint="download the weights again, or delete the index, which Ollama ignores, if it belongs to others",
                rule="split-weights",
            )


def list_shards(series: Iterable[tuple[Path, str, int, str]]) -> set[Path]:
    """Return the paths of all shards of models.

    Args:
        series: For each model its folder, the start of the names, the number of shards, and the end of the names.

    Raises:
        InputError: They are too many to be true.
    """
    distinct = {*series}
    if (total := sum(count for _, _, count, _ in distinct)) > _MAX_SHARDS:
        folder, start, count, end = max(distinct, key=lambda model: model[2])
        message = f"`{folder / f'{start}…{end}'}` has {count:,} shards by its name"
        if count < total:
            message = f"the weights in `{folder}` have {total:,} shards by their names"
        raise InputError(message, hint=f"at most {_MAX_SHARDS:,} are supported")
    return {
        folder / f"{start}{number:05}{end}" for folder, start, count, end in distinct for number in range(1, count + 1)
    }


def list_names(paths: Sequence[Path]) -> str:
    """Return the names of the first paths, and the number of the others, for a message."""
    names = ", ".join(f"`{path.name}`" for path in paths[:_SHOWN])
    return f"{names} and {len(paths) - _SHOWN:,} more" if len(paths) > _SHOWN else names


def _read_index(index: Path) -> dict[str, Path]:
    """Return the file of each tensor of an index."""
    try:
        listed = _json(read_file(index, limit=MAX_JSON)).get("weight_map", {}).items()
        names = {name for _, name in listed if isinstance(name, str)}
        paths = {name: real_path(index.parent / name) for name in names}
        return {tensor: paths[name] for tensor, name in listed if isinstance(name, str)}
    except (InputError, AttributeError, ValueError):
        return {}  # Ollama does not read the index


def _json(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return {}
