"""What a build has to give: ahead of it, as far as that can be known, and held against what was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from modelfile.catalog.versions import Version, release
from modelfile.semantics.recipe import Model, Recipe

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


def foreseen(recipe: Recipe, digests: Mapping[Path, str], base: Model | None, record: Model | None) -> Model | None:
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
    inherited = base or _brought_along(made, recipe, digests, version)
    if recipe.quantize:
        inherited = replace(inherited, weights=made.weights)
    asked = inherited.with_recipe(recipe, digests)
    return replace(asked, adapters=made.adapters, drafts=made.drafts) if _converts_adapters(recipe) else asked


def _brought_along(made: Model, recipe: Recipe, digests: Mapping[Path, str], version: str) -> Model:
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
