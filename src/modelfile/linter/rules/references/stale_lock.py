"""Rule MF203."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, last_from, rule
from modelfile.syntax.modelfile import Modelfile


@rule("MF203", "stale-lock", on=Modelfile, severity=Severity.WARNING)
def stale_lock(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""The Modelfile has changed since the lock was written.

    `mf.lock` has the fingerprint of what a build gives, and the text that it is for. That text is no longer this one,
    so there is nothing to compare a build with: `mf build` then checks the base only, and `mf pin --check` fails. A
    change of line ends does not count.

    ## Bad

    ```
    # Answers questions on billing. Changed since the last `mf pin`.
    FROM llama3.2:3b
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    ```
    """
    base = last_from(modelfile)
    if base and context.locked and not context.locked.current:
        message = "mf.lock is for an earlier text of this Modelfile"
        yield Finding(base.value.span, message, "run `mf pin`, look at what it changes, and commit it")
