"""Rule MF901."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile

from modelfile.diagnostics import Edit, Finding, Fix, Safety, Severity
from modelfile.linter.rule import Context, rule
from modelfile.source import Span
from modelfile.syntax.modelfile import Modelfile


@rule("MF901", "unformatted", on=Modelfile, severity=Severity.INFO, default=False)
def unformatted(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""The file is not written as `mf fmt` writes it.

    With one style everywhere, a diff shows what has changed and nothing else. `mf fmt --check` checks the same for a
    whole folder. This rule is for those who run one linter in CI or in the editor, and is in force only if you choose
    it, as with `extend-select = ["unformatted"]`. It is reported once, at the first line that would change.

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
    if context.formatted is None or modelfile.diagnostics:
        return
    text, new = modelfile.text, context.formatted(modelfile)
    if new == text:
        return
    lines = zip(text.splitlines(keepends=True), new.splitlines(keepends=True), strict=False)
    start = sum(len(old) for old, _ in takewhile(lambda pair: pair[0] == pair[1], lines))
    end = start + len(text[start:].partition("\n")[0].rstrip("\r"))
    fix = Fix(edits=(Edit(Span(0, len(text)), new),), safety=Safety.SAFE)
    hint = "run `mf fmt`, or `mf fmt --diff` to see what it would change"
    yield Finding(Span(start, end), "`mf fmt` writes this differently", hint, fix)
