"""Text and messages (MF5xx)."""

from __future__ import annotations

from modelfile.characters import is_unprintable, unusual_characters
from modelfile.linter.rule import Context, once_per_file
from modelfile.syntax.modelfile import Modelfile


@once_per_file
def characters_beyond_ascii(modelfile: Modelfile, _: Context) -> frozenset[str]:
    """Return the distinct characters that are not ASCII, and the ASCII controls but tabs and newlines."""
    return unusual_characters(modelfile.text)


@once_per_file
def has_unprintable(modelfile: Modelfile, context: Context) -> bool:
    """Return whether a Modelfile has a character that Ollama drops from values."""
    return any(map(is_unprintable, characters_beyond_ascii(modelfile, context)))
