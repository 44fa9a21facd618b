"""Rule MF437."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.prompts import render_conversation
from modelfile.linter.rule import Context, rule
from modelfile.linter.rules.template import effective_template, locate_span, printed_field, template_turns
from modelfile.syntax.modelfile import Modelfile


@rule("MF437", "unnamed-roles", on=Modelfile, severity=Severity.WARNING)
def unnamed_roles(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r'''The TEMPLATE prints all messages alike, so the model cannot see who wrote which.

    A template with `range .Messages` prints questions, answers and the system prompt in one loop. Without `.Role` they
    are one text to the model: it does not know what it said itself, and goes on in any role.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE """{{ range .Messages }}{{ .Content }}
    {{ end }}"""
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE """{{ range .Messages }}{{ .Role }}: {{ .Content }}
    {{ end }}assistant:"""
    ```
    '''
    if not (found := effective_template(modelfile, context)):
        return
    template, parsed = found
    if "messages" not in parsed.variables or {"role", "prompt"}.intersection(parsed.variables):
        return
    turns = template_turns(parsed.text)
    if turns and not turns.plain:
        return  # unknown-role
    prompt = render_conversation(parsed.text, "UAU", context.ollama.version)
    gaps = prompt.gaps if prompt else None
    span = printed_field(parsed, "Content")
    if span and gaps and len(set(gaps[1:-1])) == 1:
        message = "all messages are printed alike: the model cannot see who wrote which"
        yield Finding(locate_span(span, template, modelfile), message, "print `.Role`, or compare it in an `if`")
