"""Quoting of values so that Ollama reads them back: bare, in `"` or in triple quotes. There are no escapes."""

from __future__ import annotations

import re
from typing import Final

from modelfile.characters import NUL, mask
from modelfile.errors import InputError
from modelfile.syntax.nodes import Quoting

_NEWLINE: Final = re.compile(r"[\r\n]")
_ENDS_WITH_QUOTE: Final = re.compile(r'"[ \t]*\Z')
_EARLY_DOUBLE: Final = re.compile(r'"[ \t]*[\r\n]')
_EARLY_TRIPLE: Final = re.compile(r'"""[ \t]*[\r\n]')


def can_hold(quoting: Quoting, text: str) -> bool:
    """Return whether Ollama reads a text in these quotes unchanged, apart from unprintable characters.

    Without quotes, unprintable characters at its edges would not even belong to the value.
    """
    masked = mask(text)
    printable = masked.replace(NUL, "")
    match quoting:
        case Quoting.NONE:
            return (
                bool(printable)
                and not _NEWLINE.search(printable)
                and masked == masked.strip(f" \t{NUL}")
                and printable[0] != '"'
            )
        case Quoting.DOUBLE:
            return printable != '"' and not printable.startswith('""') and not _EARLY_DOUBLE.search(printable)
        case Quoting.TRIPLE:
            return not _EARLY_TRIPLE.search(printable)


def choose_quoting(text: str, written: Quoting = Quoting.NONE) -> Quoting | None:
    """Return the quoting of a text that a careful author writes; None if no Modelfile can express it.

    It is the simplest that can hold the text and is not weaker than `written`. A text of several lines, or with a quote
    at its end, is put between triple quotes if these can hold it: between `"`, one more line could end it early.

    Args:
        text: The text.
        written: The quotes that it has now.
    """
    candidates = [quoting for quoting in Quoting if quoting >= written]
    if _NEWLINE.search(text) or _ENDS_WITH_QUOTE.search(text):
        candidates.sort(key=lambda quoting: quoting is Quoting.DOUBLE)
    return next((quoting for quoting in candidates if can_hold(quoting, text)), None)


def quote(text: str) -> str:
    """Return a text as the value of an instruction, quoted if necessary.

    Raises:
        InputError: No Modelfile can express it: Ollama would drop a character, or end the value early.
    """
    if NUL in (masked := mask(text)):
        character = text[masked.index(NUL)]
        raise InputError(f"cannot write U+{ord(character):04X} in a Modelfile: Ollama drops it")
    quoting = choose_quoting(text)
    if quoting is None:
        raise InputError(
            'cannot write this text in a Modelfile: one of its lines ends in """, which would end the value',
            hint="put another character after these quotes",
        )
    return f"{quoting}{text}{quoting}"
