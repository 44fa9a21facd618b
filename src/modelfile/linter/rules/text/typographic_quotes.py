"""Rule MF515."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Edit, Finding, Fix, Severity
from modelfile.linter.rule import Context, parser_findings, rule
from modelfile.source import Span
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Instruction, License, Message, Parameter, Quoting, System, Template
from modelfile.syntax.quoting import choose_quoting, quote
from modelfile.syntax.suggestions import TYPOGRAPHIC_QUOTES

_OF_ENGLISH: Final = frozenset("\u201c\u201d\u2018\u2019\uff02\u2033")
"""Opening quotes that word processors put in the place of straight ones; others in a message quote a title."""


@rule("MF515", "typographic-quotes", on=Modelfile, severity=Severity.WARNING)
def typographic_quotes(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""Typographic quotes stand around a value.

    Word processors and web pages turn `"` into “ and ”. Ollama knows only straight quotes, so the others become part of
    the value: the model receives them, a stop with them never matches, and a text ends on its first line.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER stop “END”
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER stop "END"
    ```
    """
    if modelfile.text.isascii():
        return
    yield from parser_findings(modelfile, "typographic-quotes")
    for node in modelfile.of_type((System, Template, License, Message, Parameter)):
        is_text = not isinstance(node, Parameter) or node.name.text == "stop"
        is_title = isinstance(node, Message) and node.value.text[:1] not in _OF_ENGLISH
        if is_text and not is_title and node.value.quoting is Quoting.NONE:
            yield from _around(node)


def _around(node: Instruction) -> Iterator[Finding]:
    text = node.value.text
    opening = text[:1]
    if opening not in TYPOGRAPHIC_QUOTES:
        return
    inner = text.lstrip(opening)
    number = len(text) - len(inner)
    closing = TYPOGRAPHIC_QUOTES[opening]
    inner = inner.rstrip(closing)
    if len(text) - number - len(inner) != number or any(one in inner for one in (opening, *closing) if one != "\u2019"):
        return
    fix = None
    if choose_quoting(inner) is not None:
        written = quote(inner)
        fix = Fix(edits=(Edit(node.value.span, written if written.startswith('"') else f'"{inner}"'),))
    message = f"the typographic quotes are part of the value: `{opening * number}…{text[-1] * number}`"
    span = Span(node.value.span.start, node.value.span.start + number)
    yield Finding(span, message, 'write straight quotes: "…"', fix)
