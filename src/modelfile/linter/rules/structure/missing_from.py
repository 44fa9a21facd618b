"""Rule MF101."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, parser_findings, rule
from modelfile.syntax.modelfile import Modelfile


@rule("MF101", "missing-from", on=Modelfile, severity=Severity.ERROR)
def missing_from(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""The Modelfile has no FROM.

    Every model is made from another model, or from weights in a file. FROM names it; Ollama rejects a Modelfile without
    one.

    ## Bad

    ```
    # Answers questions on billing.
    SYSTEM You answer questions on billing.
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    SYSTEM You answer questions on billing.
    ```
    """
    return parser_findings(modelfile, "missing-from")
