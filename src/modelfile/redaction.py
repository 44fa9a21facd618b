"""Secrets in texts: keys, tokens, passwords and numbers of accounts, and the same text without them.

A secret is recognized by the form that its service gives it, by a checksum, or by the words before it. All that prints
a Modelfile's text passes it through here, because logs of CI are read by more people than the repository.
"""

from __future__ import annotations

import re
from binascii import a2b_base64
from collections.abc import Callable, Iterator
from functools import lru_cache
from os.path import commonprefix
from typing import Final

from modelfile.immutable import record
from modelfile.source import Span

SHOWN: Final = 4
"""Number of characters of a long secret that are shown, so that its owner recognizes it; of a short one a quarter."""
_FEWEST_CHARACTERS: Final = 10
"""Number of different characters below which a token is none."""
_MOST_LETTERS: Final = 18
"""Number of different letters from which on letters alone are a token."""
_CUT: Final = 12
_MOST_COMPARED: Final = 10_000_000
"""Characters of a text times the number of secrets, above which they are not compared."""
"""Number of characters from which on the start of a secret counts as that secret, as where a message is cut."""
_HEAD: Final = 100
"""Number of characters of a secret in which a word marks it as a placeholder; long keys contain any word by chance."""
_BEFORE: Final = 60
"""Number of characters before a number in which a word marks it as an example."""
_HIDDEN: Final = r"[^\r\n]"
_TOKEN: Final = re.compile(r"[A-Za-z0-9+/_.=-]*")
_PLACEHOLDER: Final = re.compile(
    r"example|your|xxx|dummy|placeholder|changeme|redacted|insert|goes[_-]?here|\*\*|\.\.\.|…", re.IGNORECASE
)
_HEXADECIMAL: Final = r"[0-9a-f]{32,128}|[0-9A-F]{32,128}"
_SEQUENCE: Final = re.compile(r"1234567|abcdef", re.IGNORECASE)
_EXAMPLE: Final = re.compile(r"example|e\.g\.|such as|test|sample|dummy|fake", re.IGNORECASE)
_EXAMPLE_OF: Final = re.compile(r"\b(?:example|sample|dummy|fake|fictional|invented)\W{1,3}\Z", re.IGNORECASE)
_REJECTED: Final = re.compile(
    r"[\"'`”]{0,3} (?:is|would be) (?:a |an |too )?(?:very )?(?:bad|weak|poor|wrong|invalid|short|example)\b",
    re.IGNORECASE,
)
_WORDS_FOR_NONE: Final = re.compile(
    r"pass(?:word|wd)?\d{0,4}|pwd|secret|token|user(?:name)?|[<{$%\[(].*|.*[>}%\])]|\*+|none|null|true|false|string"
    r"|str|required",
    re.IGNORECASE,
)
"""Words in the place of a password that are none, and references to variables."""
_CLASSES: Final = (re.compile("[a-z]"), re.compile("[A-Z]"), re.compile("[0-9]"))


@record()
class Secret:
    """A secret in a text."""

    span: Span
    kind: str
    """The kind with its article, as in `an OpenAI key`."""

    @property
    def shown(self) -> int:
        """The number of its first characters that output may show."""
        return min(SHOWN, (self.span.end - self.span.start) // 4)


def _is_token(secret: re.Match[str]) -> bool:
    """Return whether the form of a service's token holds a token, rather than words or a placeholder."""
    text = secret[1]
    return not _PLACEHOLDER.search(text, 0, _HEAD) and len(set(text)) >= _FEWEST_CHARACTERS and _is_mixed(text)


def _is_mixed(text: str) -> bool:
    return any(map(str.isdigit, text)) and any(map(str.isalpha, text))


def _is_mixed_case(secret: re.Match[str]) -> bool:
    """Return whether the form of a service's token holds a token that need not have digits."""
    text = secret[1]
    is_cased = all(kind.search(text, 4) for kind in _CLASSES[:2])
    return _is_token(secret) or (
        is_cased and len(set(text)) >= _MOST_LETTERS and not _PLACEHOLDER.search(text, 0, _HEAD)
    )


def _is_random(secret: re.Match[str]) -> bool:
    text = secret[1]
    return _is_token(secret) and not _SEQUENCE.search(text, 0, _HEAD) and all(kind.search(text) for kind in _CLASSES)


def _is_key(secret: re.Match[str]) -> bool:
    """Return whether a value that words call a key is one: random, or many hexadecimal digits."""
    return _is_random(secret) or (re.fullmatch(_HEXADECIMAL, secret[1]) is not None and _is_token(secret))


def _is_basic(secret: re.Match[str]) -> bool:
    """Return whether a text is a user and a password in Base64, as in an HTTP header."""
    try:
        user, colon, password = a2b_base64(secret[1]).decode("ascii").partition(":")
    except ValueError:
        return False
    return bool(user and colon and password) and f"{user}{password}".isprintable()


def _is_given(secret: re.Match[str]) -> bool:
    """Return whether a value that words call a password is one."""
    text = secret[1]
    return not _WORDS_FOR_NONE.fullmatch(text) and not _PLACEHOLDER.search(text, 0, _HEAD)


def _is_password(secret: re.Match[str]) -> bool:
    """Return whether the word after "password is" is a password, rather than the next word of the sentence."""
    text, quoted = secret[1], secret.string[secret.start(1) - 1] in "\"'`“"
    if _EXAMPLE_OF.search(secret.string, max(secret.start() - _BEFORE, 0), secret.start()):
        return False
    if _REJECTED.match(secret.string, secret.end()):
        return False
    if re.fullmatch(f"{_NAME} +", secret.string[secret.start() : secret.start(1)], re.IGNORECASE):
        return _is_given(secret) and all(kind.search(text) for kind in _CLASSES)
    has_sign = any(one in "!@#$%^&*" for one in text[1:]) and any(map(str.isalpha, text))
    is_number = text.isdigit() and len(text) >= SHOWN
    is_code = len(text) > SHOWN and text.isalpha() and text.isupper() and not re.fullmatch(_SHOUTED, text)
    return _is_given(secret) and (
        _is_mixed(text) or has_sign or is_number or is_code or (quoted and " is" in secret[0].lower())
    )


def _is_login(secret: re.Match[str]) -> bool:
    """Return whether the word after a user's name is a password."""
    return _is_given(secret) and all(kind.search(secret[1]) for kind in _CLASSES)


_SHOUTED: Final = r"REQUIRED|NEVER|ALWAYS|SECRET|PRIVATE|INVALID|WRONG|CORRECT|INCORRECT|MANDATORY|UNKNOWN"


def _is_card(number: re.Match[str]) -> bool:
    digits = [int(digit) for digit in number[1] if digit.isdigit()]
    doubled = (digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2])  # noqa: PLR2004  # of Luhn's checksum
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0 and len(set(digits)) > 1 and not _is_example(number)


def _is_account(number: re.Match[str]) -> bool:
    """Return whether the checksum of an IBAN is right (ISO 13616)."""
    plain = number[1].replace(" ", "")
    return int("".join(str(int(one, 36)) for one in plain[4:] + plain[:4])) % 97 == 1 and not _is_example(number)


def _is_example(number: re.Match[str]) -> bool:
    start = max(0, number.start() - _BEFORE, number.string.rfind("\n", 0, number.start()))
    return _EXAMPLE.search(number.string, start, number.start()) is not None


_NAME: Final = r"(?:pass(?:word|wd|phrase|code)|pwd|passwort|kennwort|contraseña|mot de passe)"
_FORMS: Final[tuple[tuple[str, tuple[str, ...] | str, str, Callable[[re.Match[str]], bool]], ...]] = (
    ("an AWS access key", ("AKIA", "ASIA"), r"\b((?:AKIA|ASIA)[0-9A-Z]{16})(?![0-9A-Z])", _is_token),
    (
        "a GitHub token",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        r"\b(gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{22,})",
        _is_token,
    ),
    (
        "a GitLab token",
        ("glpat-", "gldt-", "glrt-", "glptt-", "glcbt-", "glagent-", "glsoat-", "glft-"),
        r"\b(gl(?:pat|dt|rt|ptt|cbt|agent|soat|ft)-[A-Za-z0-9_-]{16,})",
        _is_token,
    ),
    ("an Anthropic key", ("sk-ant-",), r"(?<![\w-])(sk-ant-[A-Za-z0-9_-]{16,})", _is_token),
    (
        "an OpenAI key",
        ("sk-",),
        (
            r"(?<![\w-])(sk-(?:proj|svcacct|admin|or-v1)-[A-Za-z0-9_-]{16,}|sk-(?!ant-)[A-Za-z0-9]{20,}"
            r"|sk-(?!ant-)(?=[a-z_-]*[A-Z0-9])[A-Za-z0-9_-]{40,})"
        ),
        _is_token,
    ),
    ("a Slack token", ("xox", "xapp-"), r"(?<![\w-])((?:xox[abeoprs]|xapp)-[A-Za-z0-9-]{16,})", _is_token),
    (
        "the URL of a webhook",
        ("hooks.slack.com/services/", "/api/webhooks/"),
        r"(hooks\.slack\.com/services/T\w{6,}/B\w{6,}/\w{16,}|discord(?:app)?\.com/api/webhooks/\d{15,}/[\w-]{40,})",
        _is_token,
    ),
    ("a Stripe key", ("k_live_", "k_test_", "whsec_"), r"\b([rs]k_(?:live|test)_\w{16,}|whsec_\w{24,})", _is_token),
    (
        "a Google key",
        ("AIza", "ya29.", "GOCSPX-"),
        r"(?<![\w-])(AIza[A-Za-z0-9_-]{30,}|ya29\.[A-Za-z0-9_-]{20,}|GOCSPX-[A-Za-z0-9_-]{20,})",
        _is_token,
    ),
    ("a Hugging Face token", ("hf_",), r"\b((?:api_org|hf)_[A-Za-z0-9]{30,})", _is_mixed_case),
    ("an npm token", ("npm_",), r"\b(npm_[A-Za-z0-9]{30,})", _is_token),
    ("a PyPI token", ("pypi-",), r"(?<![\w-])(pypi-[A-Za-z0-9_-]{40,}|pypi-AgE[A-Za-z0-9_-]{16,})", _is_token),
    ("a SendGrid key", ("SG.",), r"(?<![\w.])(SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,})", _is_token),
    ("a DigitalOcean token", ("_v1_",), r"\b(do[opr]_v1_[a-f0-9]{40,})", _is_token),
    ("a Twilio key", ("SK", "AC"), r"\b((?:SK|AC)[0-9a-f]{32})\b", _is_token),
    ("a Telegram bot token", (":AA",), r"\b(\d{8,10}:AA[A-Za-z0-9_-]{32,})", _is_token),
    ("a Databricks token", ("dapi",), r"\b(dapi[0-9a-f]{32})\b", _is_token),
    (
        "an access token",  # of Groq, xAI, Perplexity, Replicate, Docker, Vault, Grafana, Shopify, Linear, and others
        (
            "gsk_",
            "xai-",
            "pplx-",
            "r8_",
            "dckr_",
            "hvs.",
            "glsa_",
            "shp",
            "lin_",
            "PMAK-",
            "NRAK-",
            "ATATT3",
            "tvly-",
            "lsv2_",
        ),
        (
            r"(?<![\w-])((?:gsk_|xai-|pplx-|r8_|dckr_[op]at_|hvs\.|glsa_|shp(?:at|ss|ca|pa)_|lin_api_|PMAK-|NRAK-"
            r"|ATATT3|tvly-|"
            r"lsv2_[ps][tk]_)[A-Za-z0-9_-]{20,})"
        ),
        _is_token,
    ),
    (
        "a private key",  # with its last lines, which are shorter, if there is an end
        ("PRIVATE KEY",),
        (
            r"(-----BEGIN (?:[A-Z0-9]+ )?PRIVATE KEY(?: BLOCK)?-----(?:\s|\\n)+[A-Za-z0-9+/=]{16,}+"
            r"(?:(?:[A-Za-z0-9+/=\s]|\\n)*-----END|(?:(?:\s|\\n)*[A-Za-z0-9+/=]{20,}+)*))"
        ),
        _is_token,
    ),
    (
        "a JSON web token",
        ("eyJ",),
        r"(?<![\w-])(eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{16,})",
        _is_token,
    ),
    ("a bearer token", ("bearer ",), r"(?i:\bbearer) +([A-Za-z0-9._~+/-]{20,}=*)", _is_random),
    ("a password in a header", ("basic ",), r"(?i:\bbasic) +([A-Za-z0-9+/]{12,}+={0,2})", _is_basic),
    ("a password in a URL", ("://",), r"://[^\s/:@\"'<>]{0,80}:([^\s/:@\"'<>]{3,80})@[\w.-]", _is_given),
    (
        "a key in a URL",
        ("?", "&"),
        (
            r"(?i:https?://[^\s\"'<>?]{1,300}+\?(?:[^\s\"'<>&=]{1,60}+=[^\s\"'<>&]{0,200}+&){0,8}?(?:amp;)?"
            r"(?:app_?id|[\w.-]{0,20}key|[\w-]{0,20}token|[\w-]{0,20}secret|auth|code|sig|signature)=)"
            r"([A-Za-z0-9+/_=%.~-]{16,200})"
        ),
        _is_key,
    ),
    (
        "a password or key",
        tuple(
            f"{word}{sign}"
            for word in ("word", "passwd", "secret", "key", "token")
            for sign in ("=", ":", " ", '"', "'")
        ),
        (
            r"(?i:password|passwd|secret|api[_-]?key|access[_-]?key|secret[_-]?key|account[_-]?key|auth[_-]?key|token)"
            r"[\"']?\s?[=:]\s?[\"']?([A-Za-z0-9+/_=-]{16,})"
        ),
        _is_key,
    ),
    (
        "a password",
        ("pass", "pwd", "kennwort", "contraseña"),
        (
            rf"(?i:{_NAME})[\"'`*]*\s?(?i:is|are|ist|est|es|=|:|(?<= ))[ :]{{0,3}}[\"'`“*]{{0,3}}"
            r"([^\s\"'`“”,;*<>(){}\[\]]{3,63}[^\s\"'`“”,;.:?*<>(){}\[\]])"
        ),
        _is_password,
    ),
    (
        "a password",
        ("login", "user", "credentials", "account"),
        (
            r"(?i:\b(?:login|credentials|user(?:name)?|account)\b)(?i: is"
            r"|:)?[ \t]{1,3}[\w.@-]{2,40}(?:[ \t]{0,2}[/:|][ \t]{0,2}|,[ \t])"
            r"(?!//)(?=[^\s\"'`<>]{0,40}[A-Z])(?=[^\s\"'`<>]{0,40}[^\w\s/:.,;-])([^\s\"'`<>,;(){}\[\]]{8,40})"
        ),
        _is_login,
    ),
    (
        "a PIN",
        ("pin is", "pin:", "pin =", "pin=", "pin code", "pin`", 'pin"'),
        r"(?i:\bpin(?: code)?)[\"'`*]{0,3}\s?(?i:is|=|:) ?[\"'`*]{0,3}(\d{4,8})\b",
        _is_given,
    ),
    (
        "a card number",
        r"\d\d\d\d[ -]?\d\d\d\d",
        (
            r"(?<![\w.-])((?:4\d{3}|5[1-5]\d\d|2[2-7]\d\d|6(?:011|5\d\d)|35\d\d)([ -]?)\d{4}\2\d{4}\2\d{4}"
            r"|3[47]\d\d([ -]?)\d{6}\3\d{5})(?![\w-]|\.\d)"
        ),
        _is_card,
    ),
    (
        "an IBAN",
        r"[A-Z][A-Z]\d\d",
        r"(?<![\w-])([A-Z]{2}\d\d(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?)(?!\w)",
        _is_account,
    ),
)
"""The forms of secrets: kind, signs without which there is none, pattern, and a last check.

Signs are texts in lower or given case, one of which is there, or a pattern that is quicker.
"""


def _has_sign(signs: tuple[str, ...] | str, text: str, lowered: str) -> bool:
    if isinstance(signs, str):
        return re.search(signs, text) is not None
    for sign in signs:  # noqa: SIM110  # twice as quick as `any`
        if sign in (lowered if sign.islower() else text):
            return True
    return False


@lru_cache(maxsize=1 << 10)  # a lint asks for each text twice: in a rule, and when it prints
def find_secrets(text: str) -> tuple[Secret, ...]:
    """Return the secrets in a text, in its order and without overlap; placeholders are none."""
    lowered = text.lower()
    found = [
        Secret(Span(*match.span(1)), kind)
        for kind, signs, pattern, is_secret in _FORMS
        if _has_sign(signs, text, lowered)
        for match in re.finditer(pattern, text)
        if is_secret(match)
    ]
    return tuple(_without_overlap(sorted(found, key=lambda secret: (secret.span.start, -secret.span.end))))


def _without_overlap(secrets: list[Secret]) -> Iterator[Secret]:
    end = 0
    for secret in secrets:
        if secret.span.start >= end:
            yield secret
            end = secret.span.end


def redact(text: str) -> str:
    """Return a text of the same length and lines in which secrets are asterisks, except for their first characters.

    >>> redact("FROM llama3.2:3b # password=7f3kQ9xT2mLw8Zr4VbNc")
    'FROM llama3.2:3b # password=7f3k****************'
    """
    pieces, end = [], 0
    for secret in find_secrets(text):
        shown = secret.span.start + secret.shown
        pieces += [text[end:shown], re.sub(_HIDDEN, "*", text[shown : secret.span.end])]
        end = secret.span.end
    return "".join((*pieces, text[end:])) if pieces else text


class Redactor:
    """The secrets of a text, to redact them in messages about it, which may quote only the start of one."""

    def __init__(self, text: str) -> None:
        spans = ((secret.span.start, secret.span.end, secret.shown) for secret in find_secrets(text))
        self._secrets = {text[start:end][:_CUT]: (text[start:end], shown) for start, end, shown in spans}
        self._lengths = {*map(len, self._secrets)}

    def __bool__(self) -> bool:
        """Return whether there is a secret."""
        return bool(self._secrets)

    def is_in(self, text: str) -> bool:
        """Return whether a text may contain a secret, of the other text or of its own."""
        if len(text) * len(self._secrets) > _MOST_COMPARED:
            return True
        return any(start in text for start in self._secrets) or redact(text) != text

    def redact(self, message: str) -> str:
        """Return a message of the same length with the text's secrets redacted, and those of its own.

        >>> Redactor("api_key=7f3kQ9xT2mLw8Zr4VbNc").redact("invalid value `7f3kQ9xT2mLw8…`")
        'invalid value `7f3k*********…`'
        """
        for length in self._lengths:
            for at in range(len(message) - length + 1):
                secret, shown = self._secrets.get(message[at : at + length], ("", 0))
                if secret and (length == _CUT or _is_whole(message, at, at + length)):
                    end = at + len(commonprefix((secret, message[at : at + len(secret)])))  # noqa: RUF071  # of characters
                    rest = _TOKEN.match(message, end) if length == _CUT else None
                    end = rest.end() if rest else end
                    message = message[: at + shown] + "*" * (end - at - shown) + message[end:]
        return redact(message)


def _is_whole(text: str, start: int, end: int) -> bool:
    """Return whether a part of a text is not the middle of a word or number."""
    return not (text[start - 1 : start].isalnum() or text[end : end + 1].isalnum())
