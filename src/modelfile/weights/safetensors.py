"""Files of safetensors: whether they are whole, and whether all are there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from modelfile.errors import InputError

_LONGEST: Final = 16 << 20
"""A longer header is not looked at; real ones have some hundred kB."""
_SHARD: Final = re.compile(r"(.+-)([0-9]{5})(-of-([0-9]{5})\.safetensors)")


def tensors_of(path: Path) -> frozenset[str] | None:
    """The names of a file's tensors; None where its header is not read.

    A file that is shorter than its header says is refused.

    Raises:
        InputError: It is, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            length = int.from_bytes(file.read(8), "little")
            header = _json(file.read(length)) if length <= min(size, _LONGEST) else {}
    except OSError as error:
        raise InputError(f"`{path}` cannot be read: {error.strerror or error}") from error
    tensors = header.values() if isinstance(header, dict) else ()
    ends = [offsets[1] for tensor in tensors if (offsets := _offsets(tensor))]
    needed = 8 + length + max(ends, default=0)
    if size < needed:
        message = f"`{path}` is cut short: it has {size:,} bytes, and its header tells of {needed:,}"
        raise InputError(message, hint="download it again")
    return frozenset(header) if isinstance(header, dict) and header else None


def refuse_missing(weights: Mapping[Path, frozenset[str] | None], beside: Iterable[Path]) -> None:
    """Refuse weights of which shards or tensors are missing: by their names, and by the index beside them.

    Ollama's server does not look: 0.9.3 makes a model of what is there (measured), in whichever file that is.

    Args:
        weights: The files, with the names of their tensors as far as they are known.
        beside: Files among which an index may be.

    Raises:
        InputError: Some are.
    """
    wanted = {path.with_name(name) for path in weights for name in _siblings(path.name)}
    indexes = {index: _listed(index) for index in beside if index.name.endswith(".safetensors.index.json")}
    indexes = {index: listed for index, listed in indexes.items() if {*listed.values()} & weights.keys()}
    wanted.update(*(listed.values() for listed in indexes.values()))
    if missing := sorted(wanted - {*weights}):
        names = ", ".join(f"`{path.name}`" for path in missing)
        raise InputError(
            f"of {len(wanted | {*weights})} files of weights {len(missing)} are missing: {names}",
            hint=f"they belong into `{missing[0].parent}`; Ollama would make a model of the others",
        )
    if None in weights.values():
        return
    there = frozenset().union(*filter(None, weights.values()))
    for index, listed in indexes.items():
        if lost := sorted(listed.keys() - there):
            raise InputError(
                f"`{listed[lost[0]]}` should have the tensor `{lost[0]}` by `{index.name}`; "
                f"of its {len(listed)} tensors {len(lost)} are in no file",
                hint="download the weights again, or delete the index if it is of others: Ollama does not read it",
            )


def _siblings(name: str) -> list[str]:
    shard = _SHARD.fullmatch(name)
    return [f"{shard[1]}{number:05}{shard[3]}" for number in range(1, int(shard[4]) + 1)] if shard else []


def _listed(index: Path) -> dict[str, Path]:
    """In which file which tensor is, by an index."""
    try:
        listed = _json(index.read_bytes()).get("weight_map", {}).items()
        return {tensor: (index.parent / name).resolve() for tensor, name in listed if isinstance(name, str)}
    except (OSError, AttributeError):
        return {}  # Ollama does not read it


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
