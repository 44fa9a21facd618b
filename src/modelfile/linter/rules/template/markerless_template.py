"""Rule MF415."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, base_family, rule
from modelfile.linter.rules.template import effective_template, template_turns
from modelfile.linter.rules.template.foreign_template import uses_foreign_markers
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Adapter, Message, Parameter, System

if TYPE_CHECKING:
    from modelfile.catalog.families import Family


@rule("MF415", "markerless-template", on=Modelfile, severity=Severity.WARNING)
def markerless_template(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""The TEMPLATE marks no turns, but the base was trained on marked ones.

    A model that was trained on conversations knows by markers such as `<|im_start|>` which text is the system prompt,
    which the question, and where its answer begins. Without them it continues the text like a base model: it ignores
    instructions, writes the user's next question too, and does not stop.

    The rule knows the same bases as `foreign-template`. It skips a TEMPLATE that fills gaps in code, and files with an
    ADAPTER. One that is only `{{ .Prompt }}` hands prompts on that the client has already marked: without SYSTEM and
    MESSAGE it is a note, and nothing if the stops are markers of the base.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3:8b
    TEMPLATE {{ .System }} User: {{ .Prompt }}
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3:8b
    ```
    """
    if not (found := effective_template(modelfile, context)) or modelfile.last(Adapter):
        return
    template, parsed = found
    family = base_family(modelfile, context)
    if family is None or family.turns is None or family.turns.plain or uses_foreign_markers(modelfile, context):
        return
    if (turns := template_turns(parsed.text)) and not turns.plain:
        return
    if not {"prompt", "messages"}.intersection(parsed.variables) or "suffix" in parsed.variables:
        return
    only_prompt = "".join(parsed.text.split()).replace("-", "") in ("{{.Prompt}}", "{{.Prompt}}{{.Response}}")
    if only_prompt and _is_marked_by_client(modelfile, family):
        return
    if re.search(r"<[|\uff5c/]|&lt;|[|\uff5c]>|\[/?[A-Z]{3,}\]|<s>|<(?:start|end)_", parsed.text):
        return
    message = f"this TEMPLATE has no turn markers, but `{family.name}` was trained on {family.turns.title} markers"
    hint = "delete TEMPLATE: the base brings its own; put instructions in SYSTEM"
    if not family.library:
        hint = f"write it with `{'`, `'.join(family.turns.markers)}`"
    is_chat = any(modelfile.of_type(kind) for kind in (System, Message))
    severity = Severity.INFO if only_prompt and not is_chat else None
    yield Finding(template.keyword.span, message, hint, severity=severity)


def _is_marked_by_client(modelfile: Modelfile, family: Family) -> bool:
    stops = {node.value.text for node in modelfile.of_type(Parameter) if node.name.text == "stop"}
    return family.turns is not None and not stops.isdisjoint(family.turns.markers)
