"""Rule MF511."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.prose import hide_code
from modelfile.linter.rule import Context, looks_like_path, rule
from modelfile.syntax.nodes import From, Instruction, License, Message, Parameter, System, Template

# Compiled on use.
_WHAT: Final = (
    r"(?:your|the|a|an|my|some|any)?[ _-]{0,3}(?:own[ _-]{0,3})?(?:full[ _-]{0,3})?(?:custom[ _-]{0,3})?"
    r"(?:text of[ _-]{0,3}the[ _-]{0,3})?"
    r"(?:licen[cs]e|copyright|system|prompt|instructions?|template|persona|role|company|organi[sz]ation|product"
    r"|team|assistant|bot|model|base[ _-]{0,3}model|user|author|brand|industry|domain|topic|language|name|title|project"
    r"|website|url|path|file|directory|api|email|e-mail|phone|address|date|year|content|details?|description|text"
    r"|answer|example|question)"
)
_ORDER: Final = (
    r"(?:insert|add|enter|replace|put|fill[ -]?in|paste|write|describe|specify|define|provide|type|choose|select|set)"
)
_SUBJECT: Final = (
    r"(?:company|product|bot|brand|business|organi[sz]ation|org|team|store|shop|school|hotel|restaurant|website|industry"
    r"|department|city|country|phone|e-?mail|address|domain|topic|client|agency|clinic|bank)"
)
_UNQUOTED: Final = r"(?<![\w\"'\u201c\u2018])"
_IN_ANGLES: Final = (
    rf"{_UNQUOTED}<(?:{_ORDER}[ -][^<>\r\n]{{2,60}}|your[ _-][^<>\r\n]{{2,60}}|[^<>\r\n]{{2,60}}[ _-]here"
    rf"|(?:{_WHAT})(?:[ _-]{{1,3}}(?:{_WHAT}|here|goes here)){{1,3}}"
    rf"|TODO\b[^<>\r\n]{{0,60}}|license|placeholder|path[ _-]?to[^<>\r\n]{{0,60}})>"
)
_IN_BRACKETS: Final = (
    rf"{_UNQUOTED}\[(?:YOUR[ _-][^\[\]\r\n]{{2,60}}|(?:{_ORDER.upper()})[ _-][^\[\]\r\n]{{2,60}}"
    rf"|TODO\b[^\[\]\r\n]{{0,60}}|PLACEHOLDER|(?:{_WHAT.upper()})(?:[ _-]{{1,3}}(?:{_WHAT.upper()}))(?:[ _-]HERE)?"
    rf"|[A-Z][A-Z0-9'/_ -]{{1,60}}[ _-](?:GOES[ _-])?HERE"
    rf"|{_SUBJECT.upper()}(?:'S)?[ _-](?:NAME|TITLE|URL|ADDRESS|NUMBER)"
    rf"|(?:COMPANY|PRODUCT|BOT|LICENSE TEXT)|(?i:{_ORDER}[ _-][^\[\]\r\n]{{2,60}}[ _-]here)"
    r"|[^\[\]\r\n]{2,60} (?:einf\u00fcgen|eintragen|erg\u00e4nzen|einsetzen|invullen)"
    r"|(?i:ins\u00e9rer|insertar|inserire|inserir|indicar|vul|hier) [^\[\]\r\n]{2,60}"
    r"|(?i:your[ _-](?:company|bot|product|team|assistant|organi[sz]ation|business)(?:'s)?(?:[ _-]name)?))\](?!\()"
)
_AS_WHOLE: Final = (
    rf"(?i:(?:todo|fixme|tbd|xxx+|changeme|change me|placeholder|fill me in)(?:\b.{{0,80}})?|\.\.\.+|\u2026|_+|-+|\?+"
    rf"|(?:{_ORDER})[ _-](?:{_WHAT}).{{0,60}}?here\.{{0,3}}"
    rf"|(?:{_WHAT})(?:[ _-](?:{_WHAT}|text))*[ _-](?:goes[ _-])?here\.{{0,3}}"
    rf"|your[ _-](?:system[ _-])?(?:prompt|message|instructions?|text|license|template)"
    r"|<[^<>|/%\r\n]{2,80}>|\[[^\[\]\r\n]{3,80}\])"
)
_WHOLE_STARTS: Final = (
    *("todo", "fixme", "tbd", "xxx", "change", "placeholder", "fill me in", "your"),
    *(".", "\u2026", "_", "-", "?", "<", "["),
)
"""How `_AS_WHOLE` begins, in lower case, if it does not end with "here"."""
_LOREM: Final = r"(?i:\blorem ipsum dolor\b|\A\W*lorem ipsum\b(?! is\b))"
_SLOT: Final = rf"<(?:{_WHAT})(?:[ _-]{{1,3}}(?:{_WHAT})){{1,3}}>"
_SLOT_OF_FORMAT: Final = r"(?m:^[ \t>*\d.)-]{0,12}[\w \t*\"']{1,40}:[ \t*\"']{0,6}<[^<>\r\n]{2,60}>)"
"""A line such as `Name: <full name>`; several of them are the format of an answer."""
_YOURS: Final = r"\b(?:YOUR|MY|INSERT|REPLACE)_[A-Z][A-Z_]+\b"
_FIRST_LINE: Final = r"\A(?:TODO|FIXME|TBD)\b(?::|(?= (?!(?:lists?|items?|comments?|apps?|tags?|notes?|entries)\b)))"
_LATER_LINE: Final = (
    r"(?m:^)[ \t]{0,8}(?:TODO|FIXME)(?:\([^()\r\n]{1,40}\))?: ?"
    rf"(?i:{_ORDER}|finish|update|complete|decide|ask|fix)\b[^\r\n]{{0,60}}"
)
"""A note of the author to do something, on a line of its own."""
_WRAPPED: Final = (
    rf"(?:<<(?i:{_SUBJECT}|(?:{_WHAT})(?:[ _-](?:{_WHAT}))+)>>"
    rf"|(?<![\w$/=\"'.{{-])(?:__|%|@@|\{{)?(?:{_SUBJECT.upper()})_(?:NAME|TITLE|URL|EMAIL|PHONE|ADDRESS|TYPE|HERE)"
    r"(?:__|%|@@|\})?(?![\w\"'=(/-]))"
)
"""A name in capitals or in two angle brackets, with or without the signs in which other programs put one."""
_INSERT: Final = (
    r"\[(?i:insert|fill[ -]in|enter|specify) (?i:(?:your|the|an?) )?[^\[\]\r\n]{2,60}\](?!\()(?<!here\])(?!.{0,3}\[)"
)
_IDENTITY: Final = (
    r"\b(?<!if )(?<!If )(?<!hen )(?i:you are|you're|(?:your|my) name is|works? (?:for|at)|working (?:for|at)"
    r"|behalf of|(?:assistant|agent|bot|chatbot|support|customers|clients|employees?|expert|specialist|helpdesk|desk)"
    r" (?:for|of|at|in))"
    r"(?: (?i:called|named|an?|the|our|customers of))*[ ]"
)
_SLOT_IN_SENTENCE: Final = (
    r"(?:\[[A-Za-z][^\[\]\r\n]{1,40}\](?!\()|<<?[A-Za-z][^<>|/\r\n]{1,40}>>?|\{[A-Za-z]\w{1,40}\}|%[A-Za-z]\w{2,40}%"
    r"|@@\w{2,40}@@|__+[A-Z]\w{2,40}__+|_{3,}|\.{4,}|X{3,}\b|(?:TODO|FIXME|TBD)\b(?:\([^()\r\n]{1,40}\))?"
    r"|[A-Z]+_(?:NAME|COMPANY|HERE)\b)"
)
_UNDECIDED: Final = (
    r"\b(?i:for|of|at|by|from|about|is|are|contact|visit|call|see|to|in) "
    r"((?:TODO|FIXME|TBD|XXX+)(?:\([^()\r\n]{1,40}\)|(?=[.,;:!?)]|\Z|[\r\n]| (?:and|with|customers|users)\b)))"
)
_NOTE: Final = (
    r"(?:\A|[.!?:;)] |^[ \t]*)((?:TODO|FIXME)(?:\([^()\r\n]{1,40}\):?|(?=\.? ?(?:\Z|[\r\n]))"
    rf"|: ?(?i:{_ORDER}|finish|update|complete|decide|ask)\b[^.\r\n]{{0,60}}))"
)
_ABOUT_NOTES: Final = (
    r"\b(?:comments?|cod(?:e|ing|er)|to-?do[- ](?:list|item|app)s?|tasks?|program\w*|develop\w*|placeholders?|review\w*"
    r"|refactor\w*|functions?|unknown|missing)\b"
)
_NAME: Final = (
    r"(?i:(?:[\w.-]+/)*(?:your|my)[-_]?(?:base|model|org|user|username|name|namespace|company|llm)[\w./:-]*"
    r"|(?:[\w.-]+/)*(?:model|base)[-_]?(?:model)?[-_]?(?:name|here)(?:[-_]here)?(?::[\w.-]+)?"
    r"|base[-_]model(?::[\w.-]+)?|__+(?:[a-z0-9]+_){0,4}?(?:model|base|name)(?:_[a-z0-9]+){0,4}?__+(?::[\w.-]+)?"
    r"|placeholder|[\w.-]*(?:path|name|file)[-_]here(?::[\w.-]+)?)"
)
_NAME_SIGN: Final = re.compile(r"(?i:your|my|base|model|placeholder|here)")
_OWN_NAME: Final = r"(?i:my[-_]?(?:model|llm|base)\b.*)"
"""Names such as my-model, which can be a model of the author."""
_SHORT_LICENSE: Final = 3000
"""Length of a license in characters below which it is not one that ends with instructions, as Apache's and the GPL."""
_COPYRIGHT: Final = (
    r"(?i:copyright.{0,20}?([<\[{](?:year|yyyy|date|full ?name|name|owner|holders?|copyright)[^\]>}\r\n]{0,60}[>\]}]))"
)
_SIGNS: Final = re.compile(
    r"[<\[{]|TODO|FIXME|TBD|XXX|___|\.\.\.\.|[%@]\w|YOUR_|MY_|INSERT_|REPLACE_|_(?:NAME|TITLE|URL|EMAIL|PHONE|ADDRESS|TYPE|HERE"
    r"|COMPANY)|(?i:lorem ipsum)"
)
_LITERALS: Final = (
    *("<", "[", "{", "TODO", "FIXME", "TBD", "XXX", "___", "....", "%", "@", "YOUR_", "MY_", "INSERT_", "REPLACE_"),
    *("_NAME", "_TITLE", "_URL", "_EMAIL", "_PHONE", "_ADDRESS", "_TYPE", "_HERE", "_COMPANY"),
)
"""Texts of which each match of `_SIGNS` has one, apart from "lorem ipsum"; quicker to search one by one."""
_SHORT: Final = 120
_NEAR: Final = 200
"""Number of characters around a placeholder in which a prompt says what it is."""
_ANSWER_BELOW: Final = (
    r"\b(?i:output|respond|reply|answer|return|format|template|example|looks? like)\b[^\r\n]*:[ \t*]*[\r\n]\s*\Z"
)
"""A line that says how an answer looks, right above a placeholder."""
_AUTHORS: Final = r"(?i:\b(?:your|my|our)\b|company|product|business|brand|organi[sz]ation)"
"""Words in a placeholder that only the author can replace."""
_FOR_THE_MODEL: Final = (
    r"[ \t>*\d.)-]*(?:[\w \t*]{1,40}:[ \t*]*)?"
    r"<(?i:provide|describe|write|define|specify|explain|list|choose|select) [^<>\r\n]+>"
)
"""A line of a format that says what to write there."""
_SPOKEN_OF: Final = r"\b(?i:placeholders?|variables?|fields?|slots?|blanks)\b"
_MOST: Final = 50
"""Number of placeholders of one form that are looked at."""


@rule("MF511", "placeholder", on=Instruction, severity=Severity.WARNING)
def placeholder(instruction: Instruction, context: Context) -> Iterator[Finding]:
    r"""A placeholder of a tutorial or template was not replaced.

    `<license text>`, `[YOUR COMPANY]`, `TODO`, `your-model-name` and "lorem ipsum" stand for something that only the
    author knows. The model receives a placeholder in SYSTEM or MESSAGE as it is, and FROM finds no model. The rule
    missing-file reports paths such as `/path/to/model.gguf`.

    Formats that a prompt describes, such as `[summary in one sentence]` or `<answer>`, and code, are not reported.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    SYSTEM You answer questions on the bills of [YOUR COMPANY].
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    SYSTEM You answer questions on billing.
    ```
    """
    value = instruction.value
    if not value.closed or not value.text or (isinstance(instruction, Parameter) and instruction.name.text != "stop"):
        return
    reported = set()
    for found in find_placeholders(instruction):
        shown = value.text[found[0] : found[1]]
        if shown in reported:
            continue
        reported.add(shown)
        span = context.modelfile.locate_span(value, *found)
        word = instruction.keyword.text.strip().upper()
        message = f"placeholder `{shown[:_SHORT]}` in {word} was not replaced"
        yield Finding(span, message, _hint(instruction))


def is_placeholder(reference: str) -> bool:
    """Return whether a model name is the placeholder of a tutorial."""
    if not _NAME_SIGN.search(reference):
        return False
    return re.fullmatch(_NAME, reference) is not None and not re.fullmatch(_OWN_NAME, reference)


def _hint(instruction: Instruction) -> str:
    match instruction:
        case From():
            return "write the name of the model, as in `FROM llama3.2:3b`"
        case License():
            return "write the text of the license, or delete LICENSE"
        case _:
            return "write what it stands for, or delete it"


def find_placeholders(instruction: Instruction) -> list[tuple[int, int]]:
    """Return the spans of the placeholders in a value."""
    text = instruction.value.text
    match instruction:
        case From() if not looks_like_path(text) and is_placeholder(text):  # missing-file reports paths
            return [(0, len(text))]
        case License():
            return _in_license(text)
        case Parameter() if instruction.name.text == "stop" and not (text.startswith("<|") and text.endswith("|>")):
            return [(0, len(text))] if re.fullmatch(_IN_ANGLES, text, re.IGNORECASE) else []
        case System() | Message() | Template():
            return _in_text(instruction, text)
        case _:
            return []


def _in_license(text: str) -> list[tuple[int, int]]:
    if len(text) < _SHORT and _is_whole(text):
        return [(0, len(text))]
    if len(text) < _SHORT_LICENSE and (match := re.search(_COPYRIGHT, text)):
        return [match.span(1)]
    return []


def _is_whole(text: str) -> bool:
    lowered = text.lower()
    if not lowered.startswith(_WHOLE_STARTS) and not lowered.rstrip(".").endswith("here"):
        return False
    return re.fullmatch(_AS_WHOLE, text) is not None and not re.fullmatch(r"<\|.*\|>", text)


def _in_text(instruction: Instruction, text: str) -> list[tuple[int, int]]:
    is_message = isinstance(instruction, Message)
    if len(text) < _SHORT and not is_message and _is_whole(text):
        return [(0, len(text))]
    if isinstance(instruction, Template) or not _has_sign(text):
        return []
    prose = hide_code(text)
    patterns = [_LOREM, rf"(?i:{_IN_ANGLES})", _IN_BRACKETS, _WRAPPED]
    if isinstance(instruction, System):
        patterns += [_FIRST_LINE, _LATER_LINE, rf"(?<![=\"'/ ] )(?<![=\"'/])(?<!Bearer ){_YOURS}", _INSERT]
        patterns += [rf"{_IDENTITY}({_SLOT_IN_SENTENCE})"]
        if not re.search(_ABOUT_NOTES, prose, re.IGNORECASE):
            patterns += [_UNDECIDED, _NOTE]
    spans: list[tuple[int, int]] = []
    matches = (match for pattern in patterns for match in islice(re.finditer(pattern, prose), _MOST))
    for start, end in sorted(match.span(match.lastindex or 0) for match in matches):
        is_new = not spans or start >= spans[-1][1]
        if is_new and not _is_explained(prose, start, end):
            spans.append((start, end))
    return spans


def _is_explained(prose: str, start: int, end: int) -> bool:
    """Return whether a prompt defines a placeholder as a part of its answer's format, or speaks of it as an example."""
    found = prose[start:end]
    return _is_format(found, prose) or f"</{found[1:]}" in prose or _is_described(prose, (start, end))


def _has_sign(text: str) -> bool:
    is_possible = any(map(text.__contains__, _LITERALS)) or "lorem ipsum" in text.lower()
    return is_possible and _SIGNS.search(text) is not None


def _is_format(found: str, prose: str) -> bool:
    """Return whether a placeholder is a slot of the format that a prompt asks for."""
    is_slot = re.fullmatch(_SLOT, found, re.IGNORECASE) is not None
    return is_slot and len(re.findall(_SLOT_OF_FORMAT, prose)) > 1


def _is_described(prose: str, span: tuple[int, int]) -> bool:
    """Return whether a prompt shows an answer that has a placeholder, or speaks of placeholders."""
    before = prose[max(0, span[0] - _NEAR) : span[0]]
    sentence = re.split(r"[.!?;]\s|[\r\n]", before)[-1]
    if re.search(_ANSWER_BELOW, before) or re.search(_SPOKEN_OF, sentence):
        return True
    line = before.splitlines()[-1] if before and before[-1] not in "\r\n" else ""
    after = prose[span[1] : span[1] + _NEAR].partition("\n")[0]
    if re.fullmatch(_FOR_THE_MODEL, f"{line}{prose[slice(*span)]}{after}".strip()):
        return True
    is_said = (line.count('"') % 2 == 1 and '"' in after) or line.count("\u201c") > line.count("\u201d")
    return is_said and not re.search(_AUTHORS, prose[slice(*span)])
