"""Rule MF522."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, last_from, looks_like_path, rule
from modelfile.linter.rules.parameters import effective_numbers
from modelfile.linter.rules.weights.foreign_adapter import makers
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Comment, Parameter

_LOW: Final = 0.3
_HIGH: Final = 1
_RANDOM: Final = 0.7
_UNDECIDED: Final = (
    r"\b(?:higher|lower|not?|never|without|avoid|if|when|unless|try|instead|too|or|vs|than|less|more|was|were)\b|=|n't"
)
_SAME: Final = r"(?<![\w-])(?:deterministic|repeatable|reproducible) (?:answers?|outputs?|results?|replies)\b"
_DIFFERENT: Final = r"\b(?:every|each) (?:run|time|call|answer|request)\b[^.]{0,40}\b(?:different|another|new)\b"
_SUBJECTS: Final = {
    "num_ctx": r"\b(?:context|tokens?|window|num_ctx)\b",
    "num_predict": r"\b(?:tokens?|num_predict|answers?|output)\b",
    "temperature": r"\btemp(?:erature)?\b",
    "num_gpu": r"\b[cg]pu\b",
}
"""Parameters, and what a comment right above them is about if it is about their numbers."""
_ABOUT_OTHERS: Final = (
    r"\A\W*parameter\b|\b(?:default|max(?:imum)?|up to|supports?|trained|limit|at least|at most|from|between|per"
    r"|instead|increase\w*|decrease\w*|reduc\w*|see|issue|version|about|around|prompt|system|history"
    r"|documents?)\b|~|->|\d ?- ?\d"
)
_BUILT_ON: Final = r"\b(?:(?:built|based) (?:up)?on|base(?: model)?:)\s+([^.,;()\r\n]{2,40})"
_NOT_WEIGHTS: Final = (
    r"\b(?:prompts?|formats?|templates?|styles?|papers?|docs|documentation|examples?|ideas?|tutorials?|recipes?|cards?"
    r"|recommend\w*|settings?|parameters?|values?|tests?|benchmarks?|instead|not|was|formerly|originally|files?)\b"
)
"""Words of comments on what else a file is based on."""
_HOTTEST: Final = 2
_FEWEST: Final = 64
"""The smallest number without `k` that a comment means for a number of tokens."""
_WORDS: Final = rf"\b(?:high|low) temperature\b|{_SAME}|{_DIFFERENT}"


@rule("MF522", "contradicting-comment", on=Modelfile, severity=Severity.WARNING)
def contradicting_comment(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""A comment says the opposite of a parameter.

    One of them is out of date, and a reader cannot know which. The rule knows comments on a high or low temperature,
    on repeatable answers, and on answers that differ each time although a `seed` makes them the same. It compares the
    number in a comment right above a parameter, such as "32k context", the CPU or GPU, and the model that the file is
    "based on".

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
    comments = modelfile.of_type(Comment)
    if not comments:
        return
    numbers = effective_numbers(modelfile, context)
    yield from _of_neighbors(modelfile, numbers)
    yield from _of_base(modelfile, comments)
    if "temperature" not in numbers and "seed" not in numbers:
        return
    for comment in comments:
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


def _of_neighbors(modelfile: Modelfile, numbers: Mapping[str, tuple[float, Parameter]]) -> Iterator[Finding]:
    """Yield findings on parameters with another number, or another device, than the comment right above them."""
    nodes = modelfile.nodes
    for above, node in pairwise(nodes):
        if not isinstance(above, Comment) or not isinstance(node, Parameter):
            continue
        name = node.name.text
        if name not in _SUBJECTS or name not in numbers or numbers[name][1] is not node:
            continue
        text = above.text.lower()
        if re.search(rf"{_UNDECIDED}|{_ABOUT_OTHERS}", text) or not re.search(_SUBJECTS[name], text):
            continue
        if set(re.findall(r"[a-z]+_[a-z]+", text)) - {name}:  # of another parameter
            continue
        if said := _said(name, text, numbers[name][0]):
            line = modelfile.source.line_of(above.span.start)
            message = f"`{name} {node.value.text}`, but the comment in line {line} speaks of {said}"
            yield Finding(node.value.span, message, "change the parameter, or the comment")


def _said(name: str, comment: str, value: float) -> str | None:
    """Return what a comment says a number is, if it is another; None if it says nothing, or several numbers."""
    if name == "num_gpu":
        if value > 0 and re.search(r"\bcpu[ -]only\b|\bonly (?:on )?(?:the )?cpu\b|\bno gpu\b", comment):
            return "the CPU only"
        is_all = re.search(r"\b(?:all|every) layers?\b.*\bgpu\b|\b(?:whole|entire) model\b.*\bgpu\b", comment)
        return "the GPU" if value == 0 and is_all else None
    found = re.findall(r"(?<![\w.,-])(\d+(?:[.,]\d+)?)( ?k\b)?(?![\w.,]*\d)(?! ?(?:gb|gib|mb|b|%|vram)\b)", comment)
    if len(found) != 1:
        return None
    number, thousands = float(found[0][0].replace(",", ".")), bool(found[0][1])
    if name == "temperature":
        return None if thousands or number > _HOTTEST or number == value else f"temperature {found[0][0]}"
    if not thousands and number < _FEWEST:
        return None
    least, most = (number * 1000, number * 1024) if thousands else (number, number)
    return None if least <= value <= most else f"{found[0][0]}{found[0][1].strip()} tokens"


def _of_base(modelfile: Modelfile, comments: Iterable[Comment]) -> Iterator[Finding]:
    """Yield a finding if a comment names another maker's model that the file is built on."""
    base = last_from(modelfile)
    if base is None or not base.value.closed or looks_like_path(base.value.text):
        return
    for comment in comments:
        match = re.search(_BUILT_ON, comment.text, re.IGNORECASE)
        named = makers(match[1]) if match and not re.search(_NOT_WEIGHTS, comment.text, re.IGNORECASE) else set()
        written = makers(base.value.text) if named else set()
        if match and len(named) == len(written) == 1 and named != written:
            line = modelfile.source.line_of(comment.span.start)
            message = f"`FROM {base.value.text}`, but the comment in line {line} says `{match[0].strip()}`"
            yield Finding(base.value.span, message, "change FROM, or the comment")
            return
