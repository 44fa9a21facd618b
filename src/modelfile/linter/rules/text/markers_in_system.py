"""Rule MF513."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.prompts import render_conversation
from modelfile.linter.prose import hide_code
from modelfile.linter.rule import Context, base_family, last_template, rule
from modelfile.linter.rules.structure.swallowed_instruction import swallowed_line
from modelfile.linter.rules.text.template_in_system import find_action
from modelfile.syntax.nodes import Instruction, Message, System, Template

# Compiled on use: few texts have a sign of a marker.
_MARKER: Final = (
    r"(?:<[|\uff5c](?:im_(?:start|end|sep)|start_header_id|end_header_id|eot_id|eom_id|begin_of_text|end_of_text|endoftext"
    r"|startoftext|system|user|assistant|prompter|end|start|channel|message|return|START_OF_TURN_TOKEN"
    r"|END_OF_TURN_TOKEN|(?:SYSTEM|USER|CHATBOT)_TOKEN|end_of_turn|begin\u2581of\u2581sentence|end\u2581of\u2581sentence|User|Assistant|EOT"
    r"|start_of_role|end_of_role)[|\uff5c]>|<(?:start|end)_of_turn>|\[/?INST\]|<</?SYS>>|\[/?(?:SYSTEM_PROMPT|AVAILABLE_TOOLS)\]"
    r"|<(?:bos|eos|s)>(?=\s*(?:\[INST\]|<))|</s>(?=\s*(?:\Z|<s>|\[INST\])))"
)
_OPENING: Final = rf"{_MARKER}|<(?!s>|bos>)\|?\w+\|?>|\[\w+\]"
_AT_EDGE: Final = rf"(?m:^[ \t]*({_MARKER})|({_MARKER})[ \t]*$|({_MARKER})(?:system|user|assistant|model)\b)"
_SLOT: Final = (
    r"(?<![{$\w])\{(?:system_?(?:message|prompt)?|(?:user_?)?(?:prompt|message|input|query|question)|(?:chat_?)?history"
    r"|instructions?|context|tools|bos_token|eos_token|user|assistant"
    r"|(?:customer|client|company|guest|user|product|business|brand|patient|student|employee|first|last|full)_?"
    r"(?:name|info|data|profile))\}(?!\})"
)
_ABOUT_SLOTS: Final = r"\b(?:placeholders?|f-strings?|format strings?|templates?|str\.format|langchain|json)\b"


@rule("MF513", "markers-in-system", on=(System, Message), severity=Severity.WARNING)
def markers_in_system(instruction: Instruction, context: Context) -> Iterator[Finding]:
    r"""SYSTEM or MESSAGE contains turn markers.

    The TEMPLATE, or the one that the base brings, writes the markers around each text. With a second marker inside the
    text, the model sees a turn that ends early or an empty one. A slot such as `{system_message}` is filled by other
    programs only; Ollama sends it as it is.

    Markers in backquotes, or in the middle of a sentence, are about markers, and are not reported. Nor are those for a
    TEMPLATE that writes none before the question, and so leaves them to SYSTEM.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    SYSTEM <|start_header_id|>system<|end_header_id|> You answer questions on billing.<|eot_id|>
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    SYSTEM You answer questions on billing.
    ```
    """
    value = instruction.value
    if not value.closed or find_action(instruction):
        return
    word = instruction.keyword.text.strip().upper()
    if match := _find_marker(value.text):
        if _leaves_markers_out(context):
            return
        group = match.lastindex or 0
        message = f"turn marker in {word}: {_effect(match[group], context)}"
        hint = f"delete the markers from {word}, and the roles beside them"
    elif match := _find_slot(value.text):
        group = 0
        message = f"Ollama does not fill `{match[0]}` in {word}: the model sees these characters"
        hint = "write the text itself, or delete it"
    else:
        return
    if swallowed_line(instruction, context):
        return
    span = context.modelfile.locate_span(value, *match.span(group))
    yield Finding(span, message, hint)


def _effect(marker: str, context: Context) -> str:
    """Return what a marker does: it doubles one of the template, or belongs to another family's."""
    family = base_family(context.modelfile, context)
    turns = family.turns if family else None
    if template := context.modelfile.last(Template):
        is_own = marker in template.value.text
        return f"the TEMPLATE writes `{marker}` itself" if is_own else f"the TEMPLATE does not use `{marker}`"
    if family is None or turns is None:
        return "the template of the base writes the turn markers itself"
    from modelfile.catalog.families import turn_formats

    formats = [each for each in turn_formats().values() if marker in (*each.markers, *each.ends)]
    if marker in (family.stops or ()) or not formats or turns in formats:
        return f"the template of the base writes `{marker}` itself"
    return f"`{marker}` is a marker of {formats[0].title}, but this base uses those of {turns.title}"


def _leaves_markers_out(context: Context) -> bool:
    """Return True if the TEMPLATE writes no marker of its own around SYSTEM and the question, so that SYSTEM has to."""
    template = last_template(context.modelfile)
    prompt = render_conversation(template[1].text, "SU", context.ollama.version) if template else None
    return (
        prompt is not None
        and prompt.sends(0)
        and re.search(_OPENING, prompt.text.partition(prompt.words[1])[0]) is None
    )


def _find_marker(text: str) -> re.Match[str] | None:
    if "<" not in text and "[" not in text:
        return None
    return re.search(_AT_EDGE, hide_code(text))


def _find_slot(text: str) -> re.Match[str] | None:
    if "{" not in text or re.search(_ABOUT_SLOTS, text, re.IGNORECASE):
        return None
    return re.search(_SLOT, hide_code(text), re.IGNORECASE)
