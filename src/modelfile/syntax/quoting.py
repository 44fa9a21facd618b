"""How a text is written so that Ollama reads that text: bare, in `"`, or in triple quotes. There are no escapes."""

from __future__ import annotations

import re
from typing import Final

from modelfile.characters import NUL, mask
from modelfile.errors import InputError
from modelfile.syntax.nodes import Quoting

_LINE_END: Final = re.compile(r"[\r\n]")
_EARLY_DOUBLE: Final = re.compile(r'"[ \t]*[\r\n]')
_EARLY_TRIPLE: Final = re.compile(r'"""[ \t]*[\r\n]')


def can_hold(quoting: Quoting, text: str) -> bool:
    """Whether Ollama reads the same between these quotes as the text is, but for the characters it drops anyway."""
    kept = mask(text).replace(NUL, "")
    match quoting:
        case Quoting.NONE:
            return bool(kept) and not _LINE_END.search(kept) and kept == kept.strip(" \t") and kept[0] != '"'
        case Quoting.DOUBLE:
            return kept != '"' and not kept.startswith('""') and not _EARLY_DOUBLE.search(kept)
        case Quoting.TRIPLE:
            return not _EARLY_TRIPLE.search(kept)


def plainest(text: str) -> Quoting | None:
    """The plainest quoting that can hold a text; None if no Modelfile can express it."""
    return next((quoting for quoting in Quoting if can_hold(quoting, text)), None)


def quote(text: str) -> str:
    """A text as it is to be written behind an instruction.

    Raises:
        InputError: No Modelfile can express it: Ollama would drop a character of it, or end it early.
    """
    if NUL in (masked := mask(text)):
        character = text[masked.index(NUL)]
        raise InputError(f"no Modelfile can express U+{ord(character):04X}: Ollama drops it")
    quoting = plainest(text)
    if quoting is None:
        raise InputError(
            'no Modelfile can express this text: it has a line that ends in """, which would end it there',
            hint="put another character after the quotes",
        )
    return f"{quoting}{text}{quoting}"
