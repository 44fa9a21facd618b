"""Rule MF410."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule, template_in_force
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Renderer

_STILL_READ: Final = frozenset({"suffix", "thinking", "tools"})


def _unseen_weights(context: Context) -> str | None:
    if not template_in_force(context.modelfile) or any(isinstance(node, Renderer) for node in context.modelfile.nodes):
        return None
    return "weights are not read, and some architectures bring a renderer along"


@rule("MF410", "dead-template", on=Modelfile, severity=Severity.WARNING, cannot_decide=_unseen_weights)
def dead_template(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""A TEMPLATE that a RENDERER replaces.

    With a RENDERER, code in Ollama makes the prompt and the template is not used: a change in it changes nothing. Three
    names in it still count, so a template with one of them is not reported: Ollama fills gaps in code with `.Suffix`,
    and finds out from `.Tools` and `.Thinking` what the model can do. Nor is `{{ .Prompt }}` reported, which `ollama
    show` writes where there is no template.

    Since 0.24 Ollama itself sets a RENDERER for weights of some architectures (gemma4, laguna, nemotron_h), and since
    0.30 a chat template inside the weights wins over a TEMPLATE that can do less. This rule does not know the weights,
    and reports only a RENDERER in the same file.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    RENDERER qwen3-coder
    REQUIRES 0.14.0
    TEMPLATE {{ .System }} {{ .Prompt }}
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    RENDERER qwen3-coder
    REQUIRES 0.14.0
    ```
    """
    renderer = next((node for node in reversed(modelfile.nodes) if isinstance(node, Renderer)), None)
    if renderer is None or not renderer.value.text or not (found := template_in_force(modelfile)):
        return
    template, parsed = found
    text = template.value.text
    if _STILL_READ.isdisjoint(parsed.variables) and "".join(text.split()) != "{{.Prompt}}":
        message = f"this TEMPLATE has no effect: RENDERER `{renderer.value.text}` takes its place"
        yield Finding(template.keyword.span, message, "delete one of the two")
