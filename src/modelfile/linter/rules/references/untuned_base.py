"""Rule MF233."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, base_family, last_from, name_or_none, rule
from modelfile.linter.rules.template import template_turns
from modelfile.names import DEFAULT_HOST, DEFAULT_NAMESPACE
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Adapter, Message, System, Template

if TYPE_CHECKING:
    from modelfile.catalog.families import Family

_UNTUNED: Final = frozenset({"base", "pt", "text"})
_TUNED: Final = frozenset({"instruct", "chat", "it", "sft", "dpo", "tuned", "finetuned", "finetune", "ft", "lora"})
_MAKERS: Final = (
    r"(?<![a-z])(?:code)?(?:llama|mi[sx]tral|qwen|gemma|phi|granite|smollm|falcon|yi|deepseek|olmo|starcoder|gpt)"
)
_UNNAMED: Final = r"(?:(?:meta-llama-3(?:\.1)?|llama-2|llama-3\.[12]|gemma-2)-\d+b|mistral-7b-v0\.[13])"
"""Names of untrained weights, whose makers call the trained ones `-Instruct`, `-chat` or `-it`."""
_SIZE: Final = r"[ae]?\d+[bm]"
_QUANTIZED: Final = r"(?:[-._](?:i?q\d\w*|[bf]?f16|fp16|f32|i1|imat|gguf))*(?:\.gguf)?"


@rule("MF233", "untuned-base", on=Modelfile, severity=Severity.WARNING)
def untuned_base(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""The base was never trained on conversations, but the file describes an assistant.

    Most makers publish their weights twice: as they are after reading much text (`-text`, `-base`, `-pt`, and the
    `-code` models that fill gaps), and trained on conversations (`-instruct`, `-chat`, `-it`). The first kind continues
    a text: it does not follow SYSTEM, answers a question with more questions, and does not stop. The template of such a
    model in Ollama's library does not even send SYSTEM.

    The rule reports such a base if the file has SYSTEM or MESSAGE. It skips files with an ADAPTER, which may bring the
    training, and those whose TEMPLATE writes an own plain format, such as `Q:` and `A:`.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.1:8b-text-q4_K_M
    SYSTEM You answer questions on billing.
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.1:8b-instruct-q4_K_M
    SYSTEM You answer questions on billing.
    ```
    """
    texts = [node for kind in (System, Message) for node in modelfile.of_type(kind)]
    first = next((node for node in texts if node.value.closed and node.value.text), None)
    base = last_from(modelfile)
    if first is None or base is None or not base.value.closed or modelfile.last(Adapter):
        return
    template = modelfile.last(Template)
    if template and ((turns := template_turns(template.value.text)) is None or turns.plain):
        return
    if not _is_untuned(base.value.text, base_family(modelfile, context)):
        return
    line = modelfile.source.line_of(first.span.start)
    word = type(first).__name__.upper()
    message = f"`{base.value.text}` was not trained on conversations: it does not follow {word} in line {line}"
    yield Finding(base.value.span, message, "build from the model's `instruct` or `chat` weights")


def _is_untuned(base: str, family: Family | None) -> bool:
    name = name_or_none(base)
    if name and (name.host, name.namespace) == (DEFAULT_HOST, DEFAULT_NAMESPACE) and not base.endswith(".gguf"):
        parts = frozenset(name.tag.lower().split("-"))
        if family is None or not family.library:
            return bool(parts & _UNTUNED)
        return family.turns is None and "embedding" not in family.capabilities and not parts & _TUNED
    stem = re.split(r"[/\\]", base)[-1].lower()
    if name and not base.endswith(".gguf"):
        stem = name.model.lower()
    parts = frozenset(re.split(r"[-_.]", stem))
    if parts & _TUNED or "embed" in stem:
        return False
    if re.search(_MAKERS, stem) and parts & {"base", "pt"} and any(re.fullmatch(_SIZE, part) for part in parts):
        return True
    return re.fullmatch(_UNNAMED + _QUANTIZED, stem) is not None
