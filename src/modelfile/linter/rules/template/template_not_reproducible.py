"""Rule MF409."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.linter.rules.template import located, used_template
from modelfile.syntax.modelfile import Modelfile

_DATES: Final = frozenset({"currentDate", "yesterdayDate"})


@rule("MF409", "template-not-reproducible", on=Modelfile, severity=Severity.INFO)
def template_not_reproducible(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""A TEMPLATE that makes a different prompt each day.

    `currentDate` (since Ollama 0.11.0) and `yesterdayDate` (since 0.13.3) put the server's date into the prompt. Many
    models want to know the date; but then the same question, with the same seed and temperature 0, gets a different
    answer tomorrow, and a cached prompt has to be read again after midnight. For tests and evaluations, write a fixed
    date, or have the caller say it in a system message.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    TEMPLATE Today is {{ currentDate }}. {{ range .Messages }}{{ .Role }}: {{ .Content }} {{ end }}
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    TEMPLATE Today is 2025-10-03. {{ range .Messages }}{{ .Role }}: {{ .Content }} {{ end }}
    ```
    """
    if not (found := used_template(modelfile)):
        return
    template, parsed = found
    if "messages" not in parsed.variables:  # template-fails
        return
    from modelfile.gotemplate.fields import walk  # imported with the parser, for templates only
    from modelfile.gotemplate.nodes import Identifier

    for node in walk(parsed.nodes):
        if isinstance(node, Identifier) and node.name in _DATES:
            message = f"`{node.name}` makes a different prompt each day: no answer can be reproduced"
            hint = "fine if the model is to know the date; else write one, or have the caller say it"
            yield Finding(located(node.span, template, modelfile), message, hint)
            return
