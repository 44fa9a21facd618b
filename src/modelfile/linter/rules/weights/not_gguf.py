"""Rule MF606."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, no_folder, rule
from modelfile.linter.rules.weights import rejected
from modelfile.syntax.modelfile import Modelfile


@rule("MF606", "not-gguf", on=Modelfile, severity=Severity.ERROR, cannot_decide=no_folder)
def not_gguf(_: Modelfile, context: Context) -> Iterator[Finding]:
    r"""A local file has another format than its name says.

    Ollama's server takes GGUF files, and safetensors in a folder with their settings. It rejects everything else
    after the upload: archives, PyTorch checkpoints (`.bin`, `.pth`), text, and files of GGML, the format before GGUF
    (measured on 0.9.3: "supplied file was not in GGUF format"). The rule reads the first bytes of the file.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./archive.gguf
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    ```
    """
    yield from rejected(context, "not-gguf")
