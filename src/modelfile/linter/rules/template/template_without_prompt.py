"""Rule MF404."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.linter.rules.template import BRACED, used_template
from modelfile.syntax.modelfile import Modelfile


@rule("MF404", "template-without-prompt", on=Modelfile, severity=Severity.WARNING)
def template_without_prompt(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""A TEMPLATE that leaves the question out.

    What the user asks reaches the model only through `.Prompt` or `.Messages`. A template that names neither builds,
    and the model is sent the same text whatever is asked. Single braces, as in Python, are plain text to Ollama; they
    are reported as template-unknown-variable.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    TEMPLATE {{ .System }} Answer in one sentence.
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    TEMPLATE {{ .System }} {{ .Prompt }} Answer in one sentence.
    ```
    """
    if not (found := used_template(modelfile)):
        return
    template, parsed = found
    if not {"prompt", "messages"}.intersection(parsed.variables) and not BRACED.search(template.value.text):
        message = "this TEMPLATE names neither `.Prompt` nor `.Messages`: the model never sees what is asked"
        yield Finding(template.keyword.span, message, "put `{{ .Prompt }}` where the question belongs")
