"""Rule MF610."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, no_folder, rule
from modelfile.linter.rules.weights import rejected
from modelfile.syntax.modelfile import Modelfile


@rule("MF610", "corrupt-gguf", on=Modelfile, severity=Severity.ERROR, cannot_decide=no_folder)
def corrupt_gguf(_: Modelfile, context: Context) -> Iterator[Finding]:
    r"""The header of a GGUF file is damaged.

    A number in it is larger than the file allows, or a value has a type that GGUF does not have: the file was damaged,
    or was made to harm its readers. Ollama rejects it, or reads beyond its end. The message names the bound that is
    broken: counts of keys and tensors, lengths of strings and arrays, dimensions, types, nesting, and the alignment.

    Found, too, is what llama.cpp rejects when it loads the model: a key or the name of a tensor that is there twice, a
    name of more than 63 bytes, more than 4 dimensions, rows that do not fill the blocks of their type, data that do not
    begin where those before them end, an alignment that is no power of 2, and version 1 of GGUF, or one after 3. A chat
    template that is no text is not found by Ollama.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./corrupt.gguf
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    ```
    """
    yield from rejected(context, "corrupt-gguf")
