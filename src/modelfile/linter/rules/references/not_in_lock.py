"""Rule MF202."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, last_from, rule
from modelfile.syntax.modelfile import Modelfile


@rule("MF202", "not-in-lock", on=Modelfile, severity=Severity.WARNING)
def not_in_lock(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""The project has a lock, and this Modelfile is not in it.

    `mf.lock` records what each base is, so that a build elsewhere gives the same model, and a base that has moved is
    noticed. It has nothing on a Modelfile that was added or moved since then, so each build takes whatever the base is
    that day. Run `mf pin`, and commit the lock with the Modelfile.

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
    if base and context.locked and not context.locked.listed:
        yield Finding(
            base.value.span, "this Modelfile is not in mf.lock: nothing says what its base is", "run `mf pin`"
        )
