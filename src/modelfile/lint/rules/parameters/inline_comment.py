"""Rule MF311."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.catalog.parameters import Kind
from modelfile.catalog.target import catalog
from modelfile.diagnostics import Finding, Severity
from modelfile.lint.rule import Context, rule, without_comment
from modelfile.syntax.nodes import Instruction, License, Message, Parameter, System, Template


def _may_be_any_text(name: str) -> bool:
    known = catalog().parameters.get(name)
    return known is None or known.kind is Kind.STRINGS


@rule("MF311", "inline-comment", on=Instruction, severity=Severity.ERROR)
def inline_comment(instruction: Instruction, context: Context) -> Iterator[Finding]:
    r"""A comment behind a value.

    `#` begins a comment only as the first character of a line. Behind a value it is part of the value: Ollama reads
    `0.2 # low`, and refuses it, or looks for a model of that name.

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
        case Parameter(name=name) if _may_be_any_text(name.text):
            return
    value = instruction.value
    if context.exists and context.exists(value.text):
        return
    if value.closed and (rest := without_comment(value.text)) is not None:
        comment = value.text[len(rest) :].strip()
        hint = f"put `{comment}` on a line of its own"
        yield Finding(value.span, f"Ollama takes the comment as part of the value: `{value.text}`", hint)
