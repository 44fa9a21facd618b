"""Rule MF401."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, refused_template, rule
from modelfile.syntax.nodes import Template


@rule("MF401", "template-syntax", on=Template, severity=Severity.ERROR)
def template_syntax(template: Template, context: Context) -> Iterator[Finding]:
    r"""A TEMPLATE that Go cannot parse.

    Ollama's templates are Go's text/template, and Ollama refuses a model whose template has a fault: create ends with
    "template error". It knows neither Jinja nor Python's braces.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    TEMPLATE {{ if .System }}{{ .System }} {{ .Prompt }}
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    TEMPLATE {{ if .System }}{{ .System }} {{ end }}{{ .Prompt }}
    ```
    """
    for finding in refused_template(template, context, "template-syntax"):
        jinja = "; this is Jinja, and Ollama's templates are Go's" if "{%" in template.value.text else ""
        yield replace(finding, hint=f"{finding.hint}{jinja}")
