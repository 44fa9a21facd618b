"""Rule MF104."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, refused, rule
from modelfile.syntax.modelfile import Modelfile


@rule("MF104", "unclosed-quote", on=Modelfile, severity=Severity.ERROR)
def unclosed_quote(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r'''A quoted value has no end.

    A value that begins with quotes runs to a line that ends with them; text after the closing quotes keeps it open. So
    a comment after a value, or one missing quote, swallows everything that follows, and Ollama only says "unexpected
    EOF".

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
    return refused(modelfile, "unclosed-quote")
