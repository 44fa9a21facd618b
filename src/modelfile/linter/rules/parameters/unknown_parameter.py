"""Rule MF301."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.catalog.catalog import Catalog
from modelfile.catalog.parameters import PARAMETERS
from modelfile.diagnostics import Edit, Finding, Fix, Severity
from modelfile.errors import Speller
from modelfile.linter.rule import Context, rule
from modelfile.linter.rules.parameters.instruction_as_parameter import INSTRUCTIONS
from modelfile.source import Span
from modelfile.syntax.nodes import Parameter


def _suggest(name: str, ollama: Catalog, speller: Speller) -> tuple[str, str | None]:
    """Return the hint, and the intended name if there is one: first by other programs' names, then by spelling."""
    from modelfile.catalog.parameters.aliases import explain_absence, find_parameter  # few Modelfiles need it

    own_name = find_parameter(name)
    if own_name in ollama.parameters and own_name != name.lower():
        return f"write `{own_name}`, as Ollama calls it", own_name
    if absence := explain_absence(name):
        return absence, None
    if close := speller.closest(name.lower(), ollama.parameters):
        return f"did you mean `{close}`?", close
    return "delete the line: Ollama has no such parameter", None


@rule("MF301", "unknown-parameter", on=Parameter, severity=Severity.ERROR)
def unknown_parameter(parameter: Parameter, context: Context) -> Iterator[Finding]:
    r"""Ollama knows no parameter of this name.

    `ollama create` rejects it; Ollama's API stores it, and then never uses it. All names are in lower case.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER temprature 0.2
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER temperature 0.2
    ```
    """
    name, ollama = parameter.name.text, context.ollama
    if name in ollama.parameters or name in ollama.deprecated or name in INSTRUCTIONS or name == "from":
        return
    if not name or ollama.removed(name):
        return  # extra-space, removed-parameter
    from modelfile.catalog.parameters.aliases import find_instruction

    message = f"unknown parameter `{name}`"
    if word := find_instruction(name):
        edit = Edit(Span(parameter.keyword.span.start, parameter.name.span.end), word)
        fix = Fix(edits=(edit,)) if word != "MESSAGE" else None
        yield Finding(parameter.name.span, message, f"write `{word} …`, an instruction of its own", fix)
        return
    if known := PARAMETERS.get(name):
        message += f" in Ollama {ollama.version}: added in {known.since}"
        yield Finding(parameter.name.span, message, f"use Ollama {known.since} or later, or delete the line")
        return
    hint, intended = _suggest(name, ollama, context.speller)
    fix = Fix(edits=(Edit(parameter.name.span, intended),)) if intended else None
    yield Finding(parameter.name.span, message, hint, fix)
