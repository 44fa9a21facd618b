"""Rule MF101."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, refused, rule
from modelfile.syntax.modelfile import Modelfile


@rule("MF101", "missing-from", on=Modelfile, severity=Severity.ERROR)
def missing_from(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""A Modelfile has no FROM.

    Every model is made from another one, or from weights in a file. Ollama refuses a Modelfile without FROM.

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
    return refused(modelfile, "missing-from")
