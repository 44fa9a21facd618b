"""Rule MF604."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.linter.rules.weights import misplaced_files
from modelfile.syntax.modelfile import Modelfile


@rule("MF604", "adapter-as-from", on=Modelfile, severity=Severity.WARNING)
def adapter_as_from(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""FROM names an adapter.

    An adapter is applied to a model, which another FROM must name. Ollama sorts GGUF files by their header: beside the
    file of a model, it applies the adapter (measured on 0.9.3); beside the name of a model, it ignores the file. Write
    ADAPTER. If the file is missing, the rule goes by its name.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    FROM ./billing-lora.gguf
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    ADAPTER ./billing-lora.gguf
    ```
    """
    yield from misplaced_files(modelfile, context, "adapter")
