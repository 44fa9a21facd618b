"""Safetensors files: truncated files, missing shards and missing tensors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from modelfile.errors import InputError
from modelfile.filesystem import MAX_JSON, open_regular, read_file

_MAX_HEADER: Final = 16 << 20
"""Size, in bytes, above which a header is not read; real ones have a few hundred kB."""
_SHARD: Final = re.compile(r"(.+-)([0-9]{5})(-of-([0-9]{5})\.safetensors)")


def read_tensor_names(path: Path) -> frozenset[str] | None:
    """Return the names of a file's tensors, or None if its header has none or is too long.

    Raises:
        InputError: It cannot be read, or is shorter than its header says.
    """
    with open_regular(path) as file:
        size = file.seek(0, 2)
        file.seek(0)
        length = int.from_bytes(file.read(8), "little")
        header = _json(file.read(length)) if length <= min(size, _MAX_HEADER) else {}
    tensors = header.values() if isinstance(header, dict) else ()
    ends = [offsets[1] for tensor in tensors if (offsets := _offsets(tensor))]
    needed = 8 + length + max(ends, default=0)
    if size < needed:
        message = f"`{path}` is truncated: it has {size:,} bytes, its header requires {needed:,}"
        raise InputError(message, hint="download it again")
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
    expected = {path.with_name(name) for path in weights for name in _siblings(path.name)}
    indexes = {index: _read_index(index) for index in files if index.name.endswith(".safetensors.index.json")}
    indexes = {index: listed for index, listed in indexes.items() if {*listed.values()} & weights.keys()}
    expected.update(*(listed.values() for listed in indexes.values()))
    if missing := sorted(expected - {*weights}):
        names = ", ".join(f"`{path.name}`" for path in missing)
        raise InputError(
            f"missing {len(missing)} of {len(expected | {*weights})} weights files: {names}",
            hint=f"download them into `{missing[0].parent}`; without them, Ollama would make an incomplete model",
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
            )


def _siblings(name: str) -> list[str]:
    shard = _SHARD.fullmatch(name)
    return [f"{shard[1]}{number:05}{shard[3]}" for number in range(1, int(shard[4]) + 1)] if shard else []


def _read_index(index: Path) -> dict[str, Path]:
    """Return the file of each tensor of an index."""
    try:
        listed = _json(read_file(index, limit=MAX_JSON)).get("weight_map", {}).items()
        return {tensor: (index.parent / name).resolve() for tensor, name in listed if isinstance(name, str)}
    except (InputError, AttributeError):
        return {}  # Ollama does not read the index


def _json(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return {}


def _offsets(tensor: Any) -> tuple[int, int] | None:
    match tensor:
        case {"data_offsets": [int(start), int(end)]}:
            return start, end
        case _:
            return None
