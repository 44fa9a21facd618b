"""Rule MF605."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, base_family, last_from, rule
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Adapter

# Compiled on use: few Modelfiles have an ADAPTER.
_MAKERS: Final = {
    "Llama": r"(?:meta-?|code-?|tiny-?)?llama|vicuna|alpaca",
    "Mistral": r"(?:mi[sx]tral|zephyr|ministral|codestral|nemo)",
    "Qwen": r"(?:code)?qwen|qwq",
    "Gemma": r"(?:code|med|shield)?gemma",
    "Phi": r"phi(?=[-_.]?\d)",
    "Granite": r"granite",
    "Falcon": r"falcon",
}
"""The architectures that names of adapters and bases tell."""


@rule("MF605", "foreign-adapter", on=Modelfile, severity=Severity.WARNING)
def foreign_adapter(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""By its name, the ADAPTER was trained on another model than the base.

    An adapter is a set of changes to the weights that it was trained on. On weights of another architecture, Ollama
    fails when it loads the model, or the answers are garbage. The rule compares the names of makers in the path of the
    adapter and in FROM, and is silent if either has none or several.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.1:8b
    ADAPTER ./mistral-7b-billing-lora.gguf
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM mistral:7b
    ADAPTER ./mistral-7b-billing-lora.gguf
    ```
    """
    adapter, base = modelfile.last(Adapter), last_from(modelfile)
    if adapter is None or base is None or not adapter.value.closed:
        return
    name = re.split(r"[/\\]", adapter.value.text.rstrip("/\\"))[-1]
    if not re.search(r"lora|adapter|peft|finetune", name, re.IGNORECASE):  # otherwise model-as-adapter
        return
    family = base_family(modelfile, context)
    of_adapter = _makers(name)
    of_base = _makers(f"{base.value.text} {family.name if family else ''}")
    if len(of_adapter) == len(of_base) == 1 and of_adapter != of_base:
        trained, other = of_adapter.pop(), of_base.pop()
        message = f"by its name, `{adapter.value.text}` was trained on {trained}, but the base is {other}"
        yield Finding(adapter.value.span, message, "write the base that it was trained on in FROM")


def _makers(name: str) -> set[str]:
    return {
        maker
        for maker, pattern in _MAKERS.items()
        if re.search(rf"(?<![a-z])(?:{pattern})(?![a-z])", name, re.IGNORECASE)
    }
