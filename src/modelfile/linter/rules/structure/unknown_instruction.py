"""Rule MF102."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.catalog.catalog import NEWEST
from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, refused, rule
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Instruction


@rule("MF102", "unknown-instruction", on=Modelfile, severity=Severity.ERROR)
def unknown_instruction(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r'''A line begins with no instruction that Ollama knows.

    There are eleven: FROM, PARAMETER, TEMPLATE, SYSTEM, ADAPTER, LICENSE, MESSAGE, RENDERER, PARSER, REQUIRES and
    DRAFT; one that is newer than `target` is reported too. There is no FORMAT, whatever tutorials say: ask for JSON in
    the request (`"format": "json"`). A text of several lines has to be in `"""`; otherwise Ollama reads its second line
    as an instruction.

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
    yield from refused(modelfile, "unknown-instruction")
    if context.target.version == NEWEST:
        return
    from modelfile.catalog.instructions import INSTRUCTIONS  # 1 ms that only a `target` pays

    for node in modelfile.nodes:
        word = type(node).__name__.upper()
        if isinstance(node, Instruction) and word not in context.target.instructions:
            since = INSTRUCTIONS[word].since
            message = f"`{word}` exists since {since}: Ollama {context.target.version} refuses it"
            yield Finding(node.keyword.span, message)
