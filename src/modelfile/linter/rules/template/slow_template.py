"""Rule MF432."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.prompts import find_excess
from modelfile.linter.rule import Context, rule
from modelfile.linter.rules.template import effective_template
from modelfile.syntax.modelfile import Modelfile


@rule("MF432", "slow-template", on=Modelfile, severity=Severity.WARNING)
def slow_template(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""The TEMPLATE takes too long to render.

    The prompt of three short messages takes some hundred steps, each a piece of the TEMPLATE that is executed. Ollama
    has no limit: a TEMPLATE that takes many thousands of them for each request delays every answer, and one that never
    comes to an end blocks a processor of the server until that is restarted.

    The rules that judge what the model receives render small conversations with at most 10,000 steps, half a megabyte
    of text, and a TEMPLATE of at most 65,536 characters. Beyond that they find nothing, and this rule reports it.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE {{ range 100000000 }}{{ end }}{{ .Prompt }}
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE {{ .Prompt }}
    ```
    """
    if (found := effective_template(modelfile, context)) and (
        excess := find_excess(found[1].text, context.ollama.version)
    ):
        message = f"TEMPLATE takes too long to render: {excess.replace('the template', 'it', 1)}"
        yield Finding(found[0].keyword.span, message, "shorten its text and its loops; Ollama has no limit")
