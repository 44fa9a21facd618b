"""Rule MF524."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Message, System

_ONLY: Final = (
    r"\b(?:(?:only|always|exclusively) (?:answer|respond|reply|output|return|write)\w*"
    r"|(?:answer|respond|reply|output|return|write)s?\b(?:\W+\w+){0,3}?\W+(?:only|exclusively|always))\b"
    r"(?:\W+\w+){0,4}?\W+(yaml|xml|html)\b"
)
_UNSURE: Final = r"\b(?:if|when|unless|not|never)\b|n't\b"
_MOST_WORDS: Final = 3
"""The number of words of the longest answer that is compared with the allowed ones."""


@rule("MF524", "contradicting-example", on=Modelfile, severity=Severity.WARNING)
def contradicting_example(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""An example answer is none of those that SYSTEM allows.

    A model follows examples before instructions: a label that SYSTEM does not list comes back later, and so does
    another name for the assistant. The rule compares short answers with a list such as "one word: yes, no or unknown",
    the name in "You are Anna" with "I am Lisa", and answers in JSON with a demand for YAML, XML or HTML only.

    ## Bad

    ```
    # Judges reviews.
    FROM llama3.2:3b
    SYSTEM Answer with exactly one word: positive, negative or neutral.
    MESSAGE user I love it.
    MESSAGE assistant Happy
    ```

    ## Good

    ```
    # Judges reviews.
    FROM llama3.2:3b
    SYSTEM Answer with exactly one word: positive, negative or neutral.
    MESSAGE user I love it.
    MESSAGE assistant positive
    ```
    """
    system = modelfile.last(System)
    if system is None or not system.value.closed or not (prompt := system.value.text):
        return
    messages = modelfile.of_type(Message)
    answers = [node for node in messages if node.role.text == "assistant" and node.value.closed and node.value.text]
    if not answers:
        return
    from modelfile.linter import tasks  # for few files

    allowed, persona, form = tasks.allowed_answers(prompt), tasks.persona_name(prompt), _only_form(prompt)
    lowered = {word.lower() for word in allowed}
    for node in answers:
        text = node.value.text.strip()
        words = re.findall(r"[\w/-]+", text)
        name = tasks.own_name(text) if persona else None
        if allowed and 0 < len(words) <= _MOST_WORDS and not lowered & {word.lower() for word in words}:
            problem = f"this answer is `{text}`, but {{}} allows only {', '.join(f'`{each}`' for each in allowed)}"
        elif name and persona and name not in prompt:
            problem = f"the assistant calls itself {name} here, but {{}} calls it {persona}"
        elif form and text[:1] in ("{", "["):
            problem = f"this answer is JSON, but {{}} asks for {form} only"
        else:
            continue
        line = modelfile.source.line_of(system.span.start)
        yield Finding(
            node.value.span, problem.replace("{}", f"SYSTEM in line {line}", 1), "change the answer, or change SYSTEM"
        )


def _only_form(prompt: str) -> str | None:
    """Return the one format that a prompt allows, if answers in it do not begin with a brace."""
    match = re.search(_ONLY, prompt, re.IGNORECASE) if "ml" in prompt.lower() else None
    if match is None or re.search(
        _UNSURE, prompt[prompt.rfind("\n", 0, match.start()) + 1 : match.end()], re.IGNORECASE
    ):
        return None
    return match[1].upper()
