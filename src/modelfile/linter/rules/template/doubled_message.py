"""Rule MF436."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.prompts import render_conversation
from modelfile.linter.rule import Context, rule
from modelfile.linter.rules.template import effective_template, locate_span, printed_field, template_turns
from modelfile.syntax.modelfile import Modelfile


@rule("MF436", "doubled-message", on=Modelfile, severity=Severity.WARNING)
def doubled_message(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r'''The TEMPLATE sends the user's message twice, or the system prompt after it.

    The model reads what it receives: a question that stands there twice is answered twice, or treated as two. A system
    prompt behind the question is read as an answer to it, or as a new task. Most models were trained on conversations
    that begin with the system prompt. The rule only looks at templates that mark turns: one that puts texts into a task
    may repeat them.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE """<|im_start|>user
    {{ .Prompt }}
    {{ .Prompt }}<|im_end|>
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
    if not (found := effective_template(modelfile, context)):
        return
    template, parsed = found
    turns = template_turns(parsed.text)
    if turns is None or turns.plain:
        return
    prompt = render_conversation(parsed.text, "SU", context.ollama.version)
    if prompt is None or not prompt.sends(1):
        return
    system, question = prompt.words
    if prompt.text.count(question) > 1:
        names: tuple[str, ...] = ("Prompt", "Content")
        message, hint = "the user's message is sent twice", "print it once"
    elif prompt.sends(0) and prompt.text.index(system) > prompt.text.index(question):
        names = ("System",)
        message, hint = "the system prompt is sent after the user's message", "move `.System` before the question"
    else:
        return
    span = printed_field(parsed, *names, last=True)
    place = locate_span(span, template, modelfile) if span else template.keyword.span
    yield Finding(place, message, hint)
