"""Files of safetensors: whether they are whole, and whether all are there."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, Final

from modelfile.errors import InputError

_LONGEST: Final = 16 << 20
"""A longer header is not looked at; real ones have some hundred kB."""
_SHARD: Final = re.compile(r"(.+-)([0-9]{5})(-of-([0-9]{5})\.safetensors)")


def refuse_cut(path: Path) -> None:
    """Refuse a file that is shorter than its header says.

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


def refuse_missing(weights: Collection[Path], beside: Iterable[Path]) -> None:
    """Refuse weights of which shards are missing: by their names, and by the index among the files beside them.

    Ollama's server does not look: 0.9.3 makes a model of what is there (measured).

    Raises:
        InputError: Some are.
    """
    wanted = {path.with_name(name) for path in weights for name in _siblings(path.name)}
    for index in beside:
        if index.name.endswith(".safetensors.index.json"):
            listed = _listed(index)
            wanted |= listed if listed & {*weights} else set()
    if missing := sorted(wanted - {*weights}):
        names = ", ".join(f"`{path.name}`" for path in missing)
        raise InputError(
            f"of {len(wanted | {*weights})} files of weights {len(missing)} are missing: {names}",
            hint=f"they belong into `{missing[0].parent}`; Ollama would make a model of the others",
        )


def _siblings(name: str) -> list[str]:
    shard = _SHARD.fullmatch(name)
    return [f"{shard[1]}{number:05}{shard[3]}" for number in range(1, int(shard[4]) + 1)] if shard else []


def _listed(index: Path) -> set[Path]:
    try:
        listed = _json(index.read_bytes()).get("weight_map", {}).values()
        return {(index.parent / name).resolve() for name in listed if isinstance(name, str)}
    except (OSError, AttributeError):
        return set()  # Ollama does not read it


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
