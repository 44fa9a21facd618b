"""Rule MF104."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.lint.rule import Context, rule
from modelfile.source import Span
from modelfile.syntax.nodes import Instruction


@rule("MF104", "unclosed-quote", on=Instruction, severity=Severity.ERROR)
def unclosed_quote(instruction: Instruction, context: Context) -> Iterator[Finding]:
    r'''A quoted value has no end.

    A value that begins with quotes runs until a line that ends with them; text behind the closing quotes does not
    end it. So a comment behind a value, or one quote that is missing, takes in all that follows, and Ollama says no
    more than "unexpected EOF".

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    SYSTEM """You answer questions on billing.
    PARAMETER temperature 0.2
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    SYSTEM """You answer questions on billing."""
    PARAMETER temperature 0.2
    ```
    '''
    value = instruction.value
    if value.closed:
        return
    quotes = str(value.quoting)
    opening = Span(value.span.start, value.content.start)
    first_line, _, _ = value.text.partition("\n")
    if quotes in first_line:
        behind = first_line.rpartition(quotes)[2].strip()
        hint = f"nothing may stand behind the closing quotes on their line, not even a comment: move `{behind}`"
    else:
        hint = f"close it with {quotes} at the end of a line"
    yield Finding(opening, f"the quotes of {instruction.keyword.text.strip().upper()} are never closed", hint)
