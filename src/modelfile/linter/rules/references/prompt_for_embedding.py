"""Rule MF219."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, base_family, rule
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Message, System, Template


@rule("MF219", "prompt-for-embedding", on=Modelfile, severity=Severity.WARNING)
def prompt_for_embedding(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""The base only makes embeddings, and never sees a prompt.

    A model such as `nomic-embed-text` turns a text into numbers; Ollama does not chat with it. SYSTEM, TEMPLATE and
    MESSAGE have no effect on embeddings. Build from a model that answers, or delete them.

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
    nodes = [node for kind in (System, Template, Message) for node in modelfile.of_type(kind) if node.value.text]
    family = base_family(modelfile, context) if nodes else None
    if family is None or family.capabilities != frozenset({"embedding"}):
        return
    first = min(nodes, key=lambda node: node.span.start)
    word = type(first).__name__.upper()
    message = f"{word} has no effect: `{family.name}` only makes embeddings"
    yield Finding(first.keyword.span, message, "build from a model that answers, such as `llama3.2:3b`, or delete it")
