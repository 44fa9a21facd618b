"""Rule MF607."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, no_folder, rule
from modelfile.linter.rules.weights import rejected
from modelfile.syntax.modelfile import Modelfile


@rule("MF607", "git-lfs-pointer", on=Modelfile, severity=Severity.ERROR, cannot_decide=no_folder)
def git_lfs_pointer(_: Modelfile, context: Context) -> Iterator[Finding]:
    r"""A local file is a pointer of git-lfs, not the weights.

    A clone without git-lfs leaves a text of three lines in the place of each large file: its digest and its size. Run
    `git lfs install` once, and `git lfs pull` in the repository. In CI, let the checkout fetch them, as in `lfs: true`
    of actions/checkout.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./pointer.gguf
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    ```
    """
    yield from rejected(context, "git-lfs-pointer")
