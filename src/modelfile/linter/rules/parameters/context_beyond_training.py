"""Rule MF317."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Edit, Finding, Fix, Severity
from modelfile.linter.rule import Context, base_family, rule
from modelfile.linter.rules.parameters import effective_numbers
from modelfile.syntax.modelfile import Modelfile


@rule("MF317", "context-beyond-training", on=Modelfile, severity=Severity.WARNING)
def context_beyond_training(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""`num_ctx` is larger than the context that the base was trained on.

    Ollama does not fail: it writes a warning to its log ("requested context size too large for model") and uses the
    context of the weights. So the model forgets earlier than the Modelfile promises. The rule knows the contexts of
    Ollama's library, and of files that are named like a maker's own weights.

    ## Bad

    ```
    # Answers questions on billing.
    FROM gemma2:9b
    PARAMETER num_ctx 32768
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM gemma2:9b
    PARAMETER num_ctx 8192
    ```
    """
    found = effective_numbers(modelfile, context).get("num_ctx")
    family = base_family(modelfile, context) if found else None
    if found is None or family is None or family.context is None or found[0] <= family.context:
        return
    if found[0] == family.parameters.get("num_ctx"):  # as the library's own model sets it
        return
    span, longest = found[1].value.span, family.context
    message = f"`num_ctx {found[1].value.text}` is more than `{family.name}` was trained on: Ollama uses {longest}"
    yield Finding(span, message, f"write `{longest}` or less", Fix(edits=(Edit(span, str(longest)),)))
