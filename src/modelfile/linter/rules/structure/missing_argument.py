"""Rule MF103."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, refused, rule
from modelfile.syntax.modelfile import Modelfile


@rule("MF103", "missing-argument", on=Modelfile, severity=Severity.ERROR)
def missing_argument(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""An instruction has no value, or a PARAMETER or MESSAGE no name or role.

    Ollama wants a blank after every instruction word, and after the name of a parameter and the role of a message. At
    the end of a line it reads on and gives up, sometimes a line after the fault.

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
    return refused(modelfile, "missing-argument")
