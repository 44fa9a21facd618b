"""Rule MF611."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, no_folder, rule
from modelfile.linter.rules.weights import rejected
from modelfile.syntax.modelfile import Modelfile


@rule("MF611", "split-weights", on=Modelfile, severity=Severity.ERROR, cannot_decide=no_folder)
def split_weights(_: Modelfile, context: Context) -> Iterator[Finding]:
    r"""A model in several files is not complete.

    Large weights are split into shards, such as `model-00001-of-00003.gguf`. Ollama 0.30 and later merge them if all
    are named; older releases take each shard for a model of its own. The header of a shard in GGUF has its number and
    the number of all: they must be there, under names that agree with it, and of one model. Of safetensors, the names
    of the files and their index decide: Ollama makes a model of those that are there, without a message (measured on
    0.9.3).

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./large-00001-of-00002.gguf
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./large-00001-of-00002.gguf
    FROM ./large-00002-of-00002.gguf
    ```
    """
    yield from rejected(context, "split-weights")
