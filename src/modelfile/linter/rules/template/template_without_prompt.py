"""Rule MF404."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.linter.rules.template import BRACED, effective_template
from modelfile.syntax.modelfile import Modelfile


@rule("MF404", "template-without-prompt", on=Modelfile, severity=Severity.WARNING)
def template_without_prompt(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""The TEMPLATE leaves out the user's message.

    The user's message reaches the model only through `.Prompt` or `.Messages`. A template that uses neither still
    builds, and the model receives the same text whatever the user asks. Single braces, as in Python, are plain text to
    Ollama; template-unknown-variable reports them.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE {{ .System }} Answer in one sentence.
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE {{ .System }} {{ .Prompt }} Answer in one sentence.
    ```
    """
    if not (found := effective_template(modelfile, context)):
        return
    template, parsed = found
    from modelfile.gotemplate.fields import FIELDS  # imported with the parser, for templates only

    if any(use.printed and use.of == "template" and use.name not in FIELDS["template"] for use in parsed.fields):
        return  # template-unknown-variable
    if not {"prompt", "messages"}.intersection(parsed.variables) and not BRACED.search(template.value.text):
        message = "the user's message is never sent: this TEMPLATE uses neither `.Prompt` nor `.Messages`"
        yield Finding(template.keyword.span, message, "write `{{ .Prompt }}` where the user's message belongs")
