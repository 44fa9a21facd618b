"""Rule MF401."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule, template_findings
from modelfile.syntax.nodes import Template


@rule("MF401", "template-syntax-error", on=Template, severity=Severity.ERROR)
def template_syntax_error(template: Template, context: Context) -> Iterator[Finding]:
    r"""The TEMPLATE has a syntax error.

    Ollama's templates are Go's text/template. Ollama rejects a model whose template does not parse: `ollama create`
    fails with "template error". Neither Jinja nor Python's braces work.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE {{ if .System }}{{ .System }} {{ .Prompt }}
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE {{ if .System }}{{ .System }} {{ end }}{{ .Prompt }}
    ```
    """
    for finding in template_findings(template, context, "template-syntax-error"):
        jinja = "; this looks like Jinja, but Ollama uses Go's text/template" if "{%" in template.value.text else ""
        yield replace(finding, hint=f"{finding.hint}{jinja}")
