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
from modelfile.syntax.syntax_errors import text_behind

_TWO_PAIRS: Final = re.compile(r'[^"]*[^\s"]"(?!\w).*\s"[^\s"][^"]*', re.DOTALL)
"""What is between the first and the last quote of `"yes" or "no"`."""
_INCHES: Final = re.compile(r'\d"\Z')


@rule("MF105", "text-after-quote", on=Instruction, severity=Severity.WARNING)
def text_after_quote(instruction: Instruction, context: Context) -> Iterator[Finding]:
    r'''Text after closing quotes, or quotes that are not a pair.

    Ollama ends a quoted text at a line that ends with its quotes. If a comment or anything else follows them, it reads
    on to the next line that does, often that of another instruction, which then becomes part of the text. If there is
    no such line, it refuses the file (unclosed-quote).

    Ollama cuts off only the first and the last quotes of a value, whatever stands between them. So one quote too many
    stays in the text, and `"yes" or "no"` becomes `yes" or "no`.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    SYSTEM """You answer questions on billing.""" # be brief
    TEMPLATE """{{ .System }} {{ .Prompt }}"""
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    # be brief
    SYSTEM """You answer questions on billing."""
    TEMPLATE """{{ .System }} {{ .Prompt }}"""
    ```
    '''
    if line := swallowed_line(instruction, context):
        behind = text_behind(context.modelfile.text, instruction.value, line.start())
        if behind:
            yield _read_on(instruction, behind, context)
    elif isinstance(instruction, System | Template | License | Message) and instruction.value.closed:
        yield from _no_pair(instruction, context)


def _read_on(instruction: Instruction, behind: Span, context: Context) -> Finding:
    text, source = context.modelfile.text, context.modelfile.source
    last = source.line_of(instruction.span.end)
    written = text[behind.start : behind.end].strip()
    start = text.index(written, behind.start)
    message = f"text after the closing quotes: Ollama does not close them here, and reads on to line {last}"
    fix = None
    if written.startswith("#"):
        line = max(text.rfind(end, 0, instruction.span.start) for end in "\r\n") + 1
        fix = Fix(edits=(Edit(Span(line, line), f"{written}{context.modelfile.line_end}"), Edit(behind, "")))
    return Finding(Span(start, start + len(written)), message, f"move `{written}` to another line", fix)


def _no_pair(instruction: Instruction, context: Context) -> Iterator[Finding]:
    value, text = instruction.value, instruction.value.text
    word = instruction.keyword.text.strip().upper()
    if value.quoting is Quoting.DOUBLE and text.count('"') % 2 == 0 and _TWO_PAIRS.fullmatch(text):
        written = context.modelfile.text[value.span.start : value.span.end]
        message = f"the first and the last quote of {word} are not a pair, but Ollama cuts them off all the same"
        fix = Fix(edits=(Edit(value.span, f'"""{written}"""'),)) if can_hold(Quoting.TRIPLE, written) else None
        yield Finding(value.span, message, f'put the whole text in three quotes: {word} """…"""', fix)
    if text.count('"') % 2 == 0 or _INCHES.search(text):
        return
    begins, ends = (text.startswith('"') and bool(value.quoting)), text.endswith('"')
    if begins is ends:
        return
    number = len(text) - len(text.lstrip('"') if begins else text.rstrip('"'))
    first = 0 if begins else len(text) - number
    span = Span(context.modelfile.locate(value, first), context.modelfile.locate(value, first + number - 1) + 1)
    what = "begins with a quote that nothing closes" if begins else "ends with a quote that nothing opens"
    message = f"the text of {word} {what}: Ollama takes it as part of the text"
    hint = "delete it" if value.quoting else f"delete it, or write {text[first:]} before the text too"
    yield Finding(span, message, hint, Fix(edits=(Edit(span, ""),)))
