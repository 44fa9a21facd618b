"""Rule MF902."""

from __future__ import annotations

from collections.abc import Container, Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.linter.suppressions import Suppression, selectors
from modelfile.syntax.modelfile import Modelfile


@rule("MF902", "unused-suppression", on=Modelfile, severity=Severity.WARNING)
def unused_suppression(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""A comment suppresses a rule that finds nothing there, or does not exist.

    The finding has been fixed, or the name of the rule is misspelled. If the comment stays, it suppresses the next
    finding of that rule.

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
    known = frozenset(selector for code, name in context.rule_names for selector in selectors(code, name))
    for suppression in context.unused_suppressions:
        message, hint = _explain(suppression, known, context)
        yield Finding(suppression.span, message, hint)


def _explain(suppression: Suppression, known: Container[str], context: Context) -> tuple[str, str]:
    name = suppression.name
    if not name:
        return "invalid suppression: this comment has no effect", "write `# mf: ignore[rule] reason`"
    if suppression.selector in known:
        return f"`{name}` has no effect: there is nothing to suppress", "delete it from the comment"
    close = context.speller.closest(name.lower(), [known for _, known in context.rule_names])
    return f"unknown rule `{name}`", f"did you mean `{close}`?" if close else "run `mf explain` to list all rules"
