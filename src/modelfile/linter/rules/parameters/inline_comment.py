"""Rule MF311."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.catalog.catalog import catalog
from modelfile.catalog.parameters import Kind
from modelfile.diagnostics import Edit, Finding, Fix, Safety, Severity
from modelfile.linter.rule import Context, rule, without_comment
from modelfile.source import Span
from modelfile.syntax.nodes import Instruction, License, Message, Parameter, Quoting, System, Template


def _may_be_any_text(parameter: Parameter) -> bool:
    known = catalog().parameters.get(parameter.name.text)
    return known is None or known.kind is Kind.STRINGS  # suspicious-stop


def _comment_above(instruction: Instruction, rest: str, comment: str, context: Context) -> Fix | None:
    """Nobody means the comment as a part of a number or a name."""
    value, text = instruction.value, context.modelfile.text
    if value.quoting is not Quoting.NONE or len(value.text) != value.span.end - value.span.start or "\n" in comment:
        return None
    line = text.rfind("\n", 0, instruction.span.start) + 1
    above = Edit(Span(line, line), f"{comment}{context.modelfile.line_end}")
    return Fix(edits=(above, Edit(Span(value.span.start + len(rest), value.span.end), "")), safety=Safety.SAFE)


@rule("MF311", "inline-comment", on=Instruction, severity=Severity.ERROR)
def inline_comment(instruction: Instruction, context: Context) -> Iterator[Finding]:
    r"""A comment after a value.

    `#` begins a comment only as the first character of a line. After a value it is part of the value: Ollama reads `0.2
    # low`, and refuses it, or looks for a model of that name.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER temperature 0.2 # low
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    # low
    PARAMETER temperature 0.2
    ```
    """
    match instruction:
        case System() | Template() | License() | Message():
            return
        case Parameter() if _may_be_any_text(instruction):
            return
    value = instruction.value
    if value.closed and (rest := without_comment(value.text)) is not None:
        if context.exists and context.exists(value.text):
            return
        comment = value.text[len(rest) :].strip()
        hint = f"put `{comment}` on a line of its own"
        message = f"Ollama takes the comment as part of the value: `{value.text}`"
        yield Finding(value.span, message, hint, _comment_above(instruction, rest, comment, context))
