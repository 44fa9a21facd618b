"""Rule MF411."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.lint.rule import Context, rule
from modelfile.lint.rules.template import used_template
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Parameter

_ENDS: Final = ("<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<|end_of_turn|>", "<|END_OF_TURN_TOKEN|>")
_MARKERS: Final = (*_ENDS, "<|im_start|>", "<|start_header_id|>", "<start_of_turn>", "<|START_OF_TURN_TOKEN|>")


@rule("MF411", "missing-stop", on=Modelfile, severity=Severity.INFO)
def missing_stop(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""A template's end of turn that no `stop` names.

    One `stop` replaces all that the base has, so it has to name the end of a turn too. Where it does not, and the
    weights do not say themselves which token that is, a model goes on after it: it writes the marker, then the user's
    next question, and answers that.

    It is harmless where the weights have the marker as one token: llama.cpp then ends there by itself, at `<|im_end|>`,
    `<|eot_id|>`, `<end_of_turn>` and some others whatever else is set, and at the token the weights name. A template of
    another family, whose markers the weights know only as text, needs the `stop`. Without any `stop` nothing is
    reported, as the base may have them, and Ollama brings some along for weights whose chat template it recognises.

    ## Bad

    ```
    # Answers questions on billing.
    FROM mistral:7b
    TEMPLATE {{ .System }} {{ .Prompt }}<|im_end|>{{ .Response }}
    PARAMETER stop "Customer:"
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM mistral:7b
    TEMPLATE {{ .System }} {{ .Prompt }}<|im_end|>{{ .Response }}
    PARAMETER stop "Customer:"
    PARAMETER stop "<|im_end|>"
    ```
    """
    if not (found := used_template(modelfile)):
        return
    template, _ = found
    text = template.value.text
    end = next((marker for marker in _ENDS if marker in text), None)
    if end is None:
        return
    parameters = [node for node in modelfile.nodes if isinstance(node, Parameter) and node.name.text == "stop"]
    if any(not node.value.closed for node in parameters):
        return
    stops = [node.value.text.strip() for node in parameters if node.value.text.strip()]
    markers = [marker for marker in _MARKERS if marker in text]
    if not stops or any(stop in marker or marker in stop for stop in stops for marker in markers):
        return
    yield Finding(
        template.keyword.span,
        f"no `stop` names `{end}`, with which this TEMPLATE ends a turn: answers may run on",
        f'add `PARAMETER stop "{end}"`',
    )
