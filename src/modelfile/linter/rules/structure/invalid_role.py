"""Rule MF108."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, parser_findings, rule
from modelfile.syntax.modelfile import Modelfile


@rule("MF108", "invalid-role", on=Modelfile, severity=Severity.ERROR)
def invalid_role(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""The role of a MESSAGE is not `system`, `user` or `assistant`.

    Ollama accepts only these three, in lower case, after exactly one space.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    MESSAGE User When is my bill due?
    MESSAGE assistant On the first of the month.
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    MESSAGE user When is my bill due?
    MESSAGE assistant On the first of the month.
    ```
    """
    return parser_findings(modelfile, "invalid-role")
