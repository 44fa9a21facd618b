"""Rule MF112."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Adapter


@rule("MF112", "duplicate-adapter", on=Modelfile, severity=Severity.WARNING)
def duplicate_adapter(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""Only the last ADAPTER is used.

    Ollama applies a single adapter to the weights. To combine two, merge them into one file first.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    ADAPTER ./billing-lora.gguf
    ADAPTER ./billing-lora.gguf
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    ADAPTER ./billing-lora.gguf
    ```
    """
    adapters = [node for node in modelfile.of_type(Adapter) if node.value.closed]
    for node in adapters[:-1]:
        line = modelfile.source.line_of(adapters[-1].span.start)
        message = f"`ADAPTER {node.value.text}` has no effect: line {line} has another, and the last one wins"
        yield Finding(node.span, message, f"delete it, or line {line}")
