"""Rule MF311."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.catalog.catalog import catalog
from modelfile.catalog.parameters import Kind
from modelfile.diagnostics import Edit, Finding, Fix, Safety, Severity
from modelfile.linter.rule import Context, rule, strip_comment
from modelfile.source import Span
from modelfile.syntax.nodes import Adapter, Draft, From, Instruction, Parameter, Parser, Quoting, Renderer, Requires


def _accepts_any_text(parameter: Parameter) -> bool:
    known = catalog().parameters.get(parameter.name.text)
    return known is None or known.kind is Kind.STRINGS  # suspicious-stop


def _move_comment(instruction: Instruction, rest: str, comment: str, context: Context) -> Fix | None:
    """Return a fix that moves the comment above; it is safe, as no number or name contains a comment."""
    value = instruction.value
    if value.quoting is not Quoting.NONE or len(value.text) != value.span.end - value.span.start or "\n" in comment:
        return None
    line = context.modelfile.source.line_start(instruction.span.start)
    above = Edit(Span(line, line), f"{comment}{context.modelfile.newline}")
    return Fix(edits=(above, Edit(Span(value.span.start + len(rest), value.span.end), "")), safety=Safety.SAFE)


@rule(
    "MF311", "inline-comment", on=(From, Parameter, Adapter, Draft, Renderer, Parser, Requires), severity=Severity.ERROR
)
def inline_comment(instruction: Instruction, context: Context) -> Iterator[Finding]:
    r"""A comment follows a value.

    Comments are only allowed on their own line: `#` begins a comment only as the first character of a line. After a
    value, the comment becomes part of the value. Ollama then reads, for example, `0.2 # low` and rejects it, or looks
    for a model of that name.

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
    if isinstance(instruction, Parameter) and _accepts_any_text(instruction):
        return
    value = instruction.value
    if value.closed and (rest := strip_comment(value.text)) is not None:
        if context.exists and context.exists(value.text):
            return
        comment = value.text[len(rest) :].strip()
        hint = f"move `{comment}` to a line of its own"
        message = "comments are only allowed on their own line; this one becomes part of the value"
        yield Finding(value.span, message, hint, _move_comment(instruction, rest, comment, context))
