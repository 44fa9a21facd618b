"""Rule MF106."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Edit, Finding, Fix, Severity
from modelfile.linter.rule import Context, rule
from modelfile.recipe.values import parse_value
from modelfile.source import Span
from modelfile.syntax.nodes import Instruction, Quoting
from modelfile.syntax.syntax_errors import find_text_after_quotes

_PARAMETER: Final = re.compile(r"PARAMETER[ \t]+(\w+)[ \t]+(\S.*)")
_OTHERS: Final = re.compile(
    r"(?:MESSAGE[ \t](?:system|user|assistant)[ \t]+\S"
    r'|(?:SYSTEM|TEMPLATE|LICENSE)[ \t]+(?:"|\{\{)'
    r"|FROM[ \t]+\./\S+\Z).*"
)
_LAST: Final = re.compile(r"(?:SYSTEM|TEMPLATE|LICENSE|MESSAGE[ \t](?:system|user|assistant))[ \t]+")
"""The last line of a value that ends with the opening quotes of the next one."""
_LINE: Final = re.compile(r"[^\r\n]+")
_FENCE: Final = ("```", "~~~")


@rule("MF106", "swallowed-instruction", on=Instruction, severity=Severity.WARNING)
def swallowed_instruction(instruction: Instruction, context: Context) -> Iterator[Finding]:
    r"""A quoted text contains lines that look like instructions.

    If closing quotes are missing, Ollama reads on to the next line that ends with quotes. Everything in between becomes
    part of the text: its parameters are never set, and the model receives them as words. Lines between Markdown fences
    are not reported.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    SYSTEM "You answer questions on billing.
    PARAMETER temperature 0.2
    PARAMETER stop "END"
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    SYSTEM "You answer questions on billing."
    PARAMETER temperature 0.2
    PARAMETER stop "END"
    ```
    """
    line = swallowed_line(instruction, context)
    if line is None or find_text_after_quotes(
        context.modelfile.text, instruction.value, line.start()
    ):  # text-after-quote
        return
    first, swallowed = (context.modelfile.source.line_of(offset) for offset in (instruction.span.start, line.start()))
    word, quotes = instruction.keyword.text.strip().upper(), instruction.value.quoting
    message = f"missing closing quotes: line {swallowed} was read as part of {word} in line {first}"
    hint = f"write {quotes} at the end of the text of {word}"
    start = instruction.value.content.start
    end = start + len(context.modelfile.text[start : line.start()].rstrip())
    fix = Fix(edits=(Edit(Span(end, end), str(quotes)),))
    yield Finding(Span(line.start(), line.start() + len(line[0].rstrip())), message, hint, fix)


def swallowed_line(instruction: Instruction, context: Context) -> re.Match[str] | None:
    """Return the first line of a quoted text that looks like an instruction."""
    value, text = instruction.value, context.modelfile.text
    if value.quoting is Quoting.NONE or not value.closed or not ("\n" in value.text or "\r" in value.text):
        return None
    fenced = False
    for line in _LINE.finditer(text, value.content.start, value.content.end):
        if line[0].lstrip().startswith(_FENCE):
            fenced = not fenced
        last = line.end() == value.content.end
        if line.start() > value.content.start and not fenced and _is_instruction(line[0], context, last=last):
            return line
    return None


def _is_instruction(line: str, context: Context, *, last: bool) -> bool:
    if last and _LAST.fullmatch(line):
        return True
    if not (match := _PARAMETER.fullmatch(line)):
        return _OTHERS.fullmatch(line) is not None
    known = context.ollama.parameters.get(match[1])
    if known is None:
        return False
    try:
        parse_value(known.kind, match[2].strip().strip('"'))
    except ValueError:
        return False
    return True
