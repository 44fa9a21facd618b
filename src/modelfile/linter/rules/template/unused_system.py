"""Rule MF406."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.linter.rules.template import effective_template
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import System


@rule("MF406", "unused-system", on=Modelfile, severity=Severity.WARNING)
def unused_system(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""SYSTEM is never sent, because the TEMPLATE does not use it.

    A template sends the system prompt only if it uses `.System`, or `.Messages` with all messages. If it uses neither,
    Ollama stores the prompt and shows it in `ollama show`, but never sends it.

    Since 0.30, Ollama uses a chat template inside the weights instead of a TEMPLATE with fewer capabilities (tools,
    thinking). Then the prompt may reach the model after all, and the TEMPLATE has no effect.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    SYSTEM You answer questions on billing.
    TEMPLATE {{ .Prompt }}
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    SYSTEM You answer questions on billing.
    TEMPLATE {{ .System }} {{ .Prompt }}
    ```
    """
    system = modelfile.last(System)
    if system is None or not system.value.closed or not system.value.text:
        return
    if not (found := effective_template(modelfile, context)):
        return
    template, parsed = found
    # without a prompt, template-without-prompt is the worse defect
    if "prompt" in parsed.variables and not {"system", "messages"}.intersection(parsed.variables):
        line = modelfile.source.line_of(template.span.start)
        message = f"SYSTEM is never sent: the TEMPLATE in line {line} uses neither `.System` nor `.Messages`"
        yield Finding(system.keyword.span, message, "write `{{ .System }}` in the TEMPLATE, or delete SYSTEM")
