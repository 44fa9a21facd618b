"""Rule MF521."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import System


@rule("MF521", "conflicting-demands", on=Modelfile, severity=Severity.WARNING)
def conflicting_demands(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r'''Two sentences of SYSTEM ask for opposite forms of answers.

    A model can follow one of them only, and which one it follows changes from answer to answer. The rule looks for
    lists, tables, emoji and Markdown that one sentence forbids and another orders; for lengths, exact numbers, tones,
    persons, units and formats that exclude each other; for "never" and "always" of the same; and for one language for
    all answers next to the language of the user. It only looks at sentences without a condition.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    SYSTEM """You answer questions on billing. Write no lists.
    Give each item of a bill as a bullet point."""
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    SYSTEM """You answer questions on billing.
    Give each item of a bill as a bullet point."""
    ```
    '''
    system = modelfile.last(System)
    if system is None or not system.value.closed or not system.value.text:
        return
    from modelfile.linter.opposites import find_conflicts  # its expressions are for files with a prompt

    for conflict in find_conflicts(system.value.text):
        span = modelfile.locate_span(system.value, *conflict.later)
        line = modelfile.source.line_of(modelfile.locate(system.value, conflict.earlier[0]))
        message = f"SYSTEM asks for {conflict.asked} here, but for {conflict.opposite} in line {line}"
        yield Finding(span, message, "keep one of them, or say when each one holds")
