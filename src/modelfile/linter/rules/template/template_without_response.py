"""Rule MF405."""

from __future__ import annotations

import re
from collections.abc import Iterator

from modelfile.diagnostics import Edit, Finding, Fix, Safety, Severity
from modelfile.linter.rule import Context, rule
from modelfile.linter.rules.template import effective_template, template_turns
from modelfile.linter.rules.template.foreign_template import uses_foreign_markers
from modelfile.source import Span
from modelfile.syntax.modelfile import Modelfile


@rule("MF405", "template-without-response", on=Modelfile, severity=Severity.INFO)
def template_without_response(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""The TEMPLATE closes the user's turns, but not the assistant's.

    A template that uses neither `.Response` nor `.Messages` works: Ollama appends `{{ .Response }}` to it (since 0.2.2,
    and in another way before). But nothing follows that. From the second message on, the assistant's earlier answers
    are in the prompt without an end of turn, unlike anything that the model was trained on. Each of them makes it more
    likely that the model leaves out the marker too, and does not stop.

    Text after `.Response` is sent for earlier turns only; the last prompt ends before it. Templates without turn
    markers are not reported.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE [USER]{{ .System }} {{ .Prompt }}<|eot_id|>[MODEL]
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE [USER]{{ .System }} {{ .Prompt }}<|eot_id|>[MODEL]{{ .Response }}<|eot_id|>
    ```
    """
    if not (found := effective_template(modelfile, context)) or uses_foreign_markers(modelfile, context):
        return
    template, parsed = found
    text, turns = parsed.text, template_turns(parsed.text)
    if "messages" in parsed.variables or ".response" in text.lower():
        return
    ends = "|".join(map(re.escape, turns.ends if turns and turns.ends else ("</s>",)))
    end = re.search(rf"\{{\{{-?\s*\.Prompt\s*-?\}}\}}\s*(?P<end>(?P<marker>{ends})(?:\r?\n)?)", text)
    if end is None:
        return
    opens = turns.opens if turns else ()
    if any(each in text for each in opens) and not any(each in text[end.start() :] for each in opens):  # unopened-turn
        return
    place = modelfile.locate(template.value, len(text))
    fix = Fix(edits=(Edit(Span(place, place), f"{{{{ .Response }}}}{end['end']}"),), safety=Safety.UNSAFE)
    message = f"TEMPLATE never closes the assistant's turn: after each earlier answer `{end['marker']}` is missing"
    hint = f"end it with `{{{{ .Response }}}}{end['marker']}`"
    yield Finding(template.keyword.span, message, hint, fix)
