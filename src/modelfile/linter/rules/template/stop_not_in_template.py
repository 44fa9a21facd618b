"""Rule MF421."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, base_family, rule
from modelfile.linter.rules.parameters.foreign_stop import stray_stops
from modelfile.linter.rules.template import effective_template, judged_turns, template_turns
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Parameter

_SHARED: Final = frozenset({"</s>", "<|endoftext|>", "<|end_of_text|>"})
"""Ends of the text in several families."""


@rule("MF421", "stop-not-in-template", on=Modelfile, severity=Severity.WARNING)
def stop_not_in_template(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r'''The stops are turn markers that the TEMPLATE does not write.

    A model ends its answer with the marker that ends the turns in its prompt. If all stops are markers of another
    family, none of them ever comes, and they replace the stops of the base: the model writes its own marker, then the
    user's next question, and answers that.

    The rule reports only known turn markers, and only if no stop is in the TEMPLATE or belongs to the base. Beside a
    right one it is a note, and only for makers' own models. Ordinary texts, such as `User:`, may be there for other
    reasons.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE """<|im_start|>user
    {{ .Prompt }}<|im_end|>
    <|im_start|>assistant
    {{ .Response }}<|im_end|>
    """
    PARAMETER stop <|eot_id|>
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
    PARAMETER stop <|im_end|>
    ```
    '''
    if found := find_strange_stop(modelfile, context):
        stop, end = found
        message = f"stop `{stop.value.text}` is not in the TEMPLATE, which ends turns with `{end}`: it stops nothing"
        yield Finding(stop.value.span, message, f"write `PARAMETER stop {end}`, or delete the line")
    elif any("<" in stop.value.text for stop in _stops(modelfile)) and (judged := judged_turns(modelfile, context)):
        strange = [stop for stop in _stops(modelfile) if stop.value.text.strip() not in judged[1].text]
        yield from stray_stops(strange, base_family(modelfile, context))


def _stops(modelfile: Modelfile) -> list[Parameter]:
    stops = [node for node in modelfile.of_type(Parameter) if node.name.text == "stop" and node.value.text.strip()]
    return stops if all(stop.value.closed for stop in stops) else []


def find_strange_stop(modelfile: Modelfile, context: Context) -> tuple[Parameter, str] | None:
    """Return the first stop of another family than the TEMPLATE, if no stop fits, and the marker that ends turns."""
    stops = _stops(modelfile)
    found = effective_template(modelfile, context) if stops else None
    turns = template_turns(found[1].text) if found else None
    if not found or turns is None or turns.plain:
        return None
    from modelfile.catalog.families import turn_formats

    text, family = found[1].text, base_family(modelfile, context)
    own = {*turns.markers, *turns.ends, *_SHARED}
    if family and family.turns:
        own |= {*family.turns.markers, *family.turns.ends, *(family.stops or ())}
    if any(stop.value.text.strip() in text or stop.value.text.strip() in own for stop in stops):
        return None
    markers = {each for turns in turn_formats().values() if not turns.plain for each in (*turns.markers, *turns.ends)}
    stop = next((stop for stop in stops if stop.value.text.strip() in markers), None)
    end = next((end for end in (*turns.ends, *turns.markers) if end in text), None)
    return (stop, end) if stop and end else None
