"""Rule MF407."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.linter.rules.template import located, used_template
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Parser


@rule("MF407", "template-drops-tools", on=Modelfile, severity=Severity.WARNING)
def template_drops_tools(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""A TEMPLATE is only half made for tools.

    Since 0.3.0, Ollama finds out from the template whether a model can use tools: it can if the template names
    `.Tools`, and is sent them if it also names `.Messages`. A template that prints `.ToolCalls` but no `.Tools` has
    lost the ability: requests with tools end with "does not support tools". One that names `.Tools` but no `.Messages`
    accepts such requests, and leaves the tools out.

    Templates that name neither are not reported, as most models need no tools; nor are those beside a PARSER, which may
    bring the ability. Since 0.30, the chat template inside the weights wins over a TEMPLATE that can do less.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    TEMPLATE {{ range .Messages }}{{ .Role }}: {{ .Content }}{{ .ToolCalls }} {{ end }}
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    TEMPLATE {{ .Tools }} {{ range .Messages }}{{ .Role }}: {{ .Content }}{{ .ToolCalls }} {{ end }}
    ```
    """
    if any(isinstance(node, Parser) for node in modelfile.nodes) or not (found := used_template(modelfile)):
        return
    template, parsed = found
    from modelfile.gotemplate.fields import uses  # imported with the parser, for templates only

    names = set(parsed.variables)
    for use in uses(parsed.nodes):
        if use.name == "ToolCalls" and "tools" not in names:
            message = "no `.Tools` in this TEMPLATE: Ollama refuses requests with tools, and there are no `.ToolCalls`"
            hint = "print `.Tools` where the model expects them, or delete the part with `.ToolCalls`"
        elif use.name == "Tools" and "messages" not in names:
            message = "no `.Messages` in this TEMPLATE: tools are accepted, and never reach the model"
            hint = "print the messages with `{{ range .Messages }}`, or delete the part with `.Tools`"
        else:
            continue
        yield Finding(located(use.span, template, modelfile), message, hint)
        return
