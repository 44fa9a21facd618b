"""Rule MF507."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Message, System

# Compiled on use: that takes 2 ms, and few Modelfiles ask for JSON.
_SENTENCE: Final = r"[^.!?;\r\n]+"
_DEMAND: Final = (
    r"\b(?:respond|reply|answer|output|return|write)s?\b(?:\W+\w+){0,4}?\W+"
    r"(?:(?:only|exclusively|strictly)\b(?:\W+\w+){0,4}?\W+json\b"
    r"|json\b(?:\W+\w+){0,1}?\W+(?:only|exclusively)\b)"
    r"|\b(?:only|always)\W+(?:respond|reply|answer|output|return|write)\b(?:\W+\w+){0,4}?\W+json\b"
)
_CONDITION: Final = (
    r"\b(?:if|when|whenever|unless|except|where|for|during|while|not|never|avoid|once|after|tools?)\b|n't\b"
)
_MODES: Final = r"\b(?:if|when)\s+(?:you\s+are\s+)?(?:asked|requested|the\s+user)\b|\bmodes?\b"
_FENCED: Final = r"```\w*\s(.*)```"


@rule("MF507", "contradictory-json", on=Modelfile, severity=Severity.WARNING)
def contradictory_json(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""An example answer is not JSON, but SYSTEM asks for JSON only.

    A model follows examples before instructions. One MESSAGE of the assistant that is not JSON teaches it that there
    are exceptions, and programs that read its answers fail on them. The rule only looks at a SYSTEM that asks for JSON
    without any condition.

    ## Bad

    ```
    # Sorts mail.
    FROM llama3.2:3b
    SYSTEM Sort the mail that you are given. Respond only in JSON.
    MESSAGE user My bill is wrong.
    MESSAGE assistant This is about billing.
    ```

    ## Good

    ```
    # Sorts mail.
    FROM llama3.2:3b
    SYSTEM Sort the mail that you are given. Respond only in JSON.
    MESSAGE user My bill is wrong.
    MESSAGE assistant {"topic": "billing"}
    ```
    """
    answers = [node for node in modelfile.of_type(Message) if node.role.text == "assistant"]
    system = modelfile.last(System)
    if not answers or system is None or not system.value.closed or not _demands_json(system.value.text):
        return
    line = modelfile.source.line_of(system.span.start)
    for node in answers:
        if node.value.closed and not _is_json(node.value.text):
            message = f"this answer is not JSON, but SYSTEM in line {line} asks for JSON only"
            yield Finding(node.value.span, message, "write the answer as the JSON that the model should return")


def _demands_json(text: str) -> bool:
    if "json" not in text.lower() or re.search(_MODES, text, re.IGNORECASE):
        return False
    return any(
        re.search(_DEMAND, sentence, re.IGNORECASE) and not re.search(_CONDITION, sentence, re.IGNORECASE)
        for sentence in re.findall(_SENTENCE, text)
    )


def _is_json(text: str) -> bool:
    """Return True if a text, its Markdown fence or each of its lines is JSON."""
    from json import loads  # 5 ms, for few files

    fenced = re.search(_FENCED, text, re.DOTALL)
    body = (fenced[1] if fenced else text).strip()
    for parts in ([body], body.splitlines()):
        try:
            for part in filter(str.strip, parts):
                loads(part)
        except (ValueError, RecursionError):  # of nesting that no program reads either
            continue
        return True
    return False
