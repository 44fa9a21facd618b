"""Rule MF103."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, parser_findings, rule
from modelfile.syntax.modelfile import Modelfile


@rule("MF103", "missing-argument", on=Modelfile, severity=Severity.ERROR)
def missing_argument(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""An instruction lacks its value, name or role.

    Every instruction needs a space and a value after it, a PARAMETER also a name before the value, and a MESSAGE a
    role. If one of them is missing, Ollama reads on and fails, sometimes with the number of a later line.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER temperature
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER temperature 0.2
    ```
    """
    return parser_findings(modelfile, "missing-argument")
