"""What Ollama's parser refuses: every cause at its place, and the one that Ollama itself would name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from modelfile.diagnostics import Diagnostic, Edit, Finding, Fix, Safety, Severity
from modelfile.source import Source, Span
from modelfile.syntax.nodes import (
    Comment,
    Headless,
    Instruction,
    Message,
    Node,
    Quoting,
    Unknown,
    Value,
    command_name,
)
from modelfile.syntax.suggestions import is_meant_as_from, stray_lines

CODES: Final = {
    "missing-from": "MF101",
    "unknown-instruction": "MF102",
    "missing-argument": "MF103",
    "unclosed-quote": "MF104",
    "double-blank": "MF107",
    "invalid-role": "MF108",
}
ROLES: Final = ("system", "user", "assistant")

_MODELPACK: Final = frozenset(
    "NAME ARCH FAMILY FORMAT PARAMSIZE PRECISION QUANTIZATION CONFIG MODEL CODE DOC DATASET".split()  # noqa: SIM905  # words
)
_SHOWN: Final = 3
_LETTERS: Final = re.compile(r"[A-Za-z]*")
_PAIR: Final = re.compile(r"(\w+)[ \t]*[=:][ \t]*(.*)")
_MEANT_ROLES: Final = {"human": "user", "bot": "assistant", "ai": "assistant", "model": "assistant"}
_LINE_END: Final = re.compile(r"[\r\n]")


class Cause(StrEnum):
    """Why Ollama's parser refuses a Modelfile, in the words of its vectors."""

    NO_FROM = "no FROM"
    UNEXPECTED_END = "unexpected end"
    UNKNOWN_INSTRUCTION = "unknown instruction"
    INVALID_ROLE = "invalid message role"


@dataclass(frozen=True, slots=True)
class Refusal:
    """What Ollama says, which stops at the first fault."""

    cause: Cause
    line: int | None
    """As Ollama counts: from 1, where `\\r\\n` is two line ends. None where it names no line."""


def refusal(text: str, nodes: Sequence[Node]) -> Refusal | None:
    """What Ollama's parser (0.33) says of a Modelfile; None if it takes it."""
    for node in nodes:
        match node:
            case Unknown():
                match = _LETTERS.match(text, node.span.start + 1)
                end = match.end() if match else node.span.end
                if end == len(text):
                    return Refusal(Cause.UNEXPECTED_END, None)
                return Refusal(Cause.UNKNOWN_INSTRUCTION, _line(text, end + 1))
            case Headless():
                return Refusal(Cause.UNEXPECTED_END, None)
            case Message() if node.role.text not in ROLES:
                return Refusal(Cause.INVALID_ROLE, _line(text, node.role.span.end))
            case Instruction() if not node.value.closed:
                return Refusal(Cause.UNEXPECTED_END, None)
    return None if _has_from(nodes) else Refusal(Cause.NO_FROM, None)


def _line(text: str, offset: int) -> int:
    return 1 + len(_LINE_END.findall(text, 0, offset))


def _has_from(nodes: Sequence[Node]) -> bool:
    return any(isinstance(node, Instruction) and command_name(node) == "model" for node in nodes)


def diagnose(source: Source, nodes: Sequence[Node]) -> tuple[Diagnostic, ...]:
    """Everything that Ollama's parser would refuse, in the order of the text; nothing exactly when it takes it."""
    if not _has_from(nodes) and (modelpack := _modelpack(nodes)):
        return (modelpack,)
    found = [*_missing_from(source, nodes), *(_fault(name, finding) for name, finding in stray_lines(source, nodes))]
    instructions = [node for node in nodes if isinstance(node, Instruction)]
    for number, node in enumerate(instructions, 1):
        if isinstance(node, Message) and node.role.text not in ROLES:
            found.append(_invalid_role(node))
        if not node.value.closed:
            shown = instructions[number : number + _SHOWN]
            found.append(_unclosed_quote(source, node, shown, more=len(instructions) - number - len(shown)))
    found += (_headless(node) for node in nodes if isinstance(node, Headless))
    return tuple(sorted(found, key=lambda diagnostic: diagnostic.span.start))


def _fault(name: str, found: Finding) -> Diagnostic:
    return Diagnostic(
        code=CODES[name],
        name=name,
        severity=Severity.ERROR,
        span=found.span,
        message=found.message,
        hint=found.hint,
        fix=found.fix,
    )


def _modelpack(nodes: Sequence[Node]) -> Diagnostic | None:
    words = [node.word for node in nodes if isinstance(node, Unknown) and node.word.text in _MODELPACK]
    if not words or all(word.text == "FORMAT" for word in words):
        return None
    message = "this is a Modelfile of CNCF ModelPack, another language of the same file name"
    return _fault("unknown-instruction", Finding(words[0].span, message, "`modctl build` reads it, Ollama does not"))


def _missing_from(source: Source, nodes: Sequence[Node]) -> Iterator[Diagnostic]:
    if _has_from(nodes) or any(isinstance(node, Unknown) and is_meant_as_from(node) for node in nodes):
        return
    message, hint = "no FROM", "begin with `FROM name:tag`, or `FROM ./weights.gguf`"
    commented = next((node for node in nodes if isinstance(node, Comment) and node.text.startswith("FROM ")), None)
    if commented:
        hint = f"line {source.line_of(commented.span.start)} has one in a comment: delete its #"
    elif not any(not isinstance(node, Comment) for node in nodes):
        message = f"no FROM: the file {'has nothing but comments' if nodes else 'is empty'}"
    yield _fault("missing-from", Finding(Span(0, 0), message, hint))


def _word(node: Instruction | Headless) -> str:
    return node.keyword.text.strip().upper()


def _headless(node: Headless) -> Diagnostic:
    word, rest = _word(node), node.rest
    part, example = ("name", "PARAMETER temperature 0.7") if word == "PARAMETER" else ("role", "MESSAGE user Hello!")
    if not rest.text:
        return _fault("missing-argument", Finding(node.span, f"{word} has no {part}", f"write `{example}`"))
    if rest.text.isidentifier():
        hint = f"write `{word} {rest.text} …` on one line"
        return _fault("missing-argument", Finding(node.span, f"{word} {rest.text} has no value", hint))
    fix = None
    if (pair := _PAIR.fullmatch(rest.text)) and pair[2]:
        fix = Fix(edits=(Edit(rest.span, f"{pair[1]} {pair[2]}"),))
        example = f"{word} {pair[1]} {pair[2]}"
    hint = f"put one blank after the {part}, and nothing else: `{example}`"
    message = f"`{rest.text}` does not begin with a {word.lower()}'s {part}"
    return _fault("missing-argument", Finding(rest.span, message, hint, fix))


def _invalid_role(node: Message) -> Diagnostic:
    role = node.role.text
    if not role:
        message = "MESSAGE has two blanks before its role"
        return _fault("double-blank", Finding(node.role.span, message, "leave one of them"))
    meant = _MEANT_ROLES.get(role.lower(), role.lower())
    if meant not in ROLES:
        return _fault(
            "invalid-role", Finding(node.role.span, f"`{role}` is not a role", f"Ollama takes {', '.join(ROLES)}")
        )
    safety = Safety.SAFE if meant == role.lower() else Safety.UNSAFE
    fix = Fix(edits=(Edit(node.role.span, meant),), safety=safety)
    return _fault("invalid-role", Finding(node.role.span, f"`{role}` is not a role", f"write `{meant}`", fix))


def _unclosed_quote(source: Source, node: Instruction, swallowed: Sequence[Instruction], *, more: int) -> Diagnostic:
    quotes, value = str(node.value.quoting), node.value
    message = f"the quotes of {_word(node)} are never closed"
    if swallowed:
        names = (f"{_word(other)} (line {source.line_of(other.span.start)})" for other in swallowed)
        message += f": they take in {', '.join(names)}{f' and {more} more' if more else ''}"
    hint, fix = f"close it with {quotes} at the end of a line", _closing(value)
    if behind := text_behind(source.text, value, value.content.end):
        text = source.text[behind.start : behind.end].strip()
        hint = f"nothing may follow the closing quotes on their line, not even a comment: move `{text}`"
        line = source.text.rfind("\n", 0, node.span.start) + 1
        above = Edit(Span(line, line), f"{text}\n")
        fix = Fix(edits=(above, Edit(behind, ""))) if text.startswith("#") else None
    opening = Span(value.span.start, value.content.start)
    return _fault("unclosed-quote", Finding(opening, message, hint, fix))


def text_behind(text: str, value: Value, end: int) -> Span | None:
    """What stands behind the quotes that were meant to close a value, on their line and before `end`."""
    quotes, start = str(value.quoting), value.content.start
    if value.quoting is Quoting.DOUBLE:
        first_line = _LINE_END.search(text, start, end)  # further on, they are as likely to be part of the text
        end = first_line.start() if first_line else end
        if text.count(quotes, start, end) % 2 == 0:
            return None
    closing = text.rfind(quotes, start, end)
    if closing < 0:
        return None
    line = _LINE_END.search(text, closing, end)
    return Span(closing + len(quotes), line.start() if line else end)


def _closing(value: Value) -> Fix | None:
    """The quotes at the end of the text that stands before the next instruction."""
    if not value.text.strip():
        return None
    lacking = '"' if value.quoting is Quoting.TRIPLE and value.text.rstrip().endswith('""') else str(value.quoting)
    return Fix(edits=(Edit(Span(value.content.end, value.content.end), lacking),))
