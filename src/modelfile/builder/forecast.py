"""Predict the model that a recipe gives, as far as it can be known before a build."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from modelfile.catalog.behaviors import PARAMETERS_OF_WEIGHTS, REWRITES_GGUF, SETS_RENDERERS
from modelfile.catalog.versions import NEWEST, Version, release
from modelfile.immutable import replace
from modelfile.recipe.model import Model
from modelfile.recipe.recipe import Recipe


def is_opaque(recipe: Recipe) -> bool:
    """Return whether only a server can tell what it creates from the files of a recipe."""
    return recipe.base is None or bool(recipe.quantize) or recipe.converts_adapters


def observe(created: Model, recipe: Recipe) -> Model:
    """Return the part of a created model that came from the files of its recipe, not from its other instructions.

    It is the same for every recipe of the same files whose other instructions have the same names.
    """
    return Model(
        weights=created.weights,
        adapters=created.adapters,
        drafts=created.drafts,
        template="" if recipe.template else created.template,
        parameters={name: value for name, value in created.parameters.items() if name not in recipe.parameters},
        renderer="" if recipe.renderer else created.renderer,
        parser="" if recipe.parser else created.parser,
    )


def predict(
    recipe: Recipe, digests: Mapping[Path, str], base: Model | None, observed: Model | None, version: str
) -> Model | None:
    """Return the model that a recipe must give; None if it cannot be known before a build.

    Args:
        recipe: The recipe.
        digests: `sha256:…` of every local file.
        base: The base of the recipe, if it has one and it is known.
        observed: The result of `observe` for an earlier build of the same files, if there was one.
        version: The server's version.
    """
    if recipe.base and base is None:
        return None
    if not is_opaque(recipe):
        return base and base.with_recipe(recipe, digests, release(version))
    if observed is None:
        return None
    inherited = replace(base, weights=observed.weights) if base else observed
    model = inherited.with_recipe(replace(recipe, adapters=(), drafts=()), digests, release(version))
    return replace(model, adapters=observed.adapters, drafts=observed.drafts)


def expected_model(
    recipe: Recipe, digests: Mapping[Path, str], *, base: Model | None, created: Model, version: str
) -> Model:
    """Return the model that a server should have created.

    Args:
        recipe: The recipe.
        digests: `sha256:…` of every local file.
        base: The base of the recipe; None if it is built from files.
        created: What the server created: part of what comes of files cannot be known otherwise.
        version: The server's version.
    """
    inherited = base or _inherited(created, recipe, digests, version)
    if recipe.quantize:
        inherited = replace(inherited, weights=created.weights)
    expected = inherited.with_recipe(recipe, digests, release(version))
    if recipe.converts_adapters:
        return replace(expected, adapters=created.adapters, drafts=created.drafts)
    return expected


def _inherited(created: Model, recipe: Recipe, digests: Mapping[Path, str], version: str) -> Model:
    """Return what a model has from its local weights.

    Ollama adds the template and the `stop` that it knows for a GGUF and, from 0.20 on, a renderer and a parser. It also
    decides what it converts safetensors to and, from 0.30 on, a GGUF. Everything else must be what was sent.
    """
    sent = tuple(dict.fromkeys(digests[path] for path in recipe.weight_files))
    sets_renderers = _may(SETS_RENDERERS, version)
    return Model(
        weights=created.weights if _rewrites(recipe, version) or {*created.weights} == {*sent} else sent,
        adapters=tuple(digests[path] for path in recipe.adapter_files if path not in recipe.adapters),
        template=created.template,
        parameters={
            name: value
            for name, value in created.parameters.items()
            if name in PARAMETERS_OF_WEIGHTS or not _is_known(version)
        },
        renderer=created.renderer if sets_renderers else "",
        parser=created.parser if sets_renderers else "",
    )


def undecided(recipe: Recipe, digests: Mapping[Path, str], *, created: Model, version: str) -> tuple[str, ...]:
    """Return the parts of a model that `expected_model` has to take from a created one, as titles of changes.

    Args:
        recipe: The recipe.
        digests: `sha256:…` of every local file.
        created: The model that they are taken from.
        version: The server's version.
    """
    parts = {
        "weights": (bool(recipe.quantize) or (bool(recipe.files) and _rewrites(recipe, version)))
        and {*created.weights} != {digests[path] for path in recipe.weight_files},
        "adapter": bool(recipe.adapters) and recipe.converts_adapters,
        "draft": bool(recipe.drafts) and recipe.converts_adapters,
    }
    if not recipe.base:
        renderers = _may(SETS_RENDERERS, version)
        stops = [f"parameter {name}" for name in sorted(PARAMETERS_OF_WEIGHTS - recipe.parameters.keys())]
        parts |= dict.fromkeys(stops if _is_known(version) else ["parameters"], True)
        parts |= {
            "template": not recipe.template,
            "renderer": renderers and not recipe.renderer,
            "parser": renderers and not recipe.parser,
        }
    return tuple(title for title, is_undecided in parts.items() if is_undecided)


def _rewrites(recipe: Recipe, version: str) -> bool:
    return _may(REWRITES_GGUF, version) or any(path.suffix != ".gguf" for path in recipe.files)


def _may(since: Version, version: str) -> bool:
    """Return whether a server may do what Ollama does since a release; one of an unknown version may."""
    known = release(version)
    return known is None or known >= since


def _is_known(version: str) -> bool:
    known = release(version)
    return known is not None and known <= NEWEST
