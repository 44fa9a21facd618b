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
    names: list[From] = []
    files: list[From] = []
    for node in modelfile.nodes:
        if isinstance(node, From) and node.value.closed and node.value.text:
            written = node.value.text
            exists = context.exists(written) if context.exists else looks_like_path(written)
            if exists:
                files.append(node)
            elif not looks_like_path(written) and name_or_none(written):  # otherwise missing-file or invalid-model-name
                names.append(node)
    if not names:
        return
    winner = names.pop()
    line = modelfile.source.line_of(winner.span.start)
    for node in sorted((*names, *files), key=lambda node: node.span.start):
        why = "the last name wins" if node in names else "a name wins over a file"
        message = f"`FROM {node.value.text}` has no effect: line {line} has `FROM {winner.value.text}`, and {why}"
        yield Finding(node.span, message, "delete the one that you do not want")
