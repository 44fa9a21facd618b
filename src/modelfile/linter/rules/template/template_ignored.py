"""Rule MF426."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.catalog.behaviors import PREFERS_CHAT_TEMPLATES
from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, last_template, model_header, no_folder, once_per_file, rule
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Parser, Renderer, Template


@rule("MF426", "template-ignored", on=Modelfile, severity=Severity.WARNING, cannot_decide=no_folder)
def template_ignored(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r'''Ollama uses the chat template inside the weights instead of the TEMPLATE.

    Since 0.30, Ollama compares the TEMPLATE with the chat template inside a GGUF file. If that one supports tools or
    thinking and the TEMPLATE does not, Ollama uses the one inside the weights: nothing that the TEMPLATE says is ever
    sent. `.Tools` and tags around `.Thinking` in the TEMPLATE make it count again, and so does the environment
    variable OLLAMA_GO_TEMPLATE of the server.

    The rule reads the header of local GGUF files. The same holds for weights behind a name, which it does not see.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./tools.gguf
    TEMPLATE """<|im_start|>user
    {{ .Prompt }}<|im_end|>
    <|im_start|>assistant
    {{ .Response }}<|im_end|>
    """
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./tools.gguf
    ```
    '''
    if (lost := find_preferred(modelfile, context)) and (template := modelfile.last(Template)):
        message = (
            f"Ollama 0.30 and later ignore this TEMPLATE: the chat template inside the weights supports {lost},"
            " and this one does not"
        )
        yield Finding(template.keyword.span, message, f"delete TEMPLATE, or let it print {lost} too")


@once_per_file
def find_preferred(modelfile: Modelfile, context: Context) -> str | None:
    """Return what the chat template inside the weights supports in addition, if Ollama prefers it; None otherwise."""
    if context.ollama.version < PREFERS_CHAT_TEMPLATES:
        return None
    if modelfile.last(Parser) or modelfile.last(Renderer) or not (found := last_template(modelfile)):
        return None
    header = model_header(modelfile, context)
    if not header or not header.chat_template:
        return None
    from modelfile.gotemplate.capabilities import preferred_over  # imported with the parser

    return preferred_over(header.chat_template, found[1])
