"""Safetensors files: truncated files, missing shards and missing tensors."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from modelfile.errors import InputError
from modelfile.filesystem import MAX_JSON, changed_while_read, open_regular, read_file, real_path

_MAX_HEADER: Final = 8 << 20
"""Size, in bytes, above which a header is not read; real ones have a few hundred kB."""
_MAX_OFFSET: Final = 1 << 63
_MAX_SHARDS: Final = 10_000
_SHOWN: Final = 5
"""Number of missing files that a message lists."""
_SHARD: Final = re.compile(r"(.+-)([0-9]{5})(-of-([0-9]{5})\.safetensors)")


def read_tensor_names(path: Path) -> frozenset[str] | None:
    """Return the names of a file's tensors, or None if its header has none or is too long.

    Raises:
        InputError: It cannot be read, changes while it is read, or is shorter than its header says.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        length = int.from_bytes(file.read(8), "little")
        is_read = length <= min(size - 8, _MAX_HEADER)
        text = file.read(length) if is_read else b""
    if is_read and len(text) < length:
        raise changed_while_read(path)
    header = _json(text)
    tensors = header.values() if isinstance(header, dict) else ()
    ends = [offsets[1] for tensor in tensors if (offsets := _offsets(tensor))]
    needed = 8 + length + max(ends, default=0)
    if size < needed:
        message = f"`{path}` is truncated: it has {size:,} bytes, its header requires {needed:,}"
        raise InputError(message, hint="download it again", rule="truncated-weights")
    return frozenset(header) if isinstance(header, dict) and header else None


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


def _offsets(tensor: Any) -> tuple[int, int] | None:
    match tensor:
        case {"data_offsets": [int(start), int(end)]}:
            return start, min(end, _MAX_OFFSET)
        case _:
            return None
