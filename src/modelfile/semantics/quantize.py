"""To which types a version of Ollama's server turns weights, and of which."""

from __future__ import annotations

from modelfile.catalog.target import catalog
from modelfile.catalog.versions import Version
from modelfile.errors import UsageError
from modelfile.semantics.recipe import Recipe
from modelfile.semantics.weights import ggufs_of, kind_of


def check(recipe: Recipe, kind: str, version: Version | None = None, *, base_type: str = "") -> None:
    """Refuse what create would refuse to quantize, before anything is sent (createModel in Ollama's server/create.go).

    Args:
        recipe: What is to be made.
        kind: The type that is asked, in any case.
        version: The version of Ollama that is to do it, by default the newest known.
        base_type: What the weights of the recipe's base are (`details.quantization_level` of /api/show), if known.

    Raises:
        UsageError: It cannot be done.
    """
    known = catalog(version)
    kinds = sorted(name for name, quantization in known.quantizations.items() if not quantization.experimental)
    if not kinds:
        raise UsageError(f"Ollama {known.version} does not quantize", hint="quantize the GGUF with llama-quantize")
    if kind.upper() not in kinds:
        hint = f"it takes {', '.join(kinds)}; llama-quantize makes others"
        raise UsageError(f"Ollama {known.version} cannot quantize to `{kind}`", hint=hint)
    if recipe.base is None:
        ggufs = ggufs_of(recipe.files)
        types = {f"`{path}`": header.file_type for path, header in ggufs.items() if kind_of(header) == "model"}
    else:
        types = {f"the base {recipe.base}": base_type} if base_type else {}
    for what, found in types.items():
        if found not in known.quantizes_from:
            hint = f"Ollama {known.version} quantizes {', '.join(sorted(known.quantizes_from))}"
            if found == "unknown":
                hint += ", by what the header says; that of a file that is all F32 says nothing to Ollama"
            raise UsageError(f"{what} cannot be quantized: its weights are {found}", hint=hint)
