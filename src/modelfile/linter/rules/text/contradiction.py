"""Rule MF507."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, base_family, last_template, rule
from modelfile.linter.rules.parameters import effective_numbers
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Message, Parameter, Renderer, System

if TYPE_CHECKING:
    from modelfile.linter.demands import Limit

_FENCED: Final = r"```\w*\s(.*)```"
_CUTTING: Final = re.compile(r"\s*(?:[{}\[\]]|#{1,6}|[-*]{1,3}|\||```\w*)\s*|(?:\r\n|\n|\r)")
_JSON: Final = re.compile(r"[{}\[\]]?")
_MARKS: Final = re.compile(r"#{1,6}|[-*]{1,3}")
_LABEL: Final = r"(?i:(?!(?:user|human|customer|client|you|student|player|me|input)\b)[a-z][\w ]{1,30}:)"
"""A word that may begin a part of an answer; other words mark the user's turn."""
_SECTION: Final = r"[A-Za-z][\w -]{2,30}:?|#{1,4} [A-Za-z][\w -]{2,30}"
_UNWANTED: Final = r"\b(?:not|never|without|if|when|unless|avoid)\b|n't\b"
_FORMAT: Final = r"\b(?:format|exactly|form|structure|write|answer|respond|reply|output|template|layout|this way|so)\b"
_LANGUAGES: Final = r"\b(?:respond|reply|answer|speak|antwort|sprich|antwoord|spreek|r\u00e9pond|rispond)"
_HIGH_TEMPERATURE: Final = 0.7
_VERY_HIGH_TEMPERATURE: Final = 1.1
_LOW_TEMPERATURE: Final = 0.1
_TOKENS_PER_WORD: Final = 1.2
"""A lower bound for English."""
_FEW_TOKENS: Final = 150
"""Number of tokens that hold no long text."""
_MANY_WORDS: Final = 120
"""Number of words from which on no answer is brief."""
_TOLERANCE: Final = 1.3
_LONGEST_YES: Final = 4
"""Number of words after which an answer is more than yes or no."""
_EMOJI: Final = r"[\U0001f300-\U0001faff\u2600-\u27bf]"
_MARKDOWN: Final = r"(?m:^#{1,6} \S|^ {0,3}[*-] \S|^```)|\*\*[^\s*](?:[^*\r\n]*[^\s*])?\*\*"
_COUNTS: Final = {
    "word": r"(?<!\S)\S*\w\S*",
    "sentence": r"\w[^\w\s]*(?:\Z|(?<=[.!?])\s|(?<=[.!?][\"')*_])\s)",
    "line": r"(?<![^\r\n])[^\S\r\n]*+\S[^\r\n]*",
    "character": r"(?s:.)",
}
"""The patterns of the units in which prompts limit the length of answers; of sentences, their ends."""
_ABBREVIATION: Final = (
    r"\b(?:[^\W\d]|al|approx|bzw|ca|cf|dr|ed|etc|fig|jr|mr|mrs|ms|no|nr|prof|sr|st|vol|vs)\.(?!\s*\Z)"
)


class _Place:
    """The words for SYSTEM in a message: the lines are counted only for a finding."""

    def __init__(self, system: System, modelfile: Modelfile) -> None:
        self._system, self._modelfile = system, modelfile

    def __str__(self) -> str:
        return f"SYSTEM in line {self._modelfile.source.line_of(self._system.span.start)}"


@rule("MF507", "contradiction", on=Modelfile, severity=Severity.WARNING)
def contradiction(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""SYSTEM asks for one kind of answer, and an example or a parameter for another.

    A model follows examples before instructions: one MESSAGE of the assistant that is not JSON teaches it that there
    are exceptions, and programs that read its answers fail on them. Parameters cut answers, whatever SYSTEM asks for.
    The rule looks for

    - JSON only, and an example that is not JSON, or a `stop` that cuts JSON,
    - Markdown, code blocks or lists, and a `stop` that cuts them,
    - the same answer each time, and a high `temperature`; creative answers, and a `temperature` of almost 0,
    - long texts, and a small `num_predict`,
    - tools, and a TEMPLATE without `.Tools`,
    - two languages for all answers,
    - a label such as `Answer:` in each answer, and a `stop` that is this label,
    - a language, a length, no emoji or no Markdown, and an example with another.

    It only looks at demands of SYSTEM that have no condition.

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
    system = modelfile.last(System)
    if system is None or not system.value.closed or not system.value.text:
        return
    messages = modelfile.of_type(Message)
    answers = [node for node in messages if node.role.text == "assistant" and node.value.closed and node.value.text]
    line = _Place(system, modelfile)
    yield from _languages(system, modelfile)
    if answers:
        yield from _answers(system.value.text, answers, line)
    if modelfile.of_type(Parameter):
        yield from _stops(system, modelfile, line)
        yield from _numbers(system.value.text, modelfile, context, line)
    yield from _tools(system.value.text, modelfile, context, line)


def _answers(prompt: str, answers: list[Message], line: _Place) -> Iterator[Finding]:
    from modelfile.linter import demands  # its expressions are for files with examples or parameters
    from modelfile.linter.languages import asked_language, language_of

    only_json = demands.demands_json(prompt, only=True)
    language = asked_language(prompt)
    for node in answers:
        text = node.value.text
        if only_json and not _is_json(text):
            message = f"this answer is not JSON, but {line} asks for JSON only"
            yield Finding(node.value.span, message, "write the answer as the JSON that the model should return")
        elif not only_json and language and (other := language_of(text)) and other != language:
            message = f"this answer is in {other}, but {line} asks for {language}"
            yield Finding(node.value.span, message, f"write the answer in {language}")
    if not only_json:
        yield from _style(prompt, answers, line)


def _style(prompt: str, answers: list[Message], line: _Place) -> Iterator[Finding]:
    """Yield findings on the length and the characters of answers."""
    from modelfile.linter import demands

    limit = demands.answer_limit(prompt)
    yes_or_no = demands.demands_yes_or_no(prompt)
    brief = demands.demands_brief_answers(prompt)
    no_emoji, no_markdown = demands.forbids_emoji(prompt), demands.forbids_markdown(prompt)
    hint = "write the answer as SYSTEM asks for it, or change SYSTEM"
    for node in answers:
        text, message, severity = node.value.text, None, None
        words = len(re.findall(_COUNTS["word"], text)) if limit or yes_or_no or brief else 0
        if yes_or_no and words > _LONGEST_YES:
            message = f"this answer has {words} words, but {line} asks for yes or no only"
        elif limit and (count := _excess(text, limit)):
            many = f"{limit.number} {limit.unit}{'s' if limit.number > 1 else ''}"
            message = f"this answer has {count} {limit.unit}s, but {line} asks for at most {many}"
        elif brief and words > _MANY_WORDS:
            message = f"this answer has {words} words, but {line} asks for short answers"
            severity = Severity.INFO
        elif no_emoji and (match := re.search(_EMOJI, text)):
            message = f"this answer has the emoji {match[0]}, but {line} asks for none"
        elif no_markdown and re.search(_MARKDOWN, text):
            message = f"this answer has Markdown, but {line} asks for none"
        if message:
            yield Finding(node.value.span, message, hint, severity=severity)


def _excess(text: str, limit: Limit) -> int:
    """Return the length of an answer in the unit of a limit if it is clearly above it; else 0."""
    if limit.unit == "sentence":
        text = re.sub(_ABBREVIATION, "", text.strip(), flags=re.IGNORECASE)
    count = len(re.findall(_COUNTS[limit.unit], text))
    return count if count > max(limit.number * _TOLERANCE, limit.number + 1) else 0


def _languages(system: System, modelfile: Modelfile) -> Iterator[Finding]:
    if not re.search(_LANGUAGES, system.value.text, re.IGNORECASE):
        return
    from modelfile.linter.languages import asked_languages  # for few texts

    if found := asked_languages(system.value.text):
        first, second, offset = found
        message = f"SYSTEM asks for all answers in {second}, but also for all in {first}"
        span = modelfile.locate_span(system.value, offset, offset + 1)
        yield Finding(span, message, "keep one of them, or say when each one holds")


def _in_format(label: str) -> str:
    """Return the pattern of a label in a format that SYSTEM orders."""
    return rf"(?i:{_FORMAT})[^\r\n]*:[ \t]*[\r\n]+(?:[^\r\n]*[\r\n]+){{0,8}}?[ \t*-]*({re.escape(label)})"


def _stops(system: System, modelfile: Modelfile, line: _Place) -> Iterator[Finding]:
    prompt = system.value.text
    stops = [node for node in modelfile.of_type(Parameter) if node.name.text == "stop" and node.value.closed]
    for node in stops:
        text = node.value.text.strip()
        if re.fullmatch(_LABEL, text) and (match := re.search(_in_format(text), system.value.text)):
            at = modelfile.source.line_of(modelfile.locate(system.value, match.start(1)))
            message = f"this stop cuts each answer at `{text}`, but SYSTEM asks for that label in line {at}"
            yield Finding(node.value.span, message, "delete the line: a model ends its turn by itself")
        elif re.fullmatch(_SECTION, text) and (match := _ordered_section(text, prompt)):
            at = modelfile.source.line_of(modelfile.locate(system.value, match.end()))
            message = f"this stop cuts each answer at `{text}`, but SYSTEM asks for that part in line {at}"
            yield Finding(node.value.span, message, "delete the line: a model ends its turn by itself")
        elif _CUTTING.fullmatch(node.value.text) and (asked := _cut(text, prompt, modelfile)):
            shown = "newline" if not text else text if "`" in text else f"`{text}`"
            message = f"this stop cuts each answer at the first {shown}, but {line} asks for {asked}"
            yield Finding(node.value.span, message, "delete the line: a model ends its turn by itself")


def _ordered_section(stop: str, prompt: str) -> re.Match[str] | None:
    """Return the match of a sentence that orders to write a stop, in quotes."""
    order = (
        r"(?:\A|[.!?;:\r\n])\W{0,4}(?:always |you must |then )?"
        r"(?:return|include|add|write|give|end|finish|close|begin|start)\b[^.!?\r\n]{0,60}?"
    )
    match = re.search(rf"(?i:{order})[\"'`\u201c]{re.escape(stop)}:?[\"'`\u201d]", prompt)
    return None if match is None or re.search(_UNWANTED, match[0], re.IGNORECASE) else match


def _cut(stop: str, prompt: str, modelfile: Modelfile) -> str | None:
    """Return the format that a prompt asks for and that a stop cuts."""
    from modelfile.linter import demands

    if (
        _JSON.fullmatch(stop)
        and demands.demands_json(prompt, only=False)
        and (stop or not demands.demands_one_line(prompt))
    ):
        return "JSON"
    if stop.startswith("`"):
        template = last_template(modelfile)  # which may begin the block itself
        is_cut = demands.demands_code_blocks(prompt) and not (template and "```" in template[0].value.text)
        return "code blocks" if is_cut else None
    if not stop and (demands.demands_list(prompt) or demands.demands_long_answers(prompt)):
        return "more than one line"
    if stop == "|":
        return "tables" if demands.demands_tables(prompt) else None
    if stop.startswith("#") and demands.demands_headings(prompt):
        return "headings"
    return "Markdown" if _MARKS.fullmatch(stop) and demands.demands_markdown(prompt) else None


def _numbers(prompt: str, modelfile: Modelfile, context: Context, line: _Place) -> Iterator[Finding]:
    from modelfile.linter import demands, tasks

    numbers = effective_numbers(modelfile, context)
    if "temperature" in numbers:
        temperature, node = numbers["temperature"]
        is_repeatable = "seed" in numbers or numbers.get("top_k", (0, node))[0] == 1
        problem, hint = "", "lower it to 0, or set `seed` too, for repeatable answers"
        if temperature >= _HIGH_TEMPERATURE and not is_repeatable and demands.demands_same_answers(prompt):
            problem = "deterministic answers"
        elif temperature >= _VERY_HIGH_TEMPERATURE and demands.demands_facts(prompt):
            problem, hint = "facts only", "lower it to 0.7 or less: above 1, unlikely words become likely"
        elif temperature >= _VERY_HIGH_TEMPERATURE and demands.demands_json(prompt, only=False):
            problem, hint = "JSON", "lower it to 0.7 or less: above 1, unlikely words become likely, and JSON breaks"
        elif temperature >= _VERY_HIGH_TEMPERATURE and (task := tasks.exact_task(prompt)):
            problem, hint = task, "lower it to 0.7 or less: above 1, unlikely words become likely"
        if problem:
            message = f"`temperature {node.value.text}`, but {line} asks for {problem}"
            yield Finding(node.value.span, message, hint)
    yield from _creativity(prompt, numbers, line)
    if "num_predict" in numbers and numbers["num_predict"][0] > 0:
        yield from _length(prompt, *numbers["num_predict"], line)


def _creativity(prompt: str, numbers: Mapping[str, tuple[float, Parameter]], line: _Place) -> Iterator[Finding]:
    """Yield a finding if the likeliest token is always chosen, but a prompt is for creative answers."""
    from modelfile.linter import demands, tasks

    temperature, top_k = numbers.get("temperature"), numbers.get("top_k")
    greedy = temperature if temperature and temperature[0] <= _LOW_TEMPERATURE else None
    if top_k and top_k[0] == 1 and not temperature:
        greedy = top_k
    if greedy is None:
        return
    severity = None if demands.demands_variety(prompt) else Severity.INFO
    if severity is None or tasks.is_creative_task(prompt):
        name, value = greedy[1].name.text, greedy[1].value
        message = f"`{name} {value.text}`, but {line} asks for creative answers"
        hint = "raise it to 0.7 or more: near 0, the likeliest word is always chosen"
        if name == "top_k":
            hint = "delete the line: with 1, the likeliest word is always chosen"
        yield Finding(value.span, message, hint, severity=severity)


def _length(prompt: str, most: float, node: Parameter, line: _Place) -> Iterator[Finding]:
    """Yield a finding if `num_predict` is too small for the answers that a prompt asks for."""
    from modelfile.linter import demands, tasks

    fewest = demands.fewest_words(prompt)
    problem = ""
    if fewest and fewest * _TOKENS_PER_WORD > most:
        problem = f"at least {fewest} words"
    elif not fewest and most <= _FEW_TOKENS and demands.demands_long_answers(prompt):
        problem = "long texts"
    elif demands.demands_json(prompt, only=False) and (tokens := tasks.tokens_of_json(prompt)) > most:
        problem = f"JSON of at least {tokens} tokens"
    elif not fewest and most <= _FEW_TOKENS and tasks.is_long_task(prompt) and not demands.answer_limit(prompt):
        problem = "long texts" * (not demands.demands_brief_answers(prompt))
    if problem:
        message = f"`num_predict {node.value.text}` cuts answers off, but {line} asks for {problem}"
        yield Finding(node.value.span, message, "raise it, or delete the line: by default there is no limit")


def _tools(prompt: str, modelfile: Modelfile, context: Context, line: _Place) -> Iterator[Finding]:
    """Yield a finding if SYSTEM orders tools that the TEMPLATE never names; not for a base that has them anyway."""
    if "tool" not in prompt.lower() and "function" not in prompt.lower():
        return
    template = last_template(modelfile)
    if template is None or ".Tools" in template[0].value.text or modelfile.of_type(Renderer):
        return
    from modelfile.linter import demands

    if not demands.demands_tools(prompt):
        return
    family = base_family(modelfile, context)
    if family is None or "tools" not in family.capabilities:  # otherwise template-drops-capability
        message = f"this TEMPLATE has no `.Tools`, but {line} asks to use tools: requests with tools are rejected"
        yield Finding(template[0].keyword.span, message, "add `.Tools` to the TEMPLATE, or drop the tools from SYSTEM")


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
