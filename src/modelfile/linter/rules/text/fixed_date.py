"""Rule MF525."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.prose import hide_code
from modelfile.linter.rule import Context, rule
from modelfile.syntax.nodes import System

_DATE: Final = (
    r"(?i)(?<![\"'\u201c])\b(?:today is|today's date is|the (?:current|present) (?:date|year|day) is"
    r"|current (?:date|year):|it is currently|heute ist|das heutige datum ist|aujourd'hui,? (?:nous sommes|c'est)"
    r"|hoy es)"
    r"\W+[^.\r\n{}$<>\[\]]{0,30}?\b(?:19|20)\d\d\b"
)
_SIGNS: Final = ("today", "current", "present", "heut", "aujourd", "hoy")


@rule("MF525", "fixed-date", on=System, severity=Severity.WARNING)
def fixed_date(system: System, context: Context) -> Iterator[Finding]:
    r"""SYSTEM says which day it is, and will still say so tomorrow.

    The text is stored in the model when it is built. From the next day on, the model reckons with a wrong date, and
    insists on it. A program that needs the date sends it with each request; TEMPLATE has `{{ currentDate }}` for it.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    SYSTEM You answer questions on billing. Today is March 3, 2024.
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    SYSTEM You answer questions on billing.
    ```
    """
    text = system.value.text
    if not system.value.closed or not any(map(text.lower().__contains__, _SIGNS)):
        return
    if match := re.search(_DATE, hide_code(text)):
        span = context.modelfile.locate_span(system.value, *match.span())
        message = f"`{match[0]}` is stored in the model, and wrong from the next day on"
        yield Finding(span, message, "delete it: a program sends the date with each request")
