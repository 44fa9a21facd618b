"""Rule MF111."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, looks_like_path, name_or_none, rule
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import From


@rule("MF111", "multiple-from", on=Modelfile, severity=Severity.WARNING)
def multiple_from(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""A FROM is ignored because of another FROM.

    Several files add up: the projector of a vision model is a second FROM. But if several FROM name a model, Ollama
    uses the last, and a name wins over a file: the file is uploaded and then ignored.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:1b
    FROM llama3.2:3b
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    ```
    """
    used: list[tuple[From, bool]] = []
    for node in modelfile.of_type(From):
        if node.value.closed and node.value.text:
            written = node.value.text
            exists = context.exists(written) if context.exists else looks_like_path(written)
            is_name = not exists and not looks_like_path(written) and name_or_none(written) is not None
            if exists or is_name:  # otherwise missing-file or invalid-model-name
                used.append((node, is_name))
    winner = next((node for node, is_name in reversed(used) if is_name), None)
    if winner is None or len(used) == 1:
        return
    line = modelfile.source.line_of(winner.span.start)
    for node, is_name in used:
        if node is winner:
            continue
        why = "the last name wins" if is_name else "a name wins over a file"
        message = f"`FROM {node.value.text}` has no effect: line {line} has `FROM {winner.value.text}`, and {why}"
        yield Finding(node.span, message, f"delete it, or line {line}")
