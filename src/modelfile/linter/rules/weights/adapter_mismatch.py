"""Rule MF614."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, no_folder, rule
from modelfile.linter.rules.weights import rejected
from modelfile.syntax.modelfile import Modelfile


@rule("MF614", "adapter-mismatch", on=Modelfile, severity=Severity.ERROR, cannot_decide=no_folder)
def adapter_mismatch(_: Modelfile, context: Context) -> Iterator[Finding]:
    r"""The ADAPTER does not fit the weights in FROM.

    An adapter is a set of changes to tensors of the model that it was trained on. Ollama makes a model of any adapter
    on any base, and its runner ends with an error when it loads that model: the architecture is another one, or a
    tensor is missing or has another shape (measured on 0.9.3). `mf build` rejects it, too.

    The rule compares the headers of local GGUF files. Where it has only names, foreign-adapter warns.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    ADAPTER ./gemma-lora.gguf
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    ADAPTER ./billing-lora.gguf
    ```
    """
    yield from rejected(context, "adapter-mismatch")
