"""Rule MF901."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Edit, Finding, Fix, Safety, Severity
from modelfile.linter.rule import Context, rule
from modelfile.source import Span
from modelfile.syntax.modelfile import Modelfile


@rule("MF901", "unformatted", on=Modelfile, severity=Severity.INFO, default=False)
def unformatted(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""The file is not written as `mf fmt` writes it.

    With one style everywhere, a diff shows only what has changed. `mf fmt --check` checks the same for a whole folder.
    This rule is for people who run one linter in CI or in the editor, and is off unless you select it, as with
    `extend-select = ["unformatted"]`. It is reported once, at the first line that would change.

    ## Bad

    ```
    # Answers questions on billing.
    from llama3.2:3b
    PARAMETER top_p   0.9
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER top_p 0.9
    ```
    """
    if context.formatter is None or modelfile.diagnostics:
        return
    text, new = modelfile.text, context.formatter(modelfile)
    if new == text:
        return
    from modelfile.formatter import find_change  # only for this rule, which is off by default

    fix = Fix(edits=(Edit(Span(0, len(text)), new),), safety=Safety.SAFE)
    hint = "run `mf fmt`, or `mf fmt --diff` to see the changes"
    yield Finding(find_change(text, new), "not formatted: `mf fmt` would change this line", hint, fix)
