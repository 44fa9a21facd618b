"""What a build has to give."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from modelfile.semantics.recipe import Model, Recipe

_REWRITES_WEIGHTS_SINCE: Final = (0, 30)
"""From this Ollama version on, weights from a local GGUF may be rewritten by the server (measured on 0.33)."""
_DEVELOPMENT: Final = (0, 0)
"""The version of an Ollama that was built without one."""


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
    return inherited.with_recipe(recipe, digests)


def _brought_along(made: Model, recipe: Recipe, digests: Mapping[Path, str], version: str) -> Model:
    """What local weights were to begin with.

    A template and parameters that Ollama recognises in a GGUF come along; what safetensors become, and from 0.30 on a
    GGUF, is the server's affair. Everything else must be what was sent.
    """
    sent = tuple(dict.fromkeys(digests[path] for path in recipe.files))
    release = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    converted = any(path.suffix != ".gguf" for path in recipe.files)
    rewritten = release >= _REWRITES_WEIGHTS_SINCE or release == _DEVELOPMENT
    return Model(
        weights=made.weights if converted or rewritten or {*made.weights} == {*sent} else sent,
        template=made.template,
        parameters=made.parameters,
        renderer=made.renderer,
        parser=made.parser,
    )
