"""Rule MF411."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.lint.rule import Context, looks_like_path, rule, template_in_force
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import From, Parameter, Renderer

_ENDS: Final = ("<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<|end_of_turn|>", "<|END_OF_TURN_TOKEN|>")
_MARKERS: Final = (*_ENDS, "<|im_start|>", "<|start_header_id|>", "<start_of_turn>", "<|START_OF_TURN_TOKEN|>")


@rule("MF411", "missing-stop", on=Modelfile, severity=Severity.INFO)
def missing_stop(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""A template's end of turn that no `stop` names.

    Weights that do not say themselves which token ends a turn go on after it: the model writes the marker, then the
    user's next question, and answers that. A `stop` cuts it off. One `stop` replaces all that the base
    has, so it has to name the marker too; weights from a file may bring none.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    TEMPLATE {{ .System }} {{ .Prompt }}<|eot_id|>{{ .Response }}
    PARAMETER stop "Customer:"
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    TEMPLATE {{ .System }} {{ .Prompt }}<|eot_id|>{{ .Response }}
    PARAMETER stop "Customer:"
    PARAMETER stop "<|eot_id|>"
    ```
    """
    if any(isinstance(node, Renderer) for node in modelfile.nodes) or not (found := template_in_force(modelfile)):
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
    inherited = not any(isinstance(node, From) and looks_like_path(node.value.text) for node in modelfile.nodes)
    if not stops and inherited:
        return
    markers = [marker for marker in _MARKERS if marker in text]
    if any(stop in marker or marker in stop for stop in stops for marker in markers):
        return
    yield Finding(
        template.keyword.span,
        f"no `stop` names `{end}`, with which this TEMPLATE ends a turn: answers may run on",
        f'add `PARAMETER stop "{end}"`',
    )
