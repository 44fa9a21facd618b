"""Rule MF609."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, no_folder, rule
from modelfile.linter.rules.weights import rejected
from modelfile.syntax.modelfile import Modelfile


@rule("MF609", "truncated-weights", on=Modelfile, severity=Severity.ERROR, cannot_decide=no_folder)
def truncated_weights(_: Modelfile, context: Context) -> Iterator[Finding]:
    r"""A local file of weights is cut off.

    A download that was interrupted leaves a file that is shorter than its own header says. Ollama 0.9.3 makes a
    model of it without a message, and crashes or answers garbage when it runs; newer releases reject some of them after
    the upload. The rule reads only the header, and compares the end of the last tensor with the size of the file.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./truncated.gguf
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    ```
    """
    yield from rejected(context, "truncated-weights")
