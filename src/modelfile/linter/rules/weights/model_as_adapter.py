"""Rule MF603."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.linter.rules.weights import misplaced_files
from modelfile.syntax.modelfile import Modelfile


@rule("MF603", "model-as-adapter", on=Modelfile, severity=Severity.ERROR)
def model_as_adapter(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""ADAPTER names a whole model.

    An adapter is a small file that changes a model. Ollama sorts GGUF files by their header, so a whole model in
    ADAPTER takes the place of the base, without a message (measured on 0.9.3). `mf build` rejects it before the
    upload. If the file is missing, the rule goes by a name like `mistral-7b.Q4_K_M.gguf`.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    ADAPTER ./mistral-7b-instruct.Q4_K_M.gguf
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    ADAPTER ./billing-lora.gguf
    ```
    """
    yield from misplaced_files(modelfile, context, "model")
