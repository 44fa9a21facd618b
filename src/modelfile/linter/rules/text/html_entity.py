"""Rule MF526."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Edit, Finding, Fix, Severity
from modelfile.linter.prose import hide_code
from modelfile.linter.rule import Context, rule
from modelfile.syntax.nodes import Instruction, Message, System

_ENTITY: Final = (
    r"&(?:nbsp|amp|quot|apos|lt|gt|hellip|ndash|mdash|rsquo|lsquo|[rl]dquo|[aouAOU]uml|szlig|eacute|#\d{2,5});"
)
_ABOUT_MARKUP: Final = (
    r"\b(?:x?html|xml|entit(?:y|ies)|escap\w*|unescap\w*|markup|encod\w*|decod\w*|web ?pages?|cod(?:e|ing)|urls?)\b"
)


@rule("MF526", "html-entity", on=(System, Message), severity=Severity.WARNING)
def html_entity(instruction: Instruction, context: Context) -> Iterator[Finding]:
    r"""A text has characters that are written for HTML, such as `&amp;`.

    They come along when a prompt is copied from the source of a web page. Ollama decodes nothing: the model receives
    `&amp;` and often repeats it. The rule skips texts about HTML, XML or code.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    SYSTEM You answer questions on bills &amp; refunds.
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    SYSTEM You answer questions on bills & refunds.
    ```
    """
    value = instruction.value
    if not value.closed or "&" not in value.text or ";" not in value.text:
        return
    text = hide_code(value.text)
    found = [*re.finditer(_ENTITY, text)]
    if not found or re.search(_ABOUT_MARKUP, text, re.IGNORECASE):
        return
    from html import unescape  # for few texts

    spans = [context.modelfile.locate_span(value, *match.span()) for match in found]
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    message = f"`{found[0][0]}` is written for HTML: the model receives these characters{more}"
    edits = tuple(
        Edit(span, unescape(match[0]).replace("\u00a0", " ")) for span, match in zip(spans, found, strict=True)
    )
    yield Finding(spans[0], message, f"write `{edits[0].text}`", Fix(edits=edits))
