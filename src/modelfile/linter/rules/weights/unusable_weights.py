"""Rule MF601."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, no_folder, rule
from modelfile.linter.rules.references.wrong_file import wrong_part
from modelfile.syntax.modelfile import Modelfile


@rule("MF601", "unusable-weights", on=Modelfile, severity=Severity.ERROR, cannot_decide=no_folder)
def unusable_weights(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""Ollama makes no model, or a wrong one, from a local file.

    The file is empty, cut, a git-lfs pointer, of another format, one shard of several, an adapter in FROM, or it cannot
    be read. Ollama reports some of this only after gigabytes are uploaded, and some of it never: 0.9.3 makes a model of
    half a file. `mf build` rejects it, too. Only the header of a file is read.

    If the weights are not in git, as in CI, write `# mf: ignore[unusable-weights] reason` above the line. That comment
    is not reported as unused on machines that have the file.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./truncated.gguf
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    ```
    """
    for rejected in context.rejected_files() if context.rejected_files else ():
        if rejected.content or wrong_part(rejected.instruction):
            continue  # another rule on weights, or wrong-file
        yield Finding(rejected.instruction.value.span, rejected.message, rejected.hint)
