"""The proof: what a server made is what was asked, or why not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from modelfile.builder.forecast import expected
from modelfile.builder.plan import Plan
from modelfile.catalog.catalog import catalog
from modelfile.catalog.versions import Version, release
from modelfile.differ import Aspect, Change, compare_models
from modelfile.errors import VerificationError
from modelfile.names import ModelName
from modelfile.recipe.model import Model
from modelfile.recipe.recipe import Recipe


def verify(name: ModelName, recipe: Recipe, digests: Mapping[Path, str], planned: Plan, made: Model) -> None:
    """Hold what was made against what was asked.

    Raises:
        VerificationError: It is something else; the message names each layer that is, and why, as far as known.
    """
    base = planned.base.model if planned.base else None
    asked = expected(recipe, digests, base=base, made=made, version=planned.version)
    if changes := compare_models(asked, made):
        told = "\n".join(_tell(change, planned.version) for change in changes)
        raise VerificationError(
            f"{planned.place} made something else of {name} than was asked:\n{told}",
            hint=f"{name} is as it was; mend the Modelfile by what is said above, or try another version of Ollama",
        )


def _tell(change: Change, version: str) -> str:
    known = release(version)
    why = _why(change, known) if known else ""
    return f"  {change.title}: asked {change.old or 'none'}, made {change.new or 'none'}" + (f" ({why})" if why else "")


def _why(change: Change, version: Version) -> str:
    """What the version of the server has to do with it."""
    match change.aspect:
        case Aspect.PARAMETER:
            return _why_parameter(change.name, version)
        case Aspect.RENDERER | Aspect.PARSER | Aspect.REQUIRES | Aspect.DRAFT:
            from modelfile.catalog.instructions import INSTRUCTIONS

            since = INSTRUCTIONS[change.aspect.upper()].since
            return f"{change.aspect.upper()} came with Ollama {since}, this is {version}" if version < since else ""
        case _:
            return ""


def _why_parameter(name: str, version: Version) -> str:
    from modelfile.catalog.parameters import PARAMETERS

    parameter = PARAMETERS.get(name)
    if parameter and version < parameter.since:
        return f"`{name}` came with Ollama {parameter.since}, this is {version}"
    if removed := catalog(version).removed(name):
        return f"Ollama has not known `{name}` since {removed}, this is {version}"
    if name in catalog(version).deprecated:
        return f"`{name}` is deprecated: Ollama {version} drops it"
    return ""
