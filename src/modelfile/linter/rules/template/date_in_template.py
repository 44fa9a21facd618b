"""Rule MF409."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.linter.rules.template import effective_template, locate_span
from modelfile.syntax.modelfile import Modelfile

_DATES: Final = frozenset({"currentDate", "yesterdayDate"})


@rule("MF409", "date-in-template", on=Modelfile, severity=Severity.INFO)
def date_in_template(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""The TEMPLATE makes a different prompt each day.

    `currentDate` (since Ollama 0.11.0) and `yesterdayDate` (since 0.13.3) put the server's date into the prompt. Many
    models need to know the date; but then the same message, with the same seed and temperature 0, gets a different
    answer tomorrow, and a cached prompt must be processed again after midnight. For tests and evaluations, write a
    fixed date, or let the caller send it in a system message.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE Today is {{ currentDate }}. {{ range .Messages }}{{ .Role }}: {{ .Content }} {{ end }}
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE Today is 2025-10-03. {{ range .Messages }}{{ .Role }}: {{ .Content }} {{ end }}
    ```
    """
    if not (found := effective_template(modelfile, context)):
        return
    template, parsed = found
    if "messages" not in parsed.variables:  # failing-template
        return
    from modelfile.gotemplate.nodes import Identifier  # imported with the parser, for templates only

    for node in parsed.of_type(Identifier):
        if node.name in _DATES:
            message = f"`{node.name}` changes the prompt each day: answers cannot be reproduced"
            hint = "keep it if the model needs the date; otherwise write a fixed date, or send it in a system message"
            yield Finding(locate_span(node.span, template, modelfile), message, hint)
            return
