"""Rule MF414."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, base_family, rule
from modelfile.linter.rules.template import effective_template, template_turns
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Adapter, Template

if TYPE_CHECKING:
    from modelfile.catalog.families import Family, TurnFormat


_ALIKE: Final = (frozenset({"mistral", "mistral-v7", "llama2"}), frozenset({"zephyr", "role-tags", "glm4"}))
"""Formats that differ only in details."""
_DISTINCT: Final = frozenset({"alpaca", "orca", "solar", "vicuna"})
"""Formats of ordinary words that belong to one family; others, such as `User:`, occur in any text."""
_REQUIRED: Final = {"phi4": "<|im_sep|>"}
"""Markers of a format without which it is another."""


def uses_foreign_markers(modelfile: Modelfile, context: Context) -> tuple[Family, TurnFormat] | None:
    """Return the family of the base and the format of the TEMPLATE, if they do not fit; None otherwise.

    An adapter may have been trained on other markers than its base.
    """
    if not (found := effective_template(modelfile, context)) or modelfile.last(Adapter):
        return None
    family = base_family(modelfile, context)  # 2 ms that a Modelfile without TEMPLATE does not pay
    if family is None or (own := family.turns) is None:
        return None
    text = found[0].value.text
    turns = template_turns(text)
    if turns is None or turns.name in (own.name, *family.other_formats):
        return None
    if turns.plain and (own.plain or turns.name not in _DISTINCT):
        return None
    if any({turns.name, own.name} <= alike for alike in _ALIKE):
        return None
    known = {*own.markers, *own.ends, *(family.stops or ())}
    is_foreign = any(marker in text and marker not in known for marker in (*turns.markers, *turns.ends))
    return (family, turns) if is_foreign or _REQUIRED.get(own.name, "") not in text else None


@rule("MF414", "foreign-template", on=Modelfile, severity=Severity.WARNING)
def foreign_template(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r'''The TEMPLATE marks turns as another model family does.

    Each model was trained on conversations whose turns are marked in one way, and its tokenizer has tokens for these
    markers only. Markers of another family are ordinary text to it: the model does not see where the system prompt
    ends and the question begins, answers worse, and does not stop after its answer. A model of Ollama's library brings
    the right TEMPLATE, and so do most GGUF files.

    The rule knows the models of Ollama's library, and files and repositories that bear a maker's own name for
    weights trained on conversations, such as `Qwen2.5-7B-Instruct-Q4_K_M.gguf`. It skips all others, as fine-tunes
    often use other markers than their base, and files with an ADAPTER.

    ## Bad

    ```
    # Answers questions on billing.
    FROM gpt-oss:20b
    TEMPLATE """<|im_start|>user
    {{ .Prompt }}<|im_end|>
    <|im_start|>assistant
    {{ .Response }}<|im_end|>
    """
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM gpt-oss:20b
    ```
    '''
    if not (found := uses_foreign_markers(modelfile, context)) or not (template := modelfile.last(Template)):
        return
    (family, turns), keyword = found, template.keyword
    own = family.turns.title if family.turns else ""
    message = f"this TEMPLATE uses {turns.title} markers, but `{family.name}` was trained on {own} markers"
    lacks = [
        f"`{field}`"
        for capability, field in (("tools", ".Tools"), ("thinking", ".Thinking"), ("insert", ".Suffix"))
        if family.library and capability in family.capabilities and field not in template.value.text
    ]
    if lacks:
        message += f"; it has no {' and no '.join(lacks)} either"
        message += ", so requests with tools fail" * (lacks[0] == "`.Tools`")
    hint = "delete TEMPLATE: the base brings its own"
    if not family.library:
        markers = "`, `".join(family.turns.markers if family.turns else ())
        hint = f"write it with `{markers}`, or delete it: most GGUF files bring a template"
    yield Finding(keyword.span, message, hint)
