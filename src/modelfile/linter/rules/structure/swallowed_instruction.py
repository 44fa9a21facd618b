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

_PARAMETER: Final = r"PARAMETER[ \t]+(\w+)[ \t]+(\S.*)"
_OTHERS: Final = (
    r"(?:MESSAGE[ \t](?:system|user|assistant)[ \t]+\S"
    r'|(?:SYSTEM|TEMPLATE|LICENSE)[ \t]+(?:"|\{\{)'
    r"|FROM[ \t]+\./\S+\Z).*"
)
_LAST: Final = r"(?:SYSTEM|TEMPLATE|LICENSE|MESSAGE[ \t](?:system|user|assistant))[ \t]+"
"""The last line of a value that ends with the opening quotes of the next one."""
_LINE: Final = re.compile(r"[^\r\n]+")
_WORDS: Final = ("PARAMETER", "MESSAGE", "SYSTEM", "TEMPLATE", "LICENSE", "FROM")
"""The words that the lines begin with."""
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
    end = start + len(_without_comments(context.modelfile.text[start : line.start()]))
    fix = Fix(edits=(Edit(Span(end, end), str(quotes)),))
    yield Finding(Span(line.start(), line.start() + len(line[0].rstrip())), message, hint, fix)


def _without_comments(text: str) -> str:
    """Return a text without the comments and empty lines at its end, which belong to the instruction below."""
    lines = text.splitlines(keepends=True)
    while len(lines) > 1 and lines[-1].lstrip()[:1] in ("", "#"):
        lines.pop()
    return "".join(lines).rstrip()


def swallowed_line(instruction: Instruction, context: Context) -> re.Match[str] | None:
    """Return the first line of a quoted text that looks like an instruction."""
    value, text = instruction.value, context.modelfile.text
    if value.quoting is Quoting.NONE or not value.closed or not ("\n" in value.text or "\r" in value.text):
        return None
    quoted = text[value.content.start : value.content.end]
    if not any(word in quoted for word in _WORDS):
        return None
    fenced = False
    for line in _LINE.finditer(text, value.content.start, value.content.end):
        if line[0].lstrip().startswith(_FENCE):
            fenced = not fenced
        last = line.end() == value.content.end
        if line.start() > value.content.start and not fenced and _is_instruction(line[0], context, last=last):
            return None if _is_about_modelfiles(instruction, context, line.start()) else line
    return None


def _is_about_modelfiles(instruction: Instruction, context: Context, start: int) -> bool:
    """Return whether a text is properly closed, so that the instructions in it are part of what it says.

    Then no other quotes stand in it, and it goes on after them, or names Modelfiles.
    """
    value = instruction.value
    if value.quoting is not Quoting.TRIPLE or str(Quoting.TRIPLE) in value.text:
        return False
    lines = [line[0] for line in _LINE.finditer(context.modelfile.text, start, value.content.end)]
    if any(re.fullmatch(_LAST, line) for line in lines[-1:]):
        return False
    prose = (
        line for line in lines if not line.lstrip().startswith("#") and not _is_instruction(line, context, last=False)
    )
    return "modelfile" in value.text.lower() or any(map(str.strip, prose))


def _is_instruction(line: str, context: Context, *, last: bool) -> bool:
    if last and re.fullmatch(_LAST, line):
        return True
    if not (match := re.fullmatch(_PARAMETER, line)):
        return re.fullmatch(_OTHERS, line) is not None
    known = context.ollama.parameters.get(match[1])
    if known is None:
        return False
    try:
        parse_value(known.kind, match[2].strip().strip('"'))
    except ValueError:
        return False
    return True
