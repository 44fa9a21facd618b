"""Rule MF427."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.prompts import render_conversation
from modelfile.linter.rule import Context, rule
from modelfile.linter.rules.template import judged_turns, locate_span, printed_field
from modelfile.source import Span
from modelfile.syntax.modelfile import Modelfile

_STRICT: Final = frozenset(
    {"chatml", "command-r", "gemma", "gemma4", "granite", "harmony", "llama3", "llama4", "phi3", "phi4"}
)
"""Formats in which every turn has an end of its own."""
_SHARED_SYSTEM: Final = frozenset({"gemma", "phi3"})
"""Formats whose system prompt need not have a turn of its own, also in Ollama's library."""
_HEADS: Final = {
    "granite": "<|end_of_role|>",
    "llama3": "<|end_header_id|>",
    "llama4": "<|header_end|>",
    "phi4": "<|im_sep|>",
}
"""The markers that close the head of a turn, by format."""
_SEPARATOR: Final = r"\s*(?:[^\w\s<>]{2,}|<[^<>\s]+>)\s*"
"""A text that ends turns in the place of the format's marker, such as `###`. Compiled on use."""


@rule("MF427", "unclosed-turn", on=Modelfile, severity=Severity.WARNING)
def unclosed_turn(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r'''The TEMPLATE begins turns that it does not end.

    In the formats of most families, each turn has a marker at its begin and one at its end. Without the second, the
    model sees the next turn inside the last one, unlike anything it was trained on. If its own earlier answers lack
    the end, it learns from the prompt not to write it, and does not stop.

    The rule renders small conversations and looks at the text between the messages. A template without `.Response`
    and `.Messages` cannot close the assistant's turn; `template-without-response` reports it. A separator such as
    `###` ends a turn too.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE """<|im_start|>user
    {{ .Prompt }}<|im_end|>
    <|im_start|>assistant
    {{ .Response }}
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
    if not (found := judged_turns(modelfile, context)) or found[2].name not in _STRICT:
        return
    template, parsed, turns = found
    prompt = render_conversation(parsed.text, "UAU", context.ollama.version)
    if prompt is None or not (gaps := prompt.gaps):
        return
    end = next((end for end in turns.ends if end in parsed.text), turns.ends[0])
    before, after_question, after_answer, _ = gaps
    if not any(each in after_question for each in (*turns.ends, *turns.opens)):  # unopened-turn
        return
    if "messages" not in parsed.variables and ".response" not in parsed.text.lower():  # template-without-response
        after_answer = end
    with_system = render_conversation(parsed.text, "SU", context.ollama.version)
    system_gaps = with_system.gaps if with_system else None
    after_system = end
    if system_gaps and turns.name not in _SHARED_SYSTEM and any(each in system_gaps[0] for each in turns.opens):
        after_system = system_gaps[1]
    for whose, gap, field in (
        ("user's turn: after each question", after_question, "Prompt"),
        ("assistant's turn: after each earlier answer", after_answer, "Response"),
        ("system turn: after the system prompt", after_system, "System"),
    ):
        if not any(each in gap for each in turns.ends) and not _is_separated(gap, turns.opens):
            span = printed_field(parsed, field, "Content", last=field == "Response")
            place = locate_span(span, template, modelfile) if span else template.keyword.span
            yield Finding(place, f"TEMPLATE never closes the {whose} `{end}` is missing", f"write `{end}` after it")
            return
    head = _HEADS.get(turns.name)
    for gap in (before, after_question, after_answer) if head else ():
        opened = max(gap.rfind(each) for each in turns.opens)
        if head and opened >= 0 and head not in gap[opened:]:
            opener = next(each for each in turns.opens if gap.startswith(each, opened))
            start = parsed.text.find(gap[opened:].rstrip())
            span = Span(start, start + len(opener)) if start >= 0 else printed_field(parsed, "Prompt", "Content")
            place = locate_span(span, template, modelfile) if span else template.keyword.span
            message = f"TEMPLATE never closes the head of a turn: after `{opener}` and the role, `{head}` is missing"
            yield Finding(place, message, f"write `{head}` after the role")
            return


def _is_separated(gap: str, opens: tuple[str, ...]) -> bool:
    """Return True if something else than the format's own marker ends the turn before a gap."""
    starts = [start for each in opens if (start := gap.find(each)) >= 0]
    return re.fullmatch(_SEPARATOR, gap[: min(starts, default=len(gap))]) is not None
