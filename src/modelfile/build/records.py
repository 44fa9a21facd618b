"""What servers have made and hold, remembered: a model that is as it was need not be looked at again.

The server's answer on a model takes it 50 ms for a vocabulary of 262,144 tokens (0.9.3), and what it makes of local
weights can only be seen once it has made it. Both are known by what they depend on, so nothing here is ever out of
date. Each entry is a file of its own in the user's cache, which can be lost at any time; its fingerprint is in it, so
that one that is cut short or damaged tells nothing.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from modelfile.cache import cache_folder, read_entry, write_entry
from modelfile.semantics.fingerprint import fingerprint
from modelfile.semantics.recipe import Model, Turn

_OF_FILES: Final = ("files", "adapters", "draft_files", "quantize")
_BROUGHT_ALONG: Final = ("template", "renderer", "parser")


def held_key(place: str, version: str, digest: str) -> str:
    """The key of what a server's manifest of a digest holds."""
    return _key({"place": place, "version": version, "manifest": digest})


def seen_key(place: str, version: str, request: Mapping[str, Any], base: str | None) -> str:
    """The key of what a server makes of the files of a create request, whatever the request says beside.

    Args:
        place: The server's URL.
        version: Its version.
        request: The request; of what it says, only on what.
        base: The fingerprint of its base.
    """
    files = {key: request[key] for key in _OF_FILES if key in request}
    if "quantize" in files:
        files["quantize"] = files["quantize"].upper()  # one type, however it is written
    says = [*(key for key in _BROUGHT_ALONG if key in request), *sorted(request.get("parameters", ()))]
    return _key({"place": place, "version": version, "files": files, "says": says, "base": base})


def recall(key: str) -> Model | None:
    """The model that is known by a key."""
    entry = _entry(key)
    if entry is None:
        return None
    try:
        kept = json.loads(read_entry(entry))
        model = _read(kept["model"])
        return model if fingerprint(model) == kept["fingerprint"] else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def remember(key: str, model: Model) -> None:
    """Keep a model for the next time."""
    entry = _entry(key)
    if entry is None:
        return
    kept = {"fingerprint": fingerprint(model), "model": dataclasses.asdict(model)}
    write_entry(entry, json.dumps(kept))


def _read(kept: dict[str, Any]) -> Model:
    return Model(
        **{
            **kept,
            **{name: tuple(kept[name]) for name in ("weights", "adapters", "drafts")},
            "parameters": {
                name: tuple(value) if isinstance(value, list) else value for name, value in kept["parameters"].items()
            },
            "messages": tuple(Turn(**turn) for turn in kept["messages"]),
        }
    )


def _key(parts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _entry(key: str) -> Path | None:
    folder = cache_folder()
    return folder / "models" / key if folder else None
