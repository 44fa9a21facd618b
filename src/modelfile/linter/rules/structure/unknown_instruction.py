"""Rule MF102."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.catalog.versions import NEWEST
from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, parser_findings, rule
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Instruction


@rule("MF102", "unknown-instruction", on=Modelfile, severity=Severity.ERROR)
def unknown_instruction(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r'''A line does not begin with an instruction.

    Ollama knows eleven instructions: FROM, PARAMETER, TEMPLATE, SYSTEM, ADAPTER, LICENSE, MESSAGE, RENDERER, PARSER,
    REQUIRES and DRAFT. Outside of quotes and comments, it rejects a line that begins with anything else. An instruction
    that is newer than the version in `ollama` is reported too.

    A common cause is a text of several lines without quotes: Ollama reads its second line as an instruction. Put such a
    text between `"""`. There is no FORMAT, whatever tutorials say: ask for JSON in the request (`"format": "json"`).

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
    yield from parser_findings(modelfile, "unknown-instruction")
    if context.ollama.version == NEWEST:
        return
    from modelfile.catalog.instructions import INSTRUCTIONS  # 1 ms that only an older `ollama` pays

    for node in modelfile.of_type(Instruction):
        word = type(node).__name__.upper()
        if word not in context.ollama.instructions:
            since = INSTRUCTIONS[word].since
            message = f"unknown instruction `{word}` in Ollama {context.ollama.version}: added in {since}"
            yield Finding(node.keyword.span, message, f"use Ollama {since} or later, or delete the instruction")
