"""Rule MF423."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.linter.rules.template import effective_template, locate_span
from modelfile.syntax.modelfile import Modelfile


@rule("MF423", "response-cuts-prompt", on=Modelfile, severity=Severity.WARNING)
def response_cuts_prompt(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""The TEMPLATE prints `.Response` before `.Prompt`, so the question is never sent.

    Since 0.2.2, Ollama cuts a template without `.Messages` off after its first `.Response` to make the last prompt: the
    answer belongs there. Whatever comes later is sent for earlier turns only. If `.Prompt` comes later, the model never
    receives the user's last message.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE {{ .System }} {{ if .Response }}AI: {{ .Response }} {{ end }}User: {{ .Prompt }} AI:
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE {{ .System }} User: {{ .Prompt }} AI: {{ .Response }}
    ```
    """
    if not (found := effective_template(modelfile, context)):
        return
    template, parsed = found
    if "messages" in parsed.variables or not {"prompt", "response"} <= {*parsed.variables}:
        return
    from modelfile.gotemplate.fields import walk  # imported with the parser, for templates only
    from modelfile.gotemplate.nodes import Action, Field

    actions = parsed.of_type(Action)
    fields = [each for action in actions for each in walk([action.pipeline]) if isinstance(each, Field)]
    names = [field.names[0] for field in fields]
    order = [name for name in dict.fromkeys(names) if name in ("Prompt", "Response")]
    if order == ["Response", "Prompt"]:
        prompt = fields[names.index("Prompt")]
        message = "`.Prompt` after `.Response` is never sent: Ollama ends the last prompt at `.Response`"
        hint = "print `.Prompt` first, then `.Response`, or print all turns with `{{ range .Messages }}`"
        yield Finding(locate_span(prompt.span, template, modelfile), message, hint)
