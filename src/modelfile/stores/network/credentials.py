"""The key and other secrets in what a server says: removed from its messages, and a reason to reject its answers.

A message of a server (a status, an error, a status line) is shown and logged, so secrets are redacted in it. What a
model holds has to stay as it is, byte for byte: an answer with the key in it is rejected as a whole.
"""

from __future__ import annotations

import contextlib
import json
import re
from typing import Final

from modelfile.characters import escape_controls

REDACTED: Final = "[redacted]"
_SHORTEST: Final = 8
"""Characters from which a key counts as a secret: `ollama` is a placeholder, and a part of many texts."""
_LONGEST: Final = 2000
"""Characters of a message that are shown."""
_AUTHORIZATION: Final = re.compile(r"\b(bearer|basic)\s+[\w.~+/=:-]{4,}", re.IGNORECASE)
_USER: Final = re.compile(r"(?<=://)[^\s/?#@\"']*@")
_QUERY: Final = re.compile(r"(?<=[?&])([\w.~%+-]{1,100})=([^\s&#\"'<>]*)")
_PUBLIC: Final = frozenset({"service", "scope", "ts", "tag", "n", "last", "digest", "from", "mount"})
"""Parameters of a registry's URLs that grant nothing; a signed URL has others, and any may be a secret."""


class Credentials:
    """The key of a server, to keep it out of what the server says; it may be empty."""

    def __init__(self, key: str) -> None:
        self._forms = sorted(_forms(key), key=len, reverse=True) if len(key) >= _SHORTEST else []

    def clean(self, text: str) -> str:
        """Return a message without secrets and control characters, and no longer than can be read."""
        for form in self._forms:
            text = text.replace(form, REDACTED)
        text = text[:_LONGEST]
        text = _AUTHORIZATION.sub(rf"\1 {REDACTED}", text)
        text = _USER.sub(f"{REDACTED}@", text)
        text = _QUERY.sub(_redact_parameter, text)
        return escape_controls(text)

    def is_in(self, answer: bytes) -> bool:
        """Return whether the key is in an answer, as it is or as JSON spells it."""
        if not self._forms:
            return False
        text = answer.decode(errors="replace")
        if "\\" in text:
            with contextlib.suppress(ValueError, RecursionError):  # it is rejected for that
                text += json.dumps(json.loads(text), ensure_ascii=False)
        return any(form in text for form in self._forms)


def _redact_parameter(found: re.Match[str]) -> str:
    return found[0] if found[1].lower() in _PUBLIC else f"{found[1]}={REDACTED}"


def _forms(key: str) -> set[str]:
    """Return the key as it is, as in a URL, and inside base64, which spells it in three ways."""
    from base64 import b64encode  # few servers have a key
    from urllib.parse import quote, quote_plus

    forms = {key, quote(key, safe=""), quote_plus(key), key.encode().hex()}
    for before in range(3):
        encoded = b64encode(bytes(before) + key.encode()).decode().rstrip("=")
        whole = encoded[-(-before * 8 // 6) : len(encoded) - 1]
        forms |= {whole, whole.replace("+", "-").replace("/", "_")}
    return forms
