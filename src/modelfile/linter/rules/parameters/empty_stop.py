"""Rule MF318."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Fix, Severity
from modelfile.linter.rule import Context, deletion, rule
from modelfile.syntax.nodes import Parameter


@rule("MF318", "empty-stop", on=Parameter, severity=Severity.WARNING)
def empty_stop(parameter: Parameter, context: Context) -> Iterator[Finding]:
    r"""A stop is empty, so every answer is empty.

    An empty text occurs everywhere: the answer ends before its first character, even if there are other stops
    (measured: Ollama 0.9.3). It does not clear the stops of the base either; no Modelfile can.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER stop ""
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    ```
    """
    if parameter.name.text == "stop" and parameter.value.closed and not parameter.value.text:
        fix = Fix(edits=deletion(parameter, context.modelfile).edits)
        yield Finding(
            parameter.span, "empty stop: every answer ends before its first character", "delete the line", fix
        )
