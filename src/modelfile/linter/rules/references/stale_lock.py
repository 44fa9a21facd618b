"""Rule MF203."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, last_from, rule
from modelfile.syntax.modelfile import Modelfile


@rule("MF203", "stale-lock", on=Modelfile, severity=Severity.WARNING)
def stale_lock(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""The Modelfile has changed since it was pinned.

    `mf.lock` records the fingerprint that a build must have, and the text of the Modelfile it is for. The text is
    different now, so there is nothing to compare a build with: `mf build` checks only the base and warns, `mf build
    --locked` and `mf pin --check` fail. A change of line endings does not count.

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
    if base and context.lock_status and not context.lock_status.current:
        message = "mf.lock is out of date: this Modelfile has changed since `mf pin`"
        yield Finding(base.value.span, message, "run `mf pin`, review the change of mf.lock, and commit it")
