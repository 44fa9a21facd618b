"""Rule MF501."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from modelfile.characters import is_dropped
from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.source import Span
from modelfile.syntax.nodes import Instruction

_FIRST_PRINTABLE: Final = 0x20
_CONTEXT: Final = 8
_TAGS: Final = re.compile("[\U000e0000-\U000e007f]+")


@rule("MF501", "dropped-character", on=Instruction, severity=Severity.ERROR)
def dropped_character(instruction: Instruction, context: Context) -> Iterator[Finding]:
    """A character that Ollama drops.

    Ollama keeps letters, marks, numbers, punctuation, symbols, the plain space, tabs and line ends of a value. It
    silently drops everything else: no-break and ideographic spaces (words run together), zero-width joiners (emoji
    families fall apart), soft hyphens, bidi marks, control characters. So it builds a different text from the one that
    is written. The example has `10<U+00A0>000`, with a no-break space, which becomes `10000`.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    SYSTEM Prices are in euros: 10\N{NO-BREAK SPACE}000 EUR.
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    SYSTEM Prices are in euros: 10 000 EUR.
    ```
    """
    text, start, end = context.modelfile.text, instruction.keyword.span.end, instruction.value.span.end
    while end < len(text) and (text[end] in " \t" or is_dropped(text[end])):
        end += 1
    written = text[start:end]
    told = _TAGS.sub(lambda run: run[0][0], written)  # the first stands for all: there may be a whole text of them
    for character in filter(is_dropped, dict.fromkeys(told)):
        at = written.index(character)
        times = told.count(character)
        name = unicodedata.name(character, "control character" if ord(character) < _FIRST_PRINTABLE else "unassigned")
        yield Finding(
            Span(start + at, start + at + 1),
            f"Ollama drops U+{ord(character):04X} {name}" + (f" ({times} times)" if times > 1 else ""),
            f"it reads `{_around(written, at)}`; write a plain character in its place",
        )


def _around(written: str, at: int) -> str:
    """What Ollama reads around a place; "…" stands for more."""
    start, end = max(at - _CONTEXT, 0), at + 1 + _CONTEXT
    kept = " ".join("".join(kept for kept in written[start:end] if not is_dropped(kept)).split())
    return f"{'…' if written[:start].strip() else ''}{kept}{'…' if written[end:].strip() else ''}"
