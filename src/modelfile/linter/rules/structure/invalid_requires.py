"""Rule MF116."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.recipe.values import is_version
from modelfile.syntax.nodes import Requires


@rule("MF116", "invalid-requires", on=Requires, severity=Severity.ERROR)
def invalid_requires(requires: Requires, context: Context) -> Iterator[Finding]:
    r"""REQUIRES is not a version.

    Ollama accepts one semantic version, with or without a `v`; its last parts may be left out. It accepts no range and
    no operator: a version always means "this one or later".

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    REQUIRES >= 0.14.0
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    REQUIRES 0.14.0
    ```
    """
    text = requires.value.text
    if requires.value.closed and not is_version(text) and " #" not in text:  # inline-comment
        yield Finding(requires.value.span, f"invalid version: `{text}`", "write it like `REQUIRES 0.14.0`")
