"""Rule MF502."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.characters import BIDI_CONTROLS, TAGS, VARIATION_SELECTORS
from modelfile.diagnostics import Edit, Finding, Fix, Severity
from modelfile.linter.rule import Context, rule
from modelfile.linter.rules.text import characters_beyond_ascii
from modelfile.source import Span
from modelfile.syntax.modelfile import Modelfile

_HIDING: Final = (
    "\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{4,6}\U000e007f"  # the flags of England, Scotland, Wales
    f"|(?P<tags>[{TAGS}]+)"
    f"|(?P<selectors>[{VARIATION_SELECTORS}]{{2,}})"
    f"|(?P<bidi>[{BIDI_CONTROLS}])"
    "|(?P<letters>[\u3164\uffa0]+|(?<![\u1100-\u11ff])[\u115f\u1160]+(?![\u1100-\u11ff])"
    "|(?<![\u2800-\u28ff])\u2800+(?![\u2800-\u28ff]))"
)
"""Runs of characters that hide something from a reader of the file; a flag is matched too, in no group."""
_FIRST: Final = f"[\U0001f3f4{TAGS}{VARIATION_SELECTORS}{BIDI_CONTROLS}\u3164\uffa0\u115f\u1160\u2800]"
"""The characters that such a run begins with."""
_TAGS: Final = 0xE0000
_FIRST_SELECTORS: Final = 0xFE00
_MORE_SELECTORS: Final = 0xE0100 - 16
_SHOWN: Final = 60


@rule("MF502", "invisible-or-bidi-character", on=Modelfile, severity=Severity.WARNING)
def invisible_or_bidi_character(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    """A character hides what the file says.

    Bidi controls change the order in which an editor shows a line, so a reader sees a different text from the one that
    Ollama reads (Trojan Source). Tag characters and runs of variation selectors are not shown at all, and can spell out
    a whole prompt. Ollama drops bidi controls and tags from values. It keeps variation selectors and invisible letters
    (Hangul fillers, the empty Braille pattern), and the model reads them.

    Characters that a script needs are not reported: joiners in emoji, Arabic and Indic scripts, the marks of
    right-to-left text, flags. The rule unprintable-character reports those that Ollama drops.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    SYSTEM You answer questions on billing.\N{HANGUL FILLER}
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    SYSTEM You answer questions on billing.
    ```
    """
    if modelfile.text.isascii() or not re.search(_FIRST, "".join(characters_beyond_ascii(modelfile, context))):
        return
    for match in re.finditer(_HIDING, modelfile.text):
        if match.lastgroup:
            span = Span(*match.span())
            message, hint = _explain(match.lastgroup, match[0])
            yield Finding(span, message, hint, Fix(edits=(Edit(span, ""),)))


def _explain(kind: str, characters: str) -> tuple[str, str]:
    from unicodedata import name  # a megabyte, and most files have none of these

    named = f"U+{ord(characters[0]):04X} {name(characters[0], 'UNASSIGNED TAG')}"
    more = f" and {len(characters) - 1} more" if len(characters) > 1 else ""
    match kind:
        case "tags":
            hidden = "".join(chr(ord(tag) - _TAGS) for tag in characters)
            return f"invisible tag characters{_spelling(hidden)}", f"delete them: {named}{more}"
        case "selectors":
            data = bytes(
                ord(one) - (_MORE_SELECTORS if ord(one) > _MORE_SELECTORS else _FIRST_SELECTORS) for one in characters
            )
            hidden = data.decode("utf-8", "ignore")
            return f"invisible variation selectors{_spelling(hidden)}", f"delete them: {named}{more}"
        case "bidi":
            return f"{named} changes the order in which this line is shown", "delete it, and read the line again"
        case _:
            return f"invisible letter that the model reads: {named}{more}", "delete it, or write a plain space"


def _spelling(hidden: str) -> str:
    printable = "".join(character for character in hidden if character.isprintable())
    return f" spell `{printable[:_SHOWN]}{'…' if len(printable) > _SHOWN else ''}`" if printable else ""
