"""The chat templates of weights that Ollama recognizes, as figures that tell whether it recognizes another text.

A server compares the chat template of a GGUF file with 37 texts. If the nearest differs in fewer than 100 characters,
the model gets Ollama's translation of it and its `stop` list. The texts are Ollama's; here are their sha256, how often
each character occurs, and the facts about their translations. docs/chat_templates.py derives them.

Source: `Named` in template/template.go and template/index.json, alike from v0.6.3 to v0.33.0-rc2.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from modelfile.immutable import record

_NEAR: Final = 100
"""The edit distance from which on Ollama does not recognize a text."""
_REPLACEMENT: Final = "\ufffd"
"""Stands for bytes that are not UTF-8; Go counts them differently, so they prove nothing."""
_LONGEST: Final = 65_000
"""Characters of the longest text whose distances Ollama computes right: it counts in 16 bits (levenshtein.go)."""


@record(kw_only=True)
class ChatTemplate:
    """A chat template that Ollama recognizes."""

    name: str
    """Ollama's name of the translation, which several texts share."""
    sha256: str
    """Of the text, 64 hexadecimal digits."""
    characters: Mapping[str, int]
    """How often each character occurs in the text."""
    template: str
    """The digest (`sha256:…`) of the translation, a template layer."""
    size: int
    """Size of the translation in bytes."""
    stop: tuple[str, ...]
    """The parameter `stop` that comes with it."""


@cache
def chat_templates() -> tuple[ChatTemplate, ...]:
    """Return all of them, in Ollama's order."""
    read: list[dict[str, Any]] = json.loads(Path(__file__).with_name("chat_templates.json").read_text(encoding="utf-8"))
    return tuple(ChatTemplate(**{**each, "stop": tuple(each["stop"])}) for each in read)


def recognize(text: str) -> tuple[ChatTemplate | None, bool]:
    """Return the chat template that Ollama recognizes in a text, and whether the figures prove that.

    Equal texts are recognized. A text is proved not to be recognized if it has 100 characters more or less than each of
    the known ones: every insertion and deletion changes the number of one character by one, a substitution adds one and
    takes one away. Anything between is undecided.

    >>> recognize("{{ messages }}" * 1_000)
    (None, True)
    """
    digest = hashlib.sha256(text.encode(errors="replace")).hexdigest()
    if known := next((each for each in chat_templates() if each.sha256 == digest), None):
        return known, True
    characters = Counter(text)
    del characters[_REPLACEMENT]
    distance = min(_least_distance(characters, Counter(each.characters)) for each in chat_templates())
    return None, distance >= _NEAR and len(text) <= _LONGEST


def find_translation(text: str) -> ChatTemplate | None:
    """Return the first chat template that Ollama translates to a text; None if there is none."""
    digest = f"sha256:{hashlib.sha256(text.encode(errors='replace')).hexdigest()}"
    return next((each for each in chat_templates() if each.template == digest), None)


def _least_distance(text: Counter[str], other: Counter[str]) -> int:
    return max((text - other).total(), (other - text).total())
