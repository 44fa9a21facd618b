"""Rule MF105."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Edit, Finding, Fix, Severity
from modelfile.linter.rule import Context, rule
from modelfile.linter.rules.structure.swallowed_instruction import swallowed_line
from modelfile.source import Span
from modelfile.syntax.nodes import Instruction, License, Message, Quoting, System, Template
from modelfile.syntax.quoting import can_hold
from modelfile.syntax.syntax_errors import find_text_after_quotes

_TWO_PAIRS: Final = re.compile(r'[^"]*[^\s"]"(?!\w).*\s"[^\s"][^"]*', re.DOTALL)
"""The text between the first and the last quote of `"yes" or "no"`."""

_INCHES: Final = re.compile(r'\d"(?!\w)')


@rule("MF105", "text-after-quote", on=Instruction, severity=Severity.WARNING)
def text_after_quote(instruction: Instruction, context: Context) -> Iterator[Finding]:
    r'''Text follows closing quotes, or quotes do not pair up.

    Ollama ends a quoted value at a line that ends with its quotes. If a comment or other text follows them, it reads on
    to the next line that ends with such quotes. Often that line belongs to another instruction, which then becomes part
    of the text. If there is no such line, Ollama rejects the file (see unclosed-quote).

    Ollama removes only the first and the last quotes of a value, whatever stands between them. So an extra quote stays
    in the text, and `"yes" or "no"` becomes `yes" or "no`.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    SYSTEM """You answer questions on billing.""" # be brief
    TEMPLATE """{{ .System }} {{ .Prompt }}"""
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    # be brief
    SYSTEM """You answer questions on billing."""
    TEMPLATE """{{ .System }} {{ .Prompt }}"""
    ```
    '''
    if line := swallowed_line(instruction, context):
        behind = find_text_after_quotes(context.modelfile.text, instruction.value, line.start())
        if behind:
            yield _read_on(instruction, behind, context)
    elif '"' in instruction.value.text and isinstance(instruction, System | Template | License | Message):
        yield from _unpaired(instruction, context)


def _read_on(instruction: Instruction, behind: Span, context: Context) -> Finding:
    text, source = context.modelfile.text, context.modelfile.source
    last = source.line_of(instruction.span.end)
    written = text[behind.start : behind.end].strip()
    start = text.index(written, behind.start)
    message = f"text after the closing quotes: Ollama reads on to line {last}"
    hint, fix = f"move `{written}` before the closing quotes", None
    if written.startswith("#"):
        line = source.line_start(instruction.span.start)
        hint = f"move `{written}` to a line of its own"
        fix = Fix(edits=(Edit(Span(line, line), f"{written}{context.modelfile.newline}"), Edit(behind, "")))
    return Finding(Span(start, start + len(written)), message, hint, fix)


def _unpaired(instruction: Instruction, context: Context) -> Iterator[Finding]:
    value, text = instruction.value, instruction.value.text
    if not value.closed:
        return
    word = instruction.keyword.text.strip().upper()
    if value.quoting is Quoting.DOUBLE and text.count('"') % 2 == 0 and _TWO_PAIRS.fullmatch(text):
        written = context.modelfile.text[value.span.start : value.span.end]
        message = f"the first and the last quote of {word} do not pair up, but Ollama removes both"
        fix = Fix(edits=(Edit(value.span, f'"""{written}"""'),)) if can_hold(Quoting.TRIPLE, written) else None
        yield Finding(value.span, message, f'put the whole text between three quotes: {word} """…"""', fix)
    number = text.count('"')
    if number % 2 == 0 or (number - len(_INCHES.findall(text))) % 2 == 0:
        return
    begins, ends = (text.startswith('"') and bool(value.quoting)), text.endswith('"')
    if begins is ends:
        return
    number = len(text) - len(text.lstrip('"') if begins else text.rstrip('"'))
    first = 0 if begins else len(text) - number
    span = Span(context.modelfile.locate(value, first), context.modelfile.locate(value, first + number - 1) + 1)
    message = f"unpaired quote at the {'start' if begins else 'end'} of {word}: it becomes part of the text"
    hint = "delete it" if value.quoting else f"delete it, or write {text[first:]} at the start too"
    yield Finding(span, message, hint, Fix(edits=(Edit(span, ""),)))
