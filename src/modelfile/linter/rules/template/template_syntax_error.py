"""Rule MF401."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.immutable import replace
from modelfile.linter.rule import Context, rule, template_findings
from modelfile.syntax.nodes import Template

_OPERATORS: Final = {
    "==": 'eq .Role "user"',
    "!=": 'ne .Role "user"',
    "&&": "and .System .Prompt",
    "||": "or .System .Prompt",
}
"""Operators of other languages, and how Go writes them."""


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
        hint = finding.hint
        text, start = context.modelfile.text, finding.span.start
        operator = next((text[at : at + 2] for at in (start, start - 1) if text[at : at + 2] in _OPERATORS), None)
        if operator:
            hint = f"Go has no operator `{operator}`: write `{_OPERATORS[operator]}`"
        elif text[start : start + 1] == "'":
            hint = f"write double quotes; {hint}"
        message = finding.message
        if "{%" in template.value.text:
            message = f"this is a Jinja template, which Ollama cannot read: {message}"
            hint = "write it as Go's text/template, or delete TEMPLATE: the base brings its own"
        yield replace(finding, message=message, hint=hint)
