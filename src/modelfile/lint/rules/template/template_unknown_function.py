"""Rule MF402."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.lint.rule import Context, refused_template, rule
from modelfile.syntax.nodes import Template


@rule("MF402", "template-unknown-function", on=Template, severity=Severity.ERROR)
def template_unknown_function(template: Template, context: Context) -> Iterator[Finding]:
    r"""A TEMPLATE calls a function that there is not.

    Templates know Go's own functions (and, or, not, len, index, slice, print, printf, println, html, js, urlquery,
    call, eq, ne, lt, le, gt, ge) and Ollama's json, currentDate, yesterdayDate and toTypeScriptType. A name without a
    dot before it is a function: often the dot is all that is missing.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    TEMPLATE {{ Prompt }}
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    TEMPLATE {{ .Prompt }}
    ```
    """
    return refused_template(template, context, "template-unknown-function")
