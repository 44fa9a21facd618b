"""Rule MF407."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.linter.rules.template import effective_template, locate_span
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Parser


@rule("MF407", "template-drops-tools", on=Modelfile, severity=Severity.WARNING)
def template_drops_tools(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""The TEMPLATE supports tools only in part.

    Since 0.3.0, Ollama decides by the template if a model can use tools: it can if the template uses `.Tools`, and
    receives them if it also uses `.Messages`. A template that prints `.ToolCalls` but not `.Tools` has lost the
    capability: requests with tools fail with "does not support tools". One that uses `.Tools` but not `.Messages`
    accepts such requests, and leaves out the tools.

    Templates that use neither are not reported, as most models need no tools; nor are those next to a PARSER, which may
    add the capability. Since 0.30, the chat template inside the weights wins over a TEMPLATE with fewer capabilities.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE {{ range .Messages }}{{ .Role }}: {{ .Content }}{{ .ToolCalls }} {{ end }}
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE {{ .Tools }} {{ range .Messages }}{{ .Role }}: {{ .Content }}{{ .ToolCalls }} {{ end }}
    ```
    """
    if modelfile.last(Parser) or not (found := effective_template(modelfile, context)):
        return
    template, parsed = found
    names = set(parsed.variables)
    for use in parsed.fields:
        if use.name == "ToolCalls" and "tools" not in names:
            message = "missing `.Tools`: Ollama rejects requests with tools, so `.ToolCalls` is always empty"
            hint = "print `.Tools` where the model expects them, or delete the part with `.ToolCalls`"
        elif use.name == "Tools" and "messages" not in names:
            message = "tools are never sent: this TEMPLATE does not use `.Messages`"
            hint = "print the messages with `{{ range .Messages }}`, or delete the part with `.Tools`"
        else:
            continue
        yield Finding(locate_span(use.span, template, modelfile), message, hint)
        return
