"""Rule MF428."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.prompts import render_conversation
from modelfile.linter.rule import Context, rule
from modelfile.linter.rules.template import judged_turns, locate_span, printed_field
from modelfile.syntax.modelfile import Modelfile

_INSTRUCTIONS: Final = frozenset({"llama2", "mistral", "mistral-v7"})
"""Formats in which the end of the user's turn begins the answer."""
_MARKER_AT_END: Final = r"<\|\w+\|>\s*\Z"
"""The marker of another format that begins the answer, such as `<|model|>` of Metharme. Compiled on use."""

_NO_VALUE: Final = "<no value>"
"""Text that Ollama prints for an unknown variable."""


@rule("MF428", "unopened-turn", on=Modelfile, severity=Severity.WARNING)
def unopened_turn(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r'''The TEMPLATE does not mark where a turn begins.

    The model continues the prompt. If it does not end with the start of the assistant's turn, such as
    `<|im_start|>assistant`, the model must guess whose turn comes next: it continues the question, writes another one,
    or writes the marker as part of its answer. If that turn is already closed, the model has nothing more to say. And
    a question whose turn is not opened looks like part of the turn before it.

    The rule renders a conversation of two questions and looks at the text around them. With `.Messages`, Ollama does
    not cut the prompt off at `.Response`, so text after it is sent as well. A prompt that ends with a marker that is
    not known, such as `<|model|>`, is not reported.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE """{{ range .Messages }}<|im_start|>{{ .Role }}
    {{ .Content }}<|im_end|>
    {{ end }}"""
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE """{{ range .Messages }}<|im_start|>{{ .Role }}
    {{ .Content }}<|im_end|>
    {{ end }}<|im_start|>assistant
    """
    ```
    '''
    if not (found := judged_turns(modelfile, context)):
        return
    template, parsed, turns = found
    prompt = render_conversation(parsed.text, "UAU", context.ollama.version)
    opens = ("[/INST]",) if turns.name in _INSTRUCTIONS else turns.opens
    if prompt is None or not (gaps := prompt.gaps) or not any(each in parsed.text for each in (*opens, "[INST]")):
        return
    tail = gaps[-1]
    opened = max((tail.rfind(each) for each in opens), default=0)
    span = printed_field(parsed, "Prompt", "Content")
    place = locate_span(span, template, modelfile) if span else template.keyword.span
    if opened < 0:
        other = re.search(_MARKER_AT_END, tail)
        if other and other[0].strip() not in (*turns.ends, *turns.markers):
            return
        if answer := printed_field(parsed, "Response", last=True):
            place = locate_span(answer, template, modelfile)
        message = f"the prompt ends without `{_head(opens, turns.roles)}`: the model may go on with the user's turn"
        yield Finding(place, message, "begin the assistant's turn at the end of the TEMPLATE")
    elif _NO_VALUE in tail[opened:]:
        return  # template-unknown-variable: in place of `.Response`, it closes the turn at once
    elif closing := next((end for end in turns.ends if opens and tail.find(end, opened) >= 0), None):
        message = f"the prompt ends with `{closing}`: the assistant's turn is closed before the answer"
        hint = "write it after earlier answers only, as in `{{ if .Response }}`"
        span = printed_field(parsed, "Response", last=True)
        yield Finding(locate_span(span, template, modelfile) if span else place, message, hint)
    elif not any(each in gap for each in ("[INST]", *turns.opens) for gap in (gaps[0], gaps[2])):
        opener = "[INST]" if turns.name in _INSTRUCTIONS else _head(turns.opens, ("user",))
        message = f"TEMPLATE never opens the user's turn: before each question `{opener}` is missing"
        if opener in parsed.text:
            message = f"TEMPLATE opens only the first user's turn: before each later question `{opener}` is missing"
        yield Finding(place, message, f"write `{opener}` before it")


def _head(opens: tuple[str, ...], roles: tuple[str, ...]) -> str:
    """Return the head of the turn of the first role that is `user`, or else of the assistant."""
    names = ("user",) if roles == ("user",) else ("assistant", "model", "chatbot")
    if len(opens) > 1:
        return next((each for each in opens if any(name in each.lower() for name in names)), opens[-1])
    role = next((role for role in roles if role in names), names[0])
    return opens[0] if opens[0].startswith("[") or role == "chatbot" else f"{opens[0]}{role}"
