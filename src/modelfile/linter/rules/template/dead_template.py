"""Rule MF410."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, last_template, rule
from modelfile.linter.rules.template import inherited_renderer
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Renderer

_STILL_READ: Final = frozenset({"suffix", "thinking", "tools"})


def _unseen_weights(context: Context) -> str | None:
    if not last_template(context.modelfile) or context.modelfile.last(Renderer):
        return None
    return "weights are not read, and Ollama sets a RENDERER for some architectures"


@rule("MF410", "dead-template", on=Modelfile, severity=Severity.WARNING, cannot_decide=_unseen_weights)
def dead_template(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""A RENDERER replaces the TEMPLATE.

    With a RENDERER, code inside Ollama makes the prompt and the template is not used: changing it changes nothing.
    Three variables in it still count, so a template with one of them is not reported: Ollama fills gaps in code with
    `.Suffix`, and decides by `.Tools` and `.Thinking` what the model can do. `{{ .Prompt }}` is not reported either:
    `ollama show` prints it if there is no template. Some models of Ollama's library bring a RENDERER along, such as
    gemma4 and qwen3.5, which models that are built from them inherit.

    Since 0.24, Ollama itself sets a RENDERER for weights of some architectures (gemma4, laguna, nemotron_h), and since
    0.30 a chat template inside the weights wins over a TEMPLATE with fewer capabilities. This rule does not read
    weights, and reports only a RENDERER in the same file or of a library model.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    RENDERER qwen3-coder
    REQUIRES 0.14.0
    TEMPLATE {{ .System }} {{ .Prompt }}
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    RENDERER qwen3-coder
    REQUIRES 0.14.0
    ```
    """
    renderer = modelfile.last(Renderer)
    if not (found := last_template(modelfile)) or (renderer and not renderer.value.text):
        return
    template, parsed = found
    if _STILL_READ.isdisjoint(parsed.variables) and "".join(template.value.text.split()) != "{{.Prompt}}":
        if renderer:
            message = f"TEMPLATE has no effect: RENDERER `{renderer.value.text}` replaces it"
            yield Finding(template.keyword.span, message, "delete TEMPLATE, or else RENDERER")
        elif inherited := inherited_renderer(modelfile, context):
            message = f"TEMPLATE has no effect: `{inherited[0]}` brings RENDERER `{inherited[1]}`, which replaces it"
            yield Finding(template.keyword.span, message, "delete TEMPLATE, and put instructions in SYSTEM")
