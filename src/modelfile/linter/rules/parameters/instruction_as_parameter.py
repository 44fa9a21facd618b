"""Rule MF320."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Edit, Finding, Fix, Severity
from modelfile.linter.rule import Context, rule
from modelfile.source import Span
from modelfile.syntax.nodes import WORDS, Instruction, Parameter, Parser, Renderer, Requires, System, Template

INSTRUCTIONS: Final = {**{word.lower(): word for word in WORDS if word not in ("FROM", "PARAMETER")}, "model": "FROM"}
"""The names that Ollama's parser does not tell from instructions, with the instruction."""

_SINGLE: Final[dict[str, type[Instruction]]] = {
    "SYSTEM": System,
    "TEMPLATE": Template,
    "RENDERER": Renderer,
    "PARSER": Parser,
    "REQUIRES": Requires,
}
"""The instructions of which only the last takes effect."""


@rule("MF320", "instruction-as-parameter", on=Parameter, severity=Severity.WARNING)
def instruction_as_parameter(parameter: Parameter, context: Context) -> Iterator[Finding]:
    r"""An instruction is written as a parameter.

    SYSTEM, TEMPLATE and the others are instructions. `PARAMETER system` happens to work, because Ollama's parser stores
    both under one name; nothing documents it, and other tools do not know it.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER system You answer questions on billing.
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    SYSTEM You answer questions on billing.
    ```
    """
    word = INSTRUCTIONS.get(parameter.name.text)
    if word is None:
        return
    edit = Edit(Span(parameter.keyword.span.start, parameter.name.span.end), word)
    fix = Fix(edits=(edit,)) if word != "MESSAGE" else None
    message = f"`PARAMETER {parameter.name.text}` works by accident: {word} is an instruction"
    other = context.modelfile.last(_SINGLE[word]) if word in _SINGLE else None
    if other and other.value.closed:
        wins = parameter.span.start > other.span.start
        line = context.modelfile.source.line_of(other.span.start)
        effect = (
            f"it replaces the one in line {line}" if wins else f"it has no effect, the one in line {line} replaces it"
        )
        message += f"; {effect}"
    yield Finding(Span(edit.span.start, edit.span.end), message, f"write `{word} …`", fix)
