"""Rule MF601."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, no_folder, rule
from modelfile.linter.rules.weights import rejected
from modelfile.syntax.modelfile import Modelfile


@rule("MF601", "unusable-weights", on=Modelfile, severity=Severity.ERROR, cannot_decide=no_folder)
def unusable_weights(_: Modelfile, context: Context) -> Iterator[Finding]:
    r"""Ollama makes no model, or a wrong one, from a local file.

    FROM names two models, only an adapter or a projector, or both GGUF and safetensors; safetensors lack the settings
    that Ollama needs to convert them, or have a corrupt header; or a file cannot be read. Ollama reports some of this
    only after gigabytes are uploaded, and some of it never. `mf build` rejects it, too. Only the header of a file is
    read. What is wrong with a single file has rules of its own, such as truncated-weights.

    If the weights are not in git, as in CI, write `# mf: ignore[unusable-weights] reason` above the line. That comment
    is not reported as unused on machines that have the file.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    FROM ./other.gguf
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    ```
    """
    yield from rejected(context)
