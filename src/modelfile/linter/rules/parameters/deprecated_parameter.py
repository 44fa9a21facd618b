"""Rule MF305."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, deletion, rule
from modelfile.syntax.nodes import Parameter


@rule("MF305", "deprecated-parameter", on=Parameter, severity=Severity.WARNING)
def deprecated_parameter(parameter: Parameter, context: Context) -> Iterator[Finding]:
    r"""Ollama no longer has this parameter, and ignores it.

    `ollama create` prints a warning and ignores the line, whatever its value: the model is built without the parameter.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER mirostat 2
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    ```
    """
    name = parameter.name.text
    if name in context.ollama.deprecated:
        fix = deletion(parameter, context.modelfile)
        message = f"`{name}` has no effect: Ollama no longer has this parameter"
        yield Finding(parameter.name.span, message, "delete the line", fix)
