"""Rule MF701."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.source import Span
from modelfile.syntax.modelfile import Modelfile

_FORMS: Final = (
    ("an AWS access key", r"(?:AKIA|ASIA)[0-9A-Z]{16}"),
    ("a GitHub token", r"gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60,}"),
    ("an Anthropic key", r"sk-ant-[A-Za-z0-9_-]{24,}"),
    ("an OpenAI key", r"sk-(?:proj-)?[A-Za-z0-9_-]{40,}"),
    ("a Slack token", r"xox[abpr]-[A-Za-z0-9-]{20,}"),
    ("a Google key", r"AIza[A-Za-z0-9_-]{35}"),
    ("a Hugging Face token", r"hf_[A-Za-z0-9]{34}"),
    ("a private key", r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\s+[A-Za-z0-9+/=]{40}"),
    ("a JSON web token", r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}"),
)
_ASSIGNED: Final = r"(?i:password|passwd|secret|api[_-]?key|token)[\"']?\s?[=:]\s?[\"']?([A-Za-z0-9+/_=-]{16,})"
_ANY_SIGN: Final = re.compile(r"AKIA|ASIA|gh[pousr]_|github_pat_|sk-|xox|AIza|hf_|PRIVATE|eyJ|[=:]")
_PLACEHOLDER: Final = re.compile(r"example|your|xxx|dummy|placeholder|1234567|abcdef|changeme", re.IGNORECASE)
_CLASSES: Final = (re.compile("[a-z]"), re.compile("[A-Z]"), re.compile("[0-9]"))
_FEWEST_CHARACTERS: Final = 10
_SHOWN: Final = 4


@rule("MF701", "secret-in-text", on=Modelfile, severity=Severity.WARNING)
def secret_in_text(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""The file contains a key or a password.

    Anyone who has the model can read it with `ollama show`, and anyone who talks to the model can make it repeat
    its prompt. A comment does not become part of the model, but it is in the repository. Remove the secret, and revoke
    it: others may have seen it.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    SYSTEM Ask the billing service with api_key=7f3kQ9xT2mLw8Zr4VbNc
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    SYSTEM Ask the billing service through the tool that you are given.
    ```
    """
    text, seen = modelfile.text, 0
    if not _ANY_SIGN.search(text):
        return
    for match in _any_form().finditer(text):
        form = next(index for index, group in enumerate(match.groups()) if group is not None)
        start, end = match.span(form + 1)
        secret = match[form + 1]
        is_form = form < len(_FORMS)
        if start < seen or _PLACEHOLDER.search(secret) or len(set(secret)) < _FEWEST_CHARACTERS:
            continue
        if not is_form and not all(kind.search(secret) for kind in _CLASSES):
            continue
        seen = end
        what = _FORMS[form][0] if is_form else "a password or key"
        message = f"this looks like {what}: `{secret[:_SHOWN]}…`"
        yield Finding(Span(start, end), message, "remove it from the file, and revoke it: others may have seen it")


def _any_form() -> re.Pattern[str]:
    """Return one pattern with a group for each form; compiled, and cached by `re`, only if a text has a sign of one."""
    forms = "|".join(f"({form})" for _, form in _FORMS)
    return re.compile(f"(?<![A-Za-z0-9_-])(?:{forms}|{_ASSIGNED})")
