"""Rule MF213."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelfile.catalog.parameters import PARAMETERS
from modelfile.catalog.versions import Version
from modelfile.diagnostics import Edit, Finding, Fix, Severity
from modelfile.linter.rule import Context, base_family, rule
from modelfile.recipe.values import is_version
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Instruction, Parameter, Parser, Renderer, Requires

_ANY: Final = Version(0, 0, 0)


@rule("MF213", "requires-too-low", on=Modelfile, severity=Severity.WARNING)
def requires_too_low(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""REQUIRES allows versions of Ollama that lack something the Modelfile uses.

    REQUIRES is the oldest version that may run the model. Here it is older than an instruction or a parameter in the
    same file, which that version rejects or ignores.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    REQUIRES 0.14.0
    PARAMETER draft_num_predict 8
    PARAMETER num_ctx 8192
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    REQUIRES 0.30.0
    PARAMETER draft_num_predict 8
    PARAMETER num_ctx 8192
    ```
    """
    for node in modelfile.of_type(Requires)[-1:]:
        text = node.value.text
        if not node.value.closed or not is_version(text):
            continue  # invalid-requires
        used = max(modelfile.of_type(Instruction), key=_since)
        since = _since(used)
        if _is_below(text, since):
            word = used.keyword.text.strip().upper()
            detail = {Parameter: "name", Renderer: "value", Parser: "value"}.get(type(used))
            shown = f"{word} {getattr(used, detail).text}" if detail else word
            line = modelfile.source.line_of(used.span.start)
            message = f"REQUIRES {text} is too low: `{shown}` in line {line} needs {since}"
            fix = Fix(edits=(Edit(node.value.span, str(since)),))
            yield Finding(node.value.span, message, f"write `REQUIRES {since}`", fix)
        elif (
            (family := base_family(modelfile, context))
            and family.since
            and _is_below(text, Version.parse(family.since))
        ):
            message = f"REQUIRES {text} is too low: Ollama runs `{family.name}` since {family.since}"
            fix = Fix(edits=(Edit(node.value.span, family.since),))
            yield Finding(node.value.span, message, f"write `REQUIRES {family.since}`", fix)


def _is_below(text: str, since: Version) -> bool:
    try:
        return Version.parse(text) < since
    except ValueError:  # Ollama accepts versions with more digits than any release has
        return False


def _since(node: Instruction) -> Version:
    """Return the first release with an instruction. REQUIRES does not count: versions before it run the model too."""
    from modelfile.catalog.instructions import INSTRUCTIONS  # only few Modelfiles have a REQUIRES

    match node:
        case Parameter():
            known = PARAMETERS.get(node.name.text)
            return known.since if known else _ANY
        case Requires():
            return _ANY
        case Renderer() | Parser():
            from modelfile.catalog.renderers import PARSERS, RENDERERS

            built_in = (RENDERERS if isinstance(node, Renderer) else PARSERS).get(node.value.text)
            return built_in.since if built_in else INSTRUCTIONS[type(node).__name__.upper()].since
        case _:
            return INSTRUCTIONS[type(node).__name__.upper()].since
