"""Rule MF104."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, parser_findings, rule
from modelfile.syntax.modelfile import Modelfile


@rule("MF104", "unclosed-quote", on=Modelfile, severity=Severity.ERROR)
def unclosed_quote(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r'''Quotes are never closed.

    A value that opens with quotes runs to a line that ends with the same quotes. If the closing quotes are missing, or
    if a comment or other text follows them, the value takes in everything after it, and Ollama only says "unexpected
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
    return parser_findings(modelfile, "unclosed-quote")
