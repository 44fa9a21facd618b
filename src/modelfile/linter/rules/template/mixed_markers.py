"""Rule MF425."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.linter.rules.template import effective_template, template_turns
from modelfile.linter.rules.template.foreign_template import uses_foreign_markers
from modelfile.syntax.modelfile import Modelfile

if TYPE_CHECKING:
    from modelfile.catalog.families import TurnFormat

_SHARED: Final = frozenset({"</s>", "<|endoftext|>", "<|end_of_text|>"})
"""Ends of the text in several families."""
_EMBEDDING: Final = "granite"
"""A family whose templates have markers of others inside turns (granite3-guardian, granite3.2-vision)."""


@rule("MF425", "mixed-markers", on=Modelfile, severity=Severity.WARNING)
def mixed_markers(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r'''The TEMPLATE mixes the turn markers of two model families.

    A turn that begins with `<|im_start|>` and ends with `<|eot_id|>` was in no model's training: its tokenizer has one
    of the two as a token, and the other is ordinary text. So the model does not see where a turn begins or ends, and
    often does not stop.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE """<|im_start|>user
    {{ .Prompt }}<|eot_id|>
    <|im_start|>assistant
    {{ .Response }}<|eot_id|>
    """
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE """<|im_start|>user
    {{ .Prompt }}<|im_end|>
    <|im_start|>assistant
    {{ .Response }}<|im_end|>
    """
    ```
    '''
    found = effective_template(modelfile, context)
    if not found or uses_foreign_markers(modelfile, context):
        return
    template, parsed = found
    turns = template_turns(parsed.text)
    if turns and (strange := strange_marker(parsed.text, turns)):
        marker, other = strange
        own = next(each for each in turns.markers if each in parsed.text)
        start = parsed.text.index(marker)
        message = f"this TEMPLATE mixes turn markers: `{own}` is one of {turns.title}, `{marker}` one of {other.title}"
        hint = f"use those of the base; {turns.title} has `{'`, `'.join(turns.markers)}`"
        yield Finding(modelfile.locate_span(template.value, start, start + len(marker)), message, hint)


@lru_cache(maxsize=8)
def strange_marker(text: str, turns: TurnFormat) -> tuple[str, TurnFormat] | None:
    """Return the first marker that only formats of other families have, and one of these formats."""
    from modelfile.catalog.families import turn_formats

    if turns.name == _EMBEDDING:
        return None
    own = {*turns.markers, *turns.ends, *_SHARED}
    for other in turn_formats().values():
        if not other.plain and other.name != _EMBEDDING and own.isdisjoint({*other.markers} - _SHARED):
            for marker in (*other.markers, *other.ends):
                if marker in text and marker not in own:
                    return marker, other
    return None
