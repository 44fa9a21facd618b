"""Rule MF703."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.prose import count_digits
from modelfile.linter.rule import Context, rule
from modelfile.syntax.nodes import Instruction, Message, System, Template

_MAIL: Final = r"(?<![\w.+-])[\w.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,4}[A-Za-z]{2,12}(?![\w-]|\.\w)"
_IN_URL: Final = r"://[^\s/]*\Z"
"""The start of a URL before a password and a host, which look like a mail address."""
_SHARED: Final = (
    r"(?:[^@\s]+@(?:[^@\s]+\.)?(?:example|test|domain|email|yourcompany|foo|bar|xyz|abc)\.\w+"
    r"|[^@\s]+@[^@\s]+\.(?:example|test|invalid|local|png|jpg|svg)"
    r"|(?:support|info|help|helpdesk|sales|contact|admin|hello|office|service|team|billing|security|noreply|no-reply|press"
    r"|privacy|emergency|incidents?|ops|dev|devops|it|soc|alerts?|oncall|news|events|orders?|returns|legal|jobs|hr|careers|marketing|feedback|abuse|postmaster|webmaster|user|you|your|name|git|me|root"
    r"|kontakt|someone|username|firstname[^@\s]*|john\.?doe|jane\.?doe|your[^@\s]*|example[^@\s]*|test[^@\s]*)@[^@\s]+)"
)
"""Addresses of no person: examples, and those of a company's departments."""
_PHONE: Final = (
    r"(?<![\w.+/-])(?:\+[1-9]\d{0,2}[ .-]?(?:\(\d{1,4}\)[ .-]?)?(?:\d{2,4}[ .-]?){2,4}\d{2,4}"
    r"|(?:\+?1[ .-])?(?:\(\d{3}\) ?|[2-9]\d{2}[.-])\d{3}[.-]\d{4})(?![\w-]|\.\d)"
)
_FICTIONAL: Final = r"555|(\d)\1{4}|0{4}|1234|123[ .-]?456"
"""Parts of telephone numbers of nobody."""
_TOLL_FREE: Final = r"\A(?:\+?1[ .-]?)?\(?8(?:00|33|44|55|66|77|88)\b|\A\+\d{1,3}[ .-]?800\b"
"""Starts of the numbers of services."""
_NOBODYS: Final = rf"{_FICTIONAL}|{_TOLL_FREE}"
_OFFICE: Final = (
    r"https?://|\bwww\.|\b(?i:hotline|helpline|switchboard|reception|front desk|office|call cent(?:er|re)|emergency)\b"
)
"""Words on the line of a number, or of the lines beside it, that make it one of an organization."""
_SECURITY_NUMBER: Final = r"(?i:\bssn|social security)\D{1,30}(?!000|666|9)(\d{3}-\d{2}-\d{4})\b"
_IDENTITY: Final = (
    r"(?i:\b(?:(?:health )?insurance|passport|patient|identity card|id card|driver'?s licen[cs]e|tax|member(?:ship)?)"
    r"[ -]?(?:number|no\.?|id|#)\s?(?:is|:)?\s?)((?=[A-Z]{0,3}\d)[A-Z]{0,3}[\d-]{7,14})\b"
)
_FEWEST_DIGITS: Final = 9
"""Digits of the shortest telephone number, and of a social security number."""
_LONGEST_LINE: Final = 200
"""Number of characters beside a telephone number that may say whose it is."""


@rule("MF703", "personal-data", on=(System, Message, Template), severity=Severity.INFO)
def personal_data(instruction: Instruction, context: Context) -> Iterator[Finding]:
    r"""A text contains the mail address, telephone number or insurance number of a person.

    Anyone who talks to the model can make it repeat its prompt, and `ollama show` prints it. Name the address of a
    department instead, or let the application look the person up. Addresses of departments such as `support@`, those of
    example domains, toll-free numbers, and fictional ones with 555 are not reported; nor are comments and licenses,
    which name authors.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    SYSTEM You answer questions on billing. Send complaints to anna.berg@meridian-energy.de.
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    SYSTEM You answer questions on billing. Send complaints to support@meridian-energy.de.
    ```
    """
    value = instruction.value
    if not value.closed:
        return
    for kind, match in _people(value.text):
        span = context.modelfile.locate_span(value, *match.span(match.lastindex or 0))
        hint = "remove it: the model can repeat it to anyone"
        yield Finding(span, f"this looks like a person's {kind}", hint)
        return  # one of a text is enough for its author to see them all


def _people(text: str) -> Iterator[tuple[str, re.Match[str]]]:
    if "@" in text:
        for match in re.finditer(_MAIL, text):
            is_in_url = re.search(_IN_URL, text[max(0, match.start() - _LONGEST_LINE) : match.start()])
            if not is_in_url and not re.fullmatch(_SHARED, match[0], re.IGNORECASE):
                yield "mail address", match
    digits = count_digits(text)
    if digits >= _FEWEST_DIGITS and ("+" in text or "-" in text or "(" in text):
        for match in re.finditer(_PHONE, text):
            is_long = sum(map(str.isdigit, match[0])) >= _FEWEST_DIGITS
            if is_long and not re.search(_NOBODYS, match[0]) and not _is_of_office(text, match):
                yield "telephone number", match
        for match in re.finditer(_SECURITY_NUMBER, text):
            yield "social security number", match
    for match in re.finditer(_IDENTITY, text) if digits else ():
        if not re.search(_NOBODYS, match[1]):
            yield "identity number", match


def _is_of_office(text: str, number: re.Match[str]) -> bool:
    """Return whether the line of a telephone number, or a line beside it, has a web address or names an office."""
    before = text[max(0, number.start() - _LONGEST_LINE) : number.start()].splitlines()[-2:]
    after = text[number.end() : number.end() + _LONGEST_LINE].splitlines()[:2]
    return any(re.search(_OFFICE, line) for line in (*before, *after))
