"""Rule MF310."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.catalog.parameters import Kind
from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, deletion, rule
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Parameter


@rule("MF310", "duplicate-stop", on=Modelfile, severity=Severity.WARNING)
def duplicate_stop(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""The same stop is given twice.

    Several `PARAMETER stop` add up, so the second one changes nothing. If the two were supposed to differ, one of them
    is missing.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER stop <|eot_id|>
    PARAMETER stop "<|eot_id|>"
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER stop <|eot_id|>
    ```
    """
    first: dict[tuple[str, str], Parameter] = {}
    for node in modelfile.of_type(Parameter):
        if not node.value.closed:
            continue
        known = context.ollama.parameters.get(node.name.text)
        if known is None or known.kind is not Kind.STRINGS:
            continue
        earlier = first.setdefault((node.name.text, node.value.text), node)
        if earlier is not node:
            line = modelfile.source.line_of(earlier.span.start)
            message = f"`{node.name.text} {node.value.text}` has no effect here: line {line} has it already"
            yield Finding(node.value.span, message, "delete the line", deletion(node, modelfile))
