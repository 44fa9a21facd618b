"""Rule MF602."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.linter.rules.weights import misplaced_files
from modelfile.syntax.modelfile import Modelfile


@rule("MF602", "projector-as-adapter", on=Modelfile, severity=Severity.WARNING)
def projector_as_adapter(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""ADAPTER names a projector.

    A projector, often called `mmproj`, lets a model read images or sound. Ollama sorts GGUF files by their header: it
    adds the projector to the weights, whatever instruction names it (measured on 0.9.3). Write FROM, beside the FROM of
    the model's file, so that readers see it. If the file is missing, the rule goes by its name.

    ## Bad

    ```
    # Describes the photos of a catalog.
    FROM ./weights.gguf
    ADAPTER ./mmproj-f16.gguf
    ```

    ## Good

    ```
    # Describes the photos of a catalog.
    FROM ./weights.gguf
    FROM ./mmproj-f16.gguf
    ```
    """
    yield from misplaced_files(modelfile, context, "projector")
