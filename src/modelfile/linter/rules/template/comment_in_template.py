"""Rule MF433."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.linter.rules.template import effective_template, template_turns
from modelfile.syntax.modelfile import Modelfile

_COMMENT: Final = r"^(?:#|//)[ \t]+[^\r\n{}<>\[\]]+$"
_WINDOW: Final = 200
"""Characters around a line that are looked at."""


@rule("MF433", "comment-in-template", on=Modelfile, severity=Severity.WARNING)
def comment_in_template(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r'''A line of the TEMPLATE looks like a comment, but is sent with each prompt.

    Inside a text, `#` begins no comment: the model receives the line before the first turn, or between two turns, where
    it expects nothing. A comment of the template language is `{{/* … */}}`; a comment of the Modelfile stands above
    TEMPLATE. The rule only looks at lines outside of turns, in templates that mark them.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE """# ChatML, as in the model card
    <|im_start|>user
    {{ .Prompt }}<|im_end|>
    <|im_start|>assistant
    {{ .Response }}<|im_end|>
    """
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    # ChatML, as in the model card
    TEMPLATE """<|im_start|>user
    {{ .Prompt }}<|im_end|>
    <|im_start|>assistant
    {{ .Response }}<|im_end|>
    """
    ```
    '''
    if not (found := effective_template(modelfile, context)):
        return
    template, text = found[0], found[1].text
    if not ("# " in text or "// " in text) or (turns := template_turns(text)) is None or turns.plain or not turns.opens:
        return
    for match in re.finditer(_COMMENT, text, re.MULTILINE):
        start, end = match.span()
        before, after = text[max(0, start - _WINDOW) : start].rstrip(), text[end : end + _WINDOW].lstrip()
        is_outside = not before or before.endswith((*turns.ends, "{{ end }}", "{{- end }}", "{{- end -}}"))
        if is_outside and (not after or after.startswith((*turns.opens, "{{"))):
            span = modelfile.locate_span(template.value, *match.span())
            mark = match[0].split()[0]
            message = f"a `{mark}` inside TEMPLATE begins no comment: the model receives this line with each prompt"
            yield Finding(span, message, "write it above TEMPLATE, or as `{{/* … */}}`")
            return
