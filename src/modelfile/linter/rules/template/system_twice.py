"""Rule MF417."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.prompts import render_conversation
from modelfile.linter.rule import Context, rule
from modelfile.linter.rules.template import effective_template, locate_span, printed_field
from modelfile.syntax.modelfile import Modelfile


@rule("MF417", "system-twice", on=Modelfile, severity=Severity.WARNING)
def system_twice(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r'''The TEMPLATE sends the system prompt twice.

    `.Messages` has the system prompt as its first message, and `.System` has it too. A template that prints `.System`
    and then all messages, whatever their role, sends it twice. That costs context, and the model sees two system
    turns, which it was not trained on.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE """{{ .System }}
    {{ range .Messages }}{{ .Role }}: {{ .Content }}
    {{ end }}"""
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE """{{ range .Messages }}{{ .Role }}: {{ .Content }}
    {{ end }}"""
    ```
    '''
    if not (found := effective_template(modelfile, context)) or "system" not in found[1].variables:
        return
    template, parsed = found
    prompt = render_conversation(parsed.text, "SU", context.ollama.version)
    if prompt and prompt.text.count(prompt.words[0]) > 1:
        span = printed_field(parsed, "System")
        place = locate_span(span, template, modelfile) if span else template.keyword.span
        message = "the system prompt is sent twice: `.System` prints it, and `.Messages` has it as its first message"
        hint = "delete `.System`, or skip the messages of role `system`"
        if "messages" not in parsed.variables:
            message, hint = "the system prompt is sent twice in each turn", "print `.System` once"
        yield Finding(place, message, hint)
