"""What Ollama's parser refuses: every cause at its place, and the one that Ollama itself would name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from modelfile.catalog.target import catalog
from modelfile.diagnostics import Diagnostic, Severity
from modelfile.source import Source, Span
from modelfile.syntax.nodes import (
    WORDS,
    Headless,
    Instruction,
    License,
    Message,
    Node,
    Quoting,
    System,
    Template,
    Unknown,
    command_name,
)

CODES: Final = {
    "missing-from": "MF101",
    "unknown-instruction": "MF102",
    "missing-argument": "MF103",
    "unclosed-quote": "MF104",
    "double-blank": "MF107",
    "invalid-role": "MF108",
}
ROLES: Final = ("system", "user", "assistant")

_TEXTS: Final = (System, Template, License, Message)
_NO_FORMAT: Final = 'Ollama has no FORMAT; ask for JSON in the request (`"format": "json"`), and describe it in SYSTEM'
_MODELPACK: Final = frozenset(
    "NAME ARCH FAMILY FORMAT PARAMSIZE PRECISION QUANTIZATION CONFIG MODEL CODE DOC DATASET".split()  # noqa: SIM905  # words
)
_SHOWN: Final = 3
_LETTERS: Final = re.compile(r"[A-Za-z]*")
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
    found = [*_missing_from(nodes), *_unknown_instructions(nodes)]
    instructions = [node for node in nodes if isinstance(node, Instruction)]
    for number, node in enumerate(instructions, 1):
        if isinstance(node, Message) and node.role.text not in ROLES:
            found.append(_invalid_role(node))
        if not node.value.closed:
            shown = instructions[number : number + _SHOWN]
            found.append(_unclosed_quote(source, node, shown, more=len(instructions) - number - len(shown)))
    found += (_headless(node) for node in nodes if isinstance(node, Headless))
    return tuple(sorted(found, key=lambda diagnostic: diagnostic.span.start))


def _fault(name: str, span: Span, message: str, hint: str) -> Diagnostic:
    return Diagnostic(code=CODES[name], name=name, severity=Severity.ERROR, span=span, message=message, hint=hint)


def _modelpack(nodes: Sequence[Node]) -> Diagnostic | None:
    words = [node.word for node in nodes if isinstance(node, Unknown) and node.word.text in _MODELPACK]
    if not words or all(word.text == "FORMAT" for word in words):
        return None
    message = "this is a Modelfile of CNCF ModelPack, another language of the same file name"
    return _fault("unknown-instruction", words[0].span, message, "`modctl build` reads it, Ollama does not")


def _missing_from(nodes: Sequence[Node]) -> Iterator[Diagnostic]:
    if not _has_from(nodes):
        yield _fault("missing-from", Span(0, 0), "no FROM", "begin with `FROM name:tag`, or `FROM ./weights.gguf`")


def _unknown_instructions(nodes: Sequence[Node]) -> Iterator[Diagnostic]:
    text = ""  # the instruction whose bare text ended with its line, while lines that begin no instruction follow
    told = False
    for node in nodes:
        if not isinstance(node, Unknown):
            bare = isinstance(node, _TEXTS) and node.value.quoting is Quoting.NONE
            text, told = _word(node) if isinstance(node, Instruction) and bare else "", False
            continue
        word = node.word.text.upper()
        if word in WORDS and not node.rest.text:
            yield _fault(
                "missing-argument", node.span, f"{word} has no value", "write it on the same line, behind a blank"
            )
        elif word in WORDS:
            yield _fault(
                "unknown-instruction", node.word.span, f"{word} is not followed by a blank", f"write `{word} …`"
            )
        elif text and not _meant(node):
            hint = f'if this line belongs to it, put the whole text in quotes: {text} """…"""'
            if not told:
                yield _fault("unknown-instruction", node.span, f"the text of {text} ended with the line before", hint)
            told = True
        else:
            hint = _meant(node) or f"Ollama knows {', '.join(WORDS)}; a comment begins with #"
            yield _fault("unknown-instruction", node.word.span, f"unknown instruction `{node.word.text}`", hint)


def _meant(line: Unknown) -> str | None:
    """What the line was meant as, if its first word tells."""
    from difflib import get_close_matches

    word, name = line.word.text.upper(), line.word.text.lower()
    if word == "FORMAT":
        return _NO_FORMAT
    if name in catalog().parameters or name in catalog().deprecated:
        return f"write `PARAMETER {name} {line.rest.text.lstrip('=: ')}`"
    close = get_close_matches(word, WORDS, n=1, cutoff=0.75)
    return f"did you mean {close[0]}?" if close else None


def _word(node: Instruction | Headless) -> str:
    return node.keyword.text.strip().upper()


def _headless(node: Headless) -> Diagnostic:
    word, rest = _word(node), node.rest
    part, example = ("name", "PARAMETER temperature 0.7") if word == "PARAMETER" else ("role", "MESSAGE user Hello!")
    if not rest.text:
        return _fault("missing-argument", node.span, f"{word} has no {part}", f"write `{example}`")
    if rest.text.isidentifier():
        hint = f"write `{word} {rest.text} …` on one line"
        return _fault("missing-argument", node.span, f"{word} {rest.text} has no value", hint)
    hint = f"put one blank behind the {part}, and nothing else: `{example}`"
    return _fault("missing-argument", rest.span, f"`{rest.text}` does not begin with a {word.lower()}'s {part}", hint)


def _invalid_role(node: Message) -> Diagnostic:
    role = node.role.text
    if not role:
        return _fault("double-blank", node.role.span, "MESSAGE has two blanks before its role", "leave one of them")
    hint = f"write `{role.lower()}`" if role.lower() in ROLES else f"Ollama takes {', '.join(ROLES)}"
    return _fault("invalid-role", node.role.span, f"`{role}` is not a role", hint)


def _unclosed_quote(source: Source, node: Instruction, swallowed: Sequence[Instruction], *, more: int) -> Diagnostic:
    quotes, value = str(node.value.quoting), node.value
    message = f"the quotes of {_word(node)} are never closed"
    if swallowed:
        names = (f"{_word(other)} (line {source.line_of(other.span.start)})" for other in swallowed)
        message += f": they take in {', '.join(names)}{f' and {more} more' if more else ''}"
    first_line = _LINE_END.split(value.text, maxsplit=1)[0]
    hint = f"close it with {quotes} at the end of a line"
    if quotes in first_line:
        behind = first_line.rpartition(quotes)[2].strip()
        hint = f"nothing may stand behind the closing quotes on their line, not even a comment: move `{behind}`"
    return _fault("unclosed-quote", Span(value.span.start, value.content.start), message, hint)
