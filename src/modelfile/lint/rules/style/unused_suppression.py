"""Rule MF902."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.lint.rule import Context, rule
from modelfile.syntax.modelfile import Modelfile


@rule("MF902", "unused-suppression", on=Modelfile, severity=Severity.WARNING)
def unused_suppression(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""A comment silences a rule that finds nothing there, or that there is not.

    What it silenced has been mended, or its name is misspelt. Left there, it would silence the next fault of its kind.

    ## Bad

    ```
    # Answers questions on billing.
    # mf: ignore[unpinned-base] we always want the newest
    FROM llama3.2:3b
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    ```
    """
    for suppression in context.idle:
        hint = "delete it from the comment, or look at how the rule is spelled"
        yield Finding(suppression.span, f"`{suppression.name}` finds nothing to silence here", hint)
