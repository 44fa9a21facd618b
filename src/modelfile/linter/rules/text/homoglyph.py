"""Rule MF516."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, parser_findings, rule
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Adapter, From, Instruction, Parameter, Parser, Renderer, Template, Word

_WORD: Final = r"[^\W\d_]+"
_ACTION: Final = r"\{\{[^{}]*\}\}"


@rule("MF516", "homoglyph", on=Modelfile, severity=Severity.ERROR)
def homoglyph(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    """A letter of another script looks like a Latin one.

    Cyrillic, Greek and full-width letters look like Latin letters, but are others to Ollama: an instruction, parameter
    or role with one is unknown, a model is not found, and a turn marker or stop never matches. They come from
    keyboards that switch between scripts, from documents and from translated pages. Words that are written in another
    script as a whole are not reported.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER t\N{CYRILLIC SMALL LETTER IE}mperature 0.2
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER temperature 0.2
    ```
    """
    if modelfile.text.isascii():
        return
    yield from parser_findings(modelfile, "homoglyph")
    for node in modelfile.of_type(Instruction):
        if node.value.text.isascii():
            continue
        is_stop = isinstance(node, Parameter) and node.name.text == "stop"
        if is_stop or isinstance(node, From | Adapter | Renderer | Parser | Template):
            yield from find_homoglyphs(node, modelfile)


def find_homoglyphs(node: Instruction, modelfile: Modelfile) -> Iterator[Finding]:
    """Yield a finding for the first word of a value that mixes Latin letters with those that look like them."""
    text = node.value.text
    if text.isascii() or not node.value.closed:
        return
    from modelfile.characters import is_homoglyph  # for few files
    from modelfile.syntax.suggestions import homoglyph as describe

    if isinstance(node, Template):
        text = re.sub(_ACTION, lambda action: " " * len(action[0]), text)
    for match in re.finditer(_WORD, text):
        if is_homoglyph(match[0]) and any(map(str.isascii, match[0])):
            span = modelfile.locate_span(node.value, *match.span())
            found = describe(Word(match[0], span))
            is_reference = isinstance(node, From | Renderer | Parser)
            severity = Severity.ERROR if is_reference else Severity.WARNING
            yield Finding(found.span, found.message, found.hint, found.fix, severity)
            return
