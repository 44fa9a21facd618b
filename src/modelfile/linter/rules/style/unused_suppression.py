"""Rule MF902."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.linter.suppressions import Suppression
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
    for suppression in context.unused:
        message, hint = _fault(suppression, context)
        yield Finding(suppression.span, message, hint)


def _fault(suppression: Suppression, context: Context) -> tuple[str, str]:
    name = suppression.name
    if not name:
        return "this comment silences nothing", "name what it is to silence: `# mf: ignore[rule] why`"
    if any(suppression.means(code, known) for code, known in context.known):
        return f"`{name}` finds nothing to silence here", "delete it from the comment"
    from difflib import get_close_matches  # 5 ms, and only for who has misspelt something

    close = get_close_matches(name.lower(), [known for _, known in context.known], n=1)
    return f"there is no rule `{name}`", f"did you mean `{close[0]}`?" if close else "`mf explain` lists all rules"
