"""Rule MF411."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, base_family, rule
from modelfile.linter.rules.template import effective_template, template_turns
from modelfile.linter.rules.template.misspelled_marker import misspelled
from modelfile.linter.rules.template.stop_not_in_template import find_strange_stop
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Parameter

_SHARED: Final = frozenset({"</s>", "<|endoftext|>", "<\uff5cend\u2581of\u2581sentence\uff5c>"})
"""Ends of turns that end the text too, so that the weights name them."""


@rule("MF411", "missing-stop", on=Modelfile, severity=Severity.INFO)
def missing_stop(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r'''No `stop` names the template's end of turn.

    A `stop` replaces all those of the base, so one of them must name the end of a turn. If none does, and the weights
    do not say which token ends a turn, the model does not stop there: it writes the marker, then the user's next
    question, and answers that.

    This does no harm if the marker is one token of the weights: llama.cpp always stops at `<|im_end|>`, `<|eot_id|>`,
    `<end_of_turn>` and some others, and at the token that the weights name. So a base of Ollama's library is not
    reported if the marker is its own, such as `<|eot_id|>` for llama3.2. A template of another family needs the `stop`,
    as the weights know its markers only as text. Without any `stop`, nothing is reported: the base may have them, and
    Ollama adds some to weights whose chat template it recognizes.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE """<|im_start|>user
    {{ .Prompt }}<|im_end|>
    <|im_start|>assistant
    {{ .Response }}<|im_end|>
    """
    PARAMETER stop "Customer:"
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE """<|im_start|>user
    {{ .Prompt }}<|im_end|>
    <|im_start|>assistant
    {{ .Response }}<|im_end|>
    """
    PARAMETER stop "Customer:"
    PARAMETER stop "<|im_end|>"
    ```
    '''
    if not (found := effective_template(modelfile, context)):
        return
    template, _ = found
    text = template.value.text
    turns = template_turns(text)
    end = next((end for end in turns.ends if end in text and end not in _SHARED), None) if turns else None
    if turns is None or end is None:
        return
    family = base_family(modelfile, context)
    if family and family.turns and end in (*family.turns.ends, *family.turns.markers):
        return
    parameters = [node for node in modelfile.of_type(Parameter) if node.name.text == "stop"]
    if any(not node.value.closed for node in parameters):
        return
    stops = [node.value.text.strip() for node in parameters if node.value.text.strip()]
    markers = [marker for marker in (*turns.markers, *turns.ends) if marker in text]
    if not stops or any(stop in marker or marker in stop for stop in stops for marker in markers):
        return
    if any(map(misspelled, stops)) or find_strange_stop(modelfile, context):  # reported there
        return
    yield Finding(
        template.keyword.span,
        f"missing stop `{end}`: this TEMPLATE ends turns with it, so answers may run on",
        f'add `PARAMETER stop "{end}"`',
    )
