"""Rule MF522."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.linter.rules.parameters import effective_numbers
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Comment

_LOW: Final = 0.3
_HIGH: Final = 1
_RANDOM: Final = 0.7
_UNDECIDED: Final = (
    r"\b(?:higher|lower|not?|never|without|avoid|if|when|unless|try|instead|too|or|vs|than|less|more|was|were)\b|=|n't"
)
_SAME: Final = r"(?<![\w-])(?:deterministic|repeatable|reproducible) (?:answers?|outputs?|results?|replies)\b"
_DIFFERENT: Final = r"\b(?:every|each) (?:run|time|call|answer|request)\b[^.]{0,40}\b(?:different|another|new)\b"
_WORDS: Final = rf"\b(?:high|low) temperature\b|{_SAME}|{_DIFFERENT}"


@rule("MF522", "contradicting-comment", on=Modelfile, severity=Severity.WARNING)
def contradicting_comment(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""A comment says the opposite of a parameter.

    One of them is out of date, and a reader cannot know which. The rule knows comments on a high or low temperature,
    on repeatable answers, and on answers that differ each time although a `seed` makes them the same.

    ## Bad

    ```
    # Answers questions on billing, with a low temperature.
    FROM llama3.2:3b
    PARAMETER temperature 1.2
    ```

    ## Good

    ```
    # Answers questions on billing, with a low temperature.
    FROM llama3.2:3b
    PARAMETER temperature 0.2
    ```
    """
    numbers = effective_numbers(modelfile, context)
    if "temperature" not in numbers and "seed" not in numbers:
        return
    for comment in modelfile.of_type(Comment):
        text = comment.text.lower()
        if not re.search(_WORDS, text) or re.search(_UNDECIDED, text):
            continue
        line = modelfile.source.line_of(comment.span.start)
        for name, meant in _meant(text, {name: number for name, (number, _) in numbers.items()}):
            value = numbers[name][1].value
            message = f"`{name} {value.text}`, but the comment in line {line} speaks of {meant}"
            yield Finding(value.span, message, "change the parameter, or the comment")
        return


def _meant(text: str, numbers: dict[str, float]) -> Iterator[tuple[str, str]]:
    """Yield the parameters that a comment in lower case contradicts, and the words for what it says."""
    temperature = numbers.get("temperature")
    is_fixed = numbers.get("seed", -1) >= 0
    if temperature is not None:
        if temperature <= _LOW and "high temperature" in text:
            yield "temperature", "a high temperature"
        elif temperature >= _HIGH and "low temperature" in text:
            yield "temperature", "a low temperature"
        elif temperature >= _RANDOM and not is_fixed and re.search(_SAME, text):
            yield "temperature", "repeatable answers"
    if is_fixed and re.search(_DIFFERENT, text):
        yield "seed", "different answers each time"
