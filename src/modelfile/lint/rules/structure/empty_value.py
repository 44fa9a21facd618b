"""Rule MF115."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.lint.rule import Context, rule
from modelfile.syntax.nodes import From


@rule("MF115", "empty-value", on=From, severity=Severity.WARNING)
def empty_value(base: From, context: Context) -> Iterator[Finding]:
    r"""FROM names nothing.

    Ollama's parser takes it; its command line then looks for weights in the Modelfile's own folder, and most often ends
    with "no Modelfile or safetensors files found".

    ## Bad

    ```
    # Answers questions on billing.
    FROM ""
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    ```
    """
    if not base.value.text and base.value.closed:
        hint = "name a model, as in `FROM llama3.2:3b`, or a file; if the folder is meant, write `FROM .`"
        yield Finding(base.value.span, "FROM names nothing: Ollama looks for weights in the Modelfile's folder", hint)
