"""Rule MF429."""

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

_HEADERS: Final = {
    "chatml": (r"<\|im_start\|>[A-Za-z_]+", r"\r?\n"),
    "gemma": (r"<start_of_turn>[A-Za-z_]+", r"\r?\n"),
    "llama3": (r"<\|start_header_id\|>[A-Za-z_]+<\|end_header_id\|>", r"\r?\n\r?\n"),
}
"""The head of a turn, and what comes between it and the content, in formats that are strict about it."""
_NAMES: Final = {r"\r?\n": "a newline", r"\r?\n\r?\n": "two newlines"}


@rule("MF429", "missing-newline", on=Modelfile, severity=Severity.INFO)
def missing_newline(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r'''The newline between the head of a turn and its content is missing.

    In training, the role is followed by a newline in ChatML and Gemma, by two in Llama 3. Without it the model sees
    another sequence of tokens than it was trained on. At the end of the prompt it has to write the newline itself, and
    an answer may begin with it.

    A newline that `{{-` or `-}}` removes is missing too. Write it right before the content.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE """<|im_start|>user {{ .Prompt }}<|im_end|>
    <|im_start|>assistant
    {{ .Response }}<|im_end|>
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
    if not (found := judged_turns(modelfile, context)) or found[2].name not in _HEADERS:
        return
    template, parsed, turns = found
    pattern, newline = _HEADERS[turns.name]
    for roles in ("UAU", "SU"):
        prompt = render_conversation(parsed.text, roles, context.ollama.version)
        for match in re.finditer(pattern, prompt.text if prompt else ""):
            if prompt and not re.compile(rf"[ \t]*{newline}").match(prompt.text, match.end()):
                head, names = match[0], _NAMES[newline]
                if f"{head}\\n" in parsed.text:  # unescaped-sequence
                    return
                found_head = re.search(rf"{re.escape(head)}(?![ \t]*{newline})", parsed.text)
                span = Span(*found_head.span()) if found_head else printed_field(parsed, "Role")
                place = locate_span(span, template, modelfile) if span else template.keyword.span
                message = f"missing newline after `{head}`: {turns.title} has {names} there"
                yield Finding(place, message, f"write {names} after it")
                return
