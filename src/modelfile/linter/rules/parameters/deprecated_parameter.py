"""Rule MF305."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, deletion, rule
from modelfile.syntax.nodes import Parameter


@rule("MF305", "deprecated-parameter", on=Parameter, severity=Severity.WARNING)
def deprecated_parameter(parameter: Parameter, context: Context) -> Iterator[Finding]:
    r"""Ollama no longer has this parameter.

    Its command line prints a warning and drops it, whatever its value: the model is built without it.

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
    if name in context.target.deprecated:
        fix = deletion(parameter, context.modelfile)
        yield Finding(parameter.name.span, f"`{name}` is deprecated: Ollama drops it", "delete the line", fix)
