"""Rule MF205."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.errors import UsageError
from modelfile.lint.rule import Context, looks_like_path, rule
from modelfile.names import ModelName
from modelfile.syntax.nodes import From


@rule("MF205", "invalid-model-name", on=From, severity=Severity.ERROR)
def invalid_model_name(base: From, context: Context) -> Iterator[Finding]:
    r"""FROM names neither a path that exists nor a model as Ollama names them.

    A name is `[host/][namespace/]model[:tag]`, each part up to 80 letters, digits, `_`, `.` and `-`. Ollama refuses
    others when it comes to build, as "invalid model name".

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama 3.2
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    ```
    """
    written = base.value.text
    if not written or not base.value.closed or looks_like_path(written) or (context.exists and context.exists(written)):
        return
    try:
        ModelName.parse(written)
    except UsageError as error:
        if " #" not in written and "@sha256:" not in written:  # inline-comment, digest-in-from
            yield Finding(base.value.span, error.message, error.hint)
