"""Rule MF102."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.lint.rule import Context, refused, rule
from modelfile.syntax.modelfile import Modelfile


@rule("MF102", "unknown-instruction", on=Modelfile, severity=Severity.ERROR)
def unknown_instruction(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r'''A line begins with no instruction that Ollama knows.

    There are eleven: FROM, PARAMETER, TEMPLATE, SYSTEM, ADAPTER, LICENSE, MESSAGE, RENDERER, PARSER, REQUIRES and
    DRAFT. There is no FORMAT, whatever tutorials say: JSON is asked for in the request (`"format": "json"`). A text of
    several lines has to stand in `"""`; else its second line is read as an instruction.

    ## Bad

    ```
    # Answers questions on billing, in JSON.
    FROM llama3.2:3b
    FORMAT json
    ```

    ## Good

    ```
    # Answers questions on billing, in JSON; the application sends "format": "json".
    FROM llama3.2:3b
    ```
    '''
    return refused(modelfile, "unknown-instruction")
