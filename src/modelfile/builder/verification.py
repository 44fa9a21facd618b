"""Verify that a server created the model that it was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from modelfile.builder.forecast import expected_model
from modelfile.builder.plan import Plan
from modelfile.catalog.catalog import catalog
from modelfile.catalog.versions import Version, release
from modelfile.differ.comparison import DERIVED, Aspect, Change
from modelfile.differ.models import compare_models
from modelfile.errors import VerificationError
from modelfile.names import ModelName
from modelfile.recipe.model import Model
from modelfile.recipe.recipe import Recipe


def verify(name: ModelName, recipe: Recipe, digests: Mapping[Path, str], planned: Plan, created: Model) -> None:
    """Compare a created model with the expected one.

    Raises:
        VerificationError: They differ; the message names each difference, and the reason if it is known.
    """
    base = planned.base.model if planned.base else None
    expected = expected_model(recipe, digests, base=base, created=created, version=planned.version)
    if changes := compare_models(expected, created):
        raise VerificationError(
            f"{planned.location} created another model than {name} should be:",
            details=(_line(change, planned.version) for change in changes if change.aspect not in DERIVED),
            hint=f"{name} is unchanged; correct the Modelfile as said above, or try another version of Ollama",
        )


def _line(change: Change, version: str) -> str:
    known = release(version)
    reason = _reason(change, known) if known else ""
    old, new = change.shown
    line = f"{change.title}: expected {old or 'none'}, created {new or 'none'}"
    return f"{line} ({reason})" if reason else line


def _reason(change: Change, version: Version) -> str:
    """Return what the version of the server has to do with a difference; empty if nothing is known."""
    match change.aspect:
        case Aspect.PARAMETER:
            return _parameter_reason(change.name, version)
        case Aspect.RENDERER | Aspect.PARSER | Aspect.REQUIRES | Aspect.DRAFT:
            from modelfile.catalog.instructions import INSTRUCTIONS

            since = INSTRUCTIONS[change.aspect.upper()].since
            return f"{change.aspect.upper()} was added in Ollama {since}, this is {version}" if version < since else ""
        case _:
            return ""


def _parameter_reason(name: str, version: Version) -> str:
    from modelfile.catalog.parameters import PARAMETERS

    parameter = PARAMETERS.get(name)
    if parameter and version < parameter.since:
        return f"`{name}` was added in Ollama {parameter.since}, this is {version}"
    if removed := catalog(version).removed(name):
        return f"Ollama {removed} removed `{name}`, this is {version}"
    if name in catalog(version).deprecated:
        return f"`{name}` is deprecated: Ollama {version} drops it"
    return ""
