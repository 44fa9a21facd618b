"""Rule MF617."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, no_folder, rule
from modelfile.linter.rules.weights import rejected
from modelfile.syntax.modelfile import Modelfile


@rule("MF617", "quantize-not-possible", on=Modelfile, severity=Severity.ERROR, cannot_decide=no_folder)
def quantize_not_possible(_: Modelfile, context: Context) -> Iterator[Finding]:
    r"""The weights cannot be quantized as `quantize` in mf.toml asks.

    Ollama quantizes only F16 and F32, and since 0.22 BF16, since 0.7 to few types, and from 0.34.1 on not at all. It
    reports that only after the upload. `mf build` and `mf pin` reject it, too, before anything is hashed.

    Where `mf build --with llama-quantize` can quantize the weights and Ollama cannot, it is a warning. If the model is
    always built so, write `# mf: ignore[quantize-not-possible] reason` above FROM.

    ## Bad

    ```
    # Quantized to Q8_0 by mf.toml.
    FROM ./quantized.gguf
    ```

    ## Good

    ```
    # Quantized to Q8_0 by mf.toml.
    FROM ./f16.gguf
    ```
    """
    yield from rejected(context, "quantize-not-possible")
