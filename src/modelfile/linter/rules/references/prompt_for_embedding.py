"""Rule MF219."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, facts_of_base, rule
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Message, Parameter, System, Template

_ON_ANSWERS: Final = frozenset(
    {
        *("temperature", "top_k", "top_p", "min_p", "typical_p", "seed", "stop", "num_predict", "repeat_penalty"),
        *("repeat_last_n", "presence_penalty", "frequency_penalty", "num_keep"),
    }
)
"""Parameters of the answer, which an embedding has none of."""
_DEFAULT_TEMPLATE: Final = "{{ .Prompt }}"
"""The TEMPLATE that `ollama show` prints for a model without one."""


@rule("MF219", "prompt-for-embedding", on=Modelfile, severity=Severity.WARNING)
def prompt_for_embedding(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""The base only makes embeddings, and never sees a prompt.

    A model such as `nomic-embed-text` turns a text into numbers; Ollama does not chat with it. SYSTEM, TEMPLATE and
    MESSAGE have no effect on embeddings, nor have parameters of the answer, such as `temperature`. Build from a
    model that answers, or delete them. Of a local GGUF file, the header decides: a model of which it has a
    `pooling_type` rejects chats ("does not support chat", 0.9.3).

    ## Bad

    ```
    # Finds documents on billing.
    FROM nomic-embed-text:v1.5
    SYSTEM You answer questions on billing.
    ```

    ## Good

    ```
    # Finds documents on billing.
    FROM nomic-embed-text:v1.5
    ```
    """
    texts = modelfile.of_type((System, Template, Message))
    name = _embedding_model(modelfile, context) if texts or modelfile.of_type(Parameter) else ""
    if not name:
        return
    nodes = [node for node in texts if node.value.text not in ("", _DEFAULT_TEMPLATE)]
    parameters = [node for node in modelfile.of_type(Parameter) if node.name.text in _ON_ANSWERS]
    why = f"{name} only makes embeddings"
    hint = "build from a model that answers, such as `llama3.2:3b`, or delete"
    if nodes:
        first = min(nodes, key=lambda node: node.span.start)
        word = type(first).__name__.upper()
        yield Finding(first.keyword.span, f"{word} has no effect: {why}", f"{hint} it")
    if parameters:
        names = list(dict.fromkeys(f"`{node.name.text}`" for node in parameters))
        have, them = ("have", "them") if len(names) > 1 else ("has", "it")
        message = f"{', '.join(names)} {have} no effect: {why}"
        yield Finding(parameters[0].name.span, message, f"{hint} {them}")


def _embedding_model(modelfile: Modelfile, context: Context) -> str:
    """Return words for the base if it only makes embeddings, by its header or its name; otherwise an empty text."""
    header, family = facts_of_base(modelfile, context)
    if header:
        pooled = f"{header.architecture}.pooling_type" in header.metadata
        return f"the model of this file (`{header.architecture}`)" if pooled else ""
    return f"`{family.name}`" if family and family.capabilities == frozenset({"embedding"}) else ""
