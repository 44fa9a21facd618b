"""What a build has to give: ahead of it, as far as that can be known, and held against what was made."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from modelfile.catalog.versions import Version, release
from modelfile.filesystem import cache_folder, read_entry, write_entry
from modelfile.recipe.model import Model, fingerprint
from modelfile.recipe.recipe import Message, Recipe

_REWRITES_WEIGHTS_SINCE: Final = Version(0, 30, 0)
"""From this Ollama version on, weights from a local GGUF may be rewritten by the server (measured on 0.33)."""


def is_opaque(recipe: Recipe) -> bool:
    """Whether only a server can tell what comes of a recipe's files."""
    return recipe.base is None or bool(recipe.quantize) or _converts_adapters(recipe)


def _converts_adapters(recipe: Recipe) -> bool:
    return any(path.suffix != ".gguf" for path in (*recipe.adapters, *recipe.drafts))


def seen(made: Model, recipe: Recipe) -> Model:
    """What a server was seen to make of a recipe's files: what the recipe says itself is not in it.

    It holds for every recipe of the same files that says something on the same things, whatever it says.
    """
    return Model(
        weights=made.weights,
        adapters=made.adapters,
        drafts=made.drafts,
        template="" if recipe.template else made.template,
        parameters={name: value for name, value in made.parameters.items() if name not in recipe.parameters},
        renderer="" if recipe.renderer else made.renderer,
        parser="" if recipe.parser else made.parser,
    )


def predict(recipe: Recipe, digests: Mapping[Path, str], base: Model | None, record: Model | None) -> Model | None:
    """What a recipe has to give; None where that cannot be known ahead.

    Args:
        recipe: What is asked.
        digests: `sha256:…` of every local file.
        base: What the base of the recipe holds, if it has one and it is known.
        record: What was `seen` of such a recipe before.
    """
    if recipe.base and base is None:
        return None
    if not is_opaque(recipe):
        return base and base.with_recipe(recipe, digests)
    if record is None:
        return None
    ground = replace(base, weights=record.weights) if base else record
    model = ground.with_recipe(replace(recipe, adapters=(), drafts=()), digests)
    return replace(model, adapters=record.adapters, drafts=record.drafts)


def expected(recipe: Recipe, digests: Mapping[Path, str], *, base: Model | None, made: Model, version: str) -> Model:
    """What a recipe has to give on a server.

    Args:
        recipe: What is asked.
        digests: `sha256:…` of every local file.
        base: What the base of the recipe holds; None where it is built from files.
        made: What the server made of the recipe: of files, part of it cannot be known ahead.
        version: The server's.
    """
    inherited = base or _inherited(made, recipe, digests, version)
    if recipe.quantize:
        inherited = replace(inherited, weights=made.weights)
    asked = inherited.with_recipe(recipe, digests)
    return replace(asked, adapters=made.adapters, drafts=made.drafts) if _converts_adapters(recipe) else asked


def _inherited(made: Model, recipe: Recipe, digests: Mapping[Path, str], version: str) -> Model:
    """What local weights were to begin with.

    A template and parameters that Ollama recognises in a GGUF come along; what safetensors become, and from 0.30 on a
    GGUF, is the server's affair. Everything else must be what was sent.
    """
    sent = tuple(dict.fromkeys(digests[path] for path in recipe.files))
    known = release(version)
    converted = any(path.suffix != ".gguf" for path in recipe.files)
    rewritten = known is None or known >= _REWRITES_WEIGHTS_SINCE
    return Model(
        weights=made.weights if converted or rewritten or {*made.weights} == {*sent} else sent,
        template=made.template,
        parameters=made.parameters,
        renderer=made.renderer,
        parser=made.parser,
    )


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


def recall_model(key: str) -> Model | None:
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


def remember_model(key: str, model: Model) -> None:
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
            "messages": tuple(Message(**turn) for turn in kept["messages"]),
        }
    )


def _key(parts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _entry(key: str) -> Path | None:
    folder = cache_folder()
    return folder / "models" / key if folder else None
