"""Rule MF410."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.lint.rule import Context, rule, template_in_force
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Renderer


@rule("MF410", "dead-template", on=Modelfile, severity=Severity.WARNING)
def dead_template(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""A TEMPLATE that a RENDERER replaces.

    With a RENDERER the prompt is made by code in Ollama, and the template is not asked: what is changed in it changes
    nothing. A template that names `.Suffix` is still used, to fill gaps in code.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    RENDERER qwen3-coder
    REQUIRES 0.14.0
    TEMPLATE {{ .System }} {{ .Prompt }}
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    RENDERER qwen3-coder
    REQUIRES 0.14.0
    ```
    """
    renderer = next((node for node in reversed(modelfile.nodes) if isinstance(node, Renderer)), None)
    if renderer is None or not renderer.value.text or not (found := template_in_force(modelfile)):
        return
    template, parsed = found
    if "suffix" not in parsed.variables:
        message = f"this TEMPLATE has no effect: RENDERER `{renderer.value.text}` takes its place"
        yield Finding(template.keyword.span, message, "delete one of the two")
