"""Secrets in texts: keys, tokens and passwords, and the same text without them.

A secret is recognized by the form that its service gives it, or by the word before it. All that prints a Modelfile's
text passes it through here, because logs of CI are read by more people than the repository.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from modelfile.source import Span

_FORMS: Final = (
    ("an AWS access key", r"(?:AKIA|ASIA)[0-9A-Z]{16}"),
    ("a GitHub token", r"gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60,}"),
    ("an Anthropic key", r"sk-ant-[A-Za-z0-9_-]{24,}"),
    ("an OpenAI key", r"sk-(?:proj-)?[A-Za-z0-9_-]{40,}"),
    ("a Slack token", r"xox[abpr]-[A-Za-z0-9-]{20,}"),
    ("a Google key", r"AIza[A-Za-z0-9_-]{35}"),
    ("a Hugging Face token", r"hf_[A-Za-z0-9]{34}"),
    (
        "a private key",  # with its last lines, which are shorter, if there is an end
        (
            r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----(?:\s|\\n)+[A-Za-z0-9+/=]{40,}+"
            r"(?:(?:[A-Za-z0-9+/=\s]|\\n)*-----END|(?:(?:\s|\\n)*[A-Za-z0-9+/=]{20,})*)"
        ),
    ),
    ("a JSON web token", r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}"),
)
_ASSIGNED: Final = r"(?i:password|passwd|secret|api[_-]?key|token)[\"']?\s?[=:]\s?[\"']?([A-Za-z0-9+/_=-]{16,})"
_ANY_SIGN: Final = re.compile(
    r"AKIA|ASIA|gh[pousr]_|github_pat_|sk-|xox|AIza|hf_|PRIVATE|eyJ|(?i:word|passwd|secret|key|token)[\"']?\s?[=:]"
)
_PLACEHOLDER: Final = re.compile(r"example|your|xxx|dummy|placeholder|1234567|abcdef|changeme", re.IGNORECASE)
_CLASSES: Final = (re.compile("[a-z]"), re.compile("[A-Z]"), re.compile("[0-9]"))
_FEWEST_CHARACTERS: Final = 10
"""Number of different characters below which a text is no secret."""
SHOWN: Final = 4
"""Number of characters of a secret that are shown, so that its owner recognizes it."""
_CUT: Final = 12
"""Number of characters from which on the start of a secret counts as that secret, as where a message is cut."""
_HIDDEN: Final = re.compile(r"[^\r\n]")
_TOKEN: Final = re.compile(r"[A-Za-z0-9+/_.=-]*")
_HEAD: Final = 100
"""Number of characters of a secret in which a word marks it as a placeholder; long keys contain any word by chance."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret in a text."""

    span: Span
    kind: str
    """The kind with its article, as in `an OpenAI key`."""


@lru_cache(maxsize=8)
def find_secrets(text: str) -> tuple[Secret, ...]:
    """Return the secrets in a text, in its order and without overlap; placeholders are none."""
    return tuple(_find(text)) if _ANY_SIGN.search(text) else ()


def _find(text: str) -> Iterator[Secret]:
    for match in _any_form().finditer(text):
        form = next(index for index, group in enumerate(match.groups()) if group is not None)
        secret, is_form = match[form + 1], form < len(_FORMS)
        if _PLACEHOLDER.search(secret, 0, _HEAD) or len(set(secret)) < _FEWEST_CHARACTERS:
            continue
        if is_form or all(kind.search(secret) for kind in _CLASSES):
            yield Secret(Span(*match.span(form + 1)), _FORMS[form][0] if is_form else "a password or key")


def _any_form() -> re.Pattern[str]:
    """Return one pattern with a group for each form; compiled, and cached by `re`, only if a text has a sign of one."""
    forms = "|".join(f"({form})" for _, form in _FORMS)
    return re.compile(f"(?<![A-Za-z0-9_-])(?:{forms}|{_ASSIGNED})")


def redact(text: str) -> str:
    """Return a text of the same length and lines in which secrets are asterisks, except for their first characters.

    >>> redact("FROM llama3.2:3b # password=7f3kQ9xT2mLw8Zr4VbNc")
    'FROM llama3.2:3b # password=7f3k****************'
    """
    pieces, end = [], 0
    for secret in find_secrets(text):
        shown = secret.span.start + SHOWN
        pieces += [text[end:shown], _HIDDEN.sub("*", text[shown : secret.span.end])]
        end = secret.span.end
    return "".join((*pieces, text[end:])) if pieces else text


class Redactor:
    """The secrets of a text, to redact them in messages about it, which may quote only the start of one."""

    def __init__(self, text: str) -> None:
        spans = (secret.span for secret in find_secrets(text))
        self._starts = {text[span.start : span.start + _CUT] for span in spans}

    def __bool__(self) -> bool:
        """Return whether there is a secret."""
        return bool(self._starts)

    def redact(self, message: str) -> str:
        """Return a message of the same length with the text's secrets redacted, and those of its own.

        >>> Redactor("api_key=7f3kQ9xT2mLw8Zr4VbNc").redact("invalid value `7f3kQ9xT2mLw8…`")
        'invalid value `7f3k*********…`'
        """
        starts = (at for at in range(len(message)) if message[at : at + _CUT] in self._starts)
        for at in starts if self._starts else ():
            message = message[: at + SHOWN] + _TOKEN.sub(_asterisks, message[at + SHOWN :], count=1)
        return redact(message)


def _asterisks(match: re.Match[str]) -> str:
    return "*" * len(match[0])
