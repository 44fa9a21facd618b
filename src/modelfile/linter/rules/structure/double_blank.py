"""Rule MF107."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Edit, Finding, Fix, Safety, Severity
from modelfile.linter.rule import Context, rule
from modelfile.source import Span
from modelfile.syntax.nodes import Instruction, Message, Parameter


@rule("MF107", "double-blank", on=Instruction, severity=Severity.ERROR)
def double_blank(instruction: Instruction, context: Context) -> Iterator[Finding]:
    r"""PARAMETER or MESSAGE is followed by two blanks.

    Ollama takes exactly one, and reads the name of the parameter or the role of the message after it. With two it reads
    a parameter named "" and refuses it, so values cannot be lined up in columns that way. After the name or the role
    there may be as many blanks as you like.

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
            word, part = "PARAMETER", "name"
        case Message(role=head):
            word, part = "MESSAGE", "role"
        case _:
            return
    if head.text:
        return
    blanks = Span(head.span.start, instruction.value.span.start)
    whole = len(instruction.value.text.split()) > 1  # a name or role, and a value
    fix = Fix(edits=(Edit(blanks, ""),), safety=Safety.SAFE) if whole else None
    yield Finding(head.span, f"{word} has two blanks before its {part}", "leave one of them", fix)
