"""Rule MF613."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.catalog.versions import NEWEST
from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, last_from, model_header, no_folder, rule
from modelfile.linter.rules.weights import rejected
from modelfile.syntax.modelfile import Modelfile


@rule("MF613", "unsupported-quantization", on=Modelfile, severity=Severity.ERROR, cannot_decide=no_folder)
def unsupported_quantization(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""This version of Ollama cannot load the type of the weights.

    Quantizations are younger than the format: MXFP4 needs Ollama 0.11.5, NVFP4 and Q1_0 need 0.30, and Q4_0_4_4 and its
    like ended with 0.5.3. Ollama makes a model of such a file, and fails when it loads it (measured on 0.9.3). It is a
    warning for a type that no release is known to have.

    The rule reads the types of all tensors in the header of local GGUF files; the name of a file decides nothing.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./repacked.gguf
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    ```
    """
    yield from rejected(context, "unsupported-quantization")
    base, header = last_from(modelfile), model_header(modelfile, context)
    if base is None or header is None:
        return
    from modelfile.catalog.architectures import LISTS_END, TENSOR_TYPES_REMOVED, TENSOR_TYPES_SINCE
    from modelfile.weights.types import TENSOR_TYPES  # most Modelfiles name no file

    unknown = {*header.types}.difference(TENSOR_TYPES, TENSOR_TYPES_SINCE, TENSOR_TYPES_REMOVED)
    if unknown and context.ollama.version >= LISTS_END:
        message = f"no release of Ollama up to {NEWEST} is known to load tensors of type {min(unknown)}"
        hint = "build with a newer Ollama, or use weights of another type, such as Q4_K_M"
        yield Finding(base.value.span, message, hint, severity=Severity.WARNING)
