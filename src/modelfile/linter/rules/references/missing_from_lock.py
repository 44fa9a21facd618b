"""Rule MF202."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, last_from, rule
from modelfile.syntax.modelfile import Modelfile


@rule("MF202", "missing-from-lock", on=Modelfile, severity=Severity.WARNING)
def missing_from_lock(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""The project's lock has no entry for this Modelfile.

    `mf.lock` records the base of each Modelfile, so that a build elsewhere makes the same model and a changed base is
    noticed. This Modelfile was added or moved after the last `mf pin`, so each build uses whatever the base is that
    day. Run `mf pin`, and commit the lock with the Modelfile.

    ## Bad

    ```
    # Answers questions on billing. Added since the last `mf pin`.
    FROM llama3.2:3b
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    ```
    """
    base = last_from(modelfile)
    if base and context.lock_status and not context.lock_status.listed:
        yield Finding(base.value.span, "this Modelfile is missing from mf.lock: its base is not pinned", "run `mf pin`")
