"""Rule MF406."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.linter.rules.template import used_template
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import System


@rule("MF406", "system-unused", on=Modelfile, severity=Severity.WARNING)
def system_unused(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""A SYSTEM that the TEMPLATE leaves out.

    The template sends the system prompt only where it names `.System`, or `.Messages` with all the messages. If it
    names neither, Ollama stores the prompt and shows it in `ollama show`, but the template never sends it.

    Since 0.30, Ollama uses a chat template inside the weights instead of a TEMPLATE that can do less (tools, thinking).
    Then the prompt may reach the model after all, and the TEMPLATE has no effect.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    SYSTEM You answer questions on billing.
    TEMPLATE {{ .Prompt }}
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    SYSTEM You answer questions on billing.
    TEMPLATE {{ .System }} {{ .Prompt }}
    ```
    """
    system = next((node for node in reversed(modelfile.nodes) if isinstance(node, System)), None)
    if system is None or not system.value.closed or not system.value.text:
        return
    if not (found := used_template(modelfile)):
        return
    template, parsed = found
    # without a prompt, the template has a worse fault
    if "prompt" in parsed.variables and not {"system", "messages"}.intersection(parsed.variables):
        line = modelfile.source.line_of(template.span.start)
        message = f"the TEMPLATE in line {line} leaves this SYSTEM out: it names neither `.System` nor `.Messages`"
        yield Finding(system.keyword.span, message, "put `{{ .System }}` into the TEMPLATE, or delete the SYSTEM")
