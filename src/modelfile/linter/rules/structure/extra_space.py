"""Rule MF107."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Edit, Finding, Fix, Safety, Severity
from modelfile.linter.rule import Context, rule
from modelfile.source import Span
from modelfile.syntax.nodes import Instruction, Message, Parameter


@rule("MF107", "extra-space", on=(Parameter, Message), severity=Severity.ERROR)
def extra_space(instruction: Instruction, context: Context) -> Iterator[Finding]:
    r"""PARAMETER or MESSAGE is followed by more than one space.

    Ollama expects exactly one space, then the name of the parameter or the role of the message. With two, it reads a
    parameter named "" and rejects it, so values cannot be lined up in columns this way. After the name or the role, any
    number of spaces is allowed.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER  temperature 0.2
    MESSAGE    user When is my bill due?
    MESSAGE assistant On the first of the month.
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER temperature 0.2
    MESSAGE user When is my bill due?
    MESSAGE assistant On the first of the month.
    ```
    """
    match instruction:
        case Parameter(name=head):
            part = "parameter name"
        case Message(role=head):
            part = "role"
        case _:
            return
    if head.text:
        return
    spaces = Span(head.span.start, instruction.value.span.start)
    is_complete = len(instruction.value.text.split()) > 1  # a name or role, and a value
    fix = Fix(edits=(Edit(spaces, ""),), safety=Safety.SAFE) if is_complete else None
    yield Finding(head.span, f"extra space before the {part}", "remove it", fix)
