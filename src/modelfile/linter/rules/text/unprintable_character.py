"""Rule MF501."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import Final

from modelfile.characters import SPACES, TAGS, find_unprintable, is_unprintable
from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.linter.rules.text import has_unprintable
from modelfile.source import Span
from modelfile.syntax.nodes import Instruction, License, Message, System

_FIRST_PRINTABLE: Final = 0x20
_CONTEXT: Final = 8
_INVISIBLE: Final = "\xad\u061c\u200b\u200e\u200f\u2060\ufeff"
"""Soft hyphens, marks of direction, and zero-width spaces."""
_JOINERS: Final = "\u200c\u200d"
_EMOJI: Final = ("So", "Sk")
"""The categories of emoji and of their skin tones."""
_IN_COLOR: Final = "\ufe0f"
"""The selector that shows an emoji in color."""
_RANKS: Final = (Severity.INFO, Severity.WARNING, Severity.ERROR)
_TAG: Final = re.compile(f"[{TAGS}]")


@rule("MF501", "unprintable-character", on=Instruction, severity=Severity.ERROR)
def unprintable_character(instruction: Instruction, context: Context) -> Iterator[Finding]:
    """Ollama silently drops a character.

    Ollama keeps letters, marks, numbers, punctuation, symbols, plain spaces, tabs and line endings in a value. It
    silently drops everything else: no-break and ideographic spaces (words run together), zero-width joiners (emoji
    families fall apart), soft hyphens, bidi marks, control characters. So it builds a different text from the one in
    the file. The example has `10<U+00A0>000`, with a no-break space, which becomes `10000`.

    In SYSTEM, MESSAGE and LICENSE, it is a warning if scripts need the joiner, and a note if the text reads the same
    without the character: a zero-width space, a joiner of emoji, a no-break space next to punctuation.

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
    if not has_unprintable(context.modelfile, context):
        return
    text, start, end = context.modelfile.text, instruction.keyword.span.end, instruction.value.span.end
    while end < len(text) and (text[end] in " \t" or is_unprintable(text[end])):
        end += 1
    written = text[start:end]
    dropped = find_unprintable(written)
    if not dropped:
        return
    shown = Span(len(written) - len(written.lstrip()), len(written.rstrip()))
    is_prose = isinstance(instruction, System | Message | License)
    worst: dict[str, tuple[Severity, int]] = {}
    times: Counter[str] = Counter()
    for at in dropped:
        if not (_TAG.match(written, at) and at and _TAG.match(written, at - 1)):  # hidden tags may spell a whole text
            harm = _harm(written, at) if is_prose else Severity.ERROR
            if written[at] not in worst or _RANKS.index(harm) > _RANKS.index(worst[written[at]][0]):
                worst[written[at]] = harm, at
            times[written[at]] += 1
    for character, (harm, at) in worst.items():
        name = unicodedata.name(character, "control character" if ord(character) < _FIRST_PRINTABLE else "unassigned")
        yield Finding(
            Span(start + at, start + at + 1),
            f"Ollama drops U+{ord(character):04X} {name}"
            + (f" ({times[character]} times)" if times[character] > 1 else ""),
            f"Ollama reads `{_around(written, at, shown)}`; write a plain character instead",
            severity=harm,
        )


def _harm(text: str, at: int) -> Severity:
    """Return the severity of dropping a character from prose, by what is around it."""
    character, before, after = text[at], text[at - 1 : at], text[at + 1 : at + 2]
    if '"' in (before, after):  # Ollama no longer sees what is between a quote and the end
        return Severity.ERROR
    if character in _INVISIBLE:
        return Severity.INFO
    if character in _JOINERS:
        is_emoji = before == _IN_COLOR or unicodedata.category(before or " ") in _EMOJI
        return Severity.INFO if is_emoji else Severity.WARNING
    joins = (before.isalpha() and after.isalpha()) or (before.isdigit() and after.isdigit())
    return Severity.INFO if character in SPACES and not joins else Severity.ERROR


def _around(written: str, at: int, shown: Span) -> str:
    """Return what Ollama reads around a character; "…" stands for more of the text without its margins."""
    start, end = max(at - _CONTEXT, 0), at + 1 + _CONTEXT
    text = " ".join("".join(kept for kept in written[start:end] if not is_unprintable(kept)).split())
    return f"{'…' if start > shown.start else ''}{text}{'…' if end < shown.end else ''}"
