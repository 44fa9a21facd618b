"""Syntax errors: all of them as diagnostics, and the one that Ollama's parser reports."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import islice
from typing import Final

from modelfile.characters import NUL, is_homoglyph
from modelfile.diagnostics import MOST_FINDINGS, Diagnostic, Edit, Finding, Fix, Safety, Severity
from modelfile.errors import Speller
from modelfile.immutable import record
from modelfile.source import Source, Span
from modelfile.syntax.nodes import (
    Comment,
    From,
    Incomplete,
    Instruction,
    Message,
    Node,
    Parameter,
    Quoting,
    System,
    Template,
    Unknown,
    Value,
    Word,
    command_name,
)
from modelfile.syntax.suggestions import NO_INSTRUCTION, homoglyph, latin_word, looks_like_from, suggest

CODES: Final = {
    "missing-from": "MF101",
    "unknown-instruction": "MF102",
    "missing-argument": "MF103",
    "unclosed-quote": "MF104",
    "extra-space": "MF107",
    "invalid-role": "MF108",
    "conflict-markers": "MF117",
    "shell-remains": "MF118",
    "unexpanded-reference": "MF512",
    "mojibake": "MF514",
    "typographic-quotes": "MF515",
    "homoglyph": "MF516",
}
ROLES: Final = ("system", "user", "assistant")

_MODELPACK: Final = frozenset(
    "NAME ARCH FAMILY FORMAT PARAMSIZE PRECISION QUANTIZATION CONFIG MODEL CODE DOC DATASET".split()  # noqa: SIM905  # words
)
_MAX_NAMED: Final = 3
_NUL_SHARE: Final = 4
"""One NUL in so many characters marks a text as UTF-16."""
_LETTERS: Final = re.compile(r"[A-Za-z]*")
_MISSPELLED: Final = r"""["'`]?(-{0,2}[A-Za-z][\w-]{0,39})["'`]?[ \t]*+[=:]?[ \t]*+"""
"""The name of a parameter or role, with other characters than Ollama allows in it or after it."""
_ROLE_ALIASES: Final = {"human": "user", "bot": "assistant", "ai": "assistant", "model": "assistant"}
_CLOSE: Final = 0.8
"""Similarity from which on a name that has other faults too is a parameter, misspelled, from 0 to 1."""
_NEWLINE: Final = re.compile(r"[\r\n]")


class Cause(StrEnum):
    """The reason why Ollama's parser rejects a Modelfile, in the words of the test vectors."""

    NO_FROM = "no FROM"
    UNEXPECTED_END = "unexpected end"
    UNKNOWN_INSTRUCTION = "unknown instruction"
    INVALID_ROLE = "invalid message role"


@record()
class Rejection:
    """The error that Ollama's parser reports: the first one."""

    cause: Cause
    line: int | None
    """The line as Ollama counts: from 1, with `\\r\\n` as two newlines. None if it reports no line."""


def find_rejection(text: str, nodes: Sequence[Node]) -> Rejection | None:
    """Return the error that Ollama's parser (0.33) reports for a Modelfile; None if it accepts it."""
    for node in nodes:
        match node:
            case Unknown():
                match = _LETTERS.match(text, node.span.start + 1)
                end = match.end() if match else node.span.end
                if end == len(text):
                    return Rejection(Cause.UNEXPECTED_END, None)
                return Rejection(Cause.UNKNOWN_INSTRUCTION, _line(text, end + 1))
            case Incomplete():
                return Rejection(Cause.UNEXPECTED_END, None)
            case Message() if node.role.text not in ROLES:
                return Rejection(Cause.INVALID_ROLE, _line(text, node.role.span.end))
            case Instruction() if not node.value.closed:
                return Rejection(Cause.UNEXPECTED_END, None)
    return None if _has_from(nodes) else Rejection(Cause.NO_FROM, None)


def _line(text: str, offset: int) -> int:
    return 1 + len(_NEWLINE.findall(text, 0, offset))


def _has_from(nodes: Sequence[Node]) -> bool:
    return any(isinstance(node, Instruction) and command_name(node) == "model" for node in nodes)


def find_errors(source: Source, nodes: Sequence[Node]) -> Iterator[Diagnostic]:
    """Yield all syntax errors, in any order; none if and only if Ollama's parser accepts the text."""
    has_from, classes = _has_from(nodes), {*map(type, nodes)}
    is_unknown = Unknown in classes
    if not has_from and (other := _utf_16(source) or _modelpack(nodes)):
        yield other
        return
    if is_unknown and (foreign := _foreign_file(source, nodes)):
        yield foreign
        return
    speller = Speller()
    suggestions = [*islice(suggest(source, nodes, speller), MOST_FINDINGS)] if is_unknown else []
    if not has_from and (missing := _missing_from(source, nodes, speller)):
        text = next((named for named in suggestions if named[1].message == NO_INSTRUCTION), None)
        if text and not any(isinstance(node, Instruction | Incomplete) for node in nodes):
            suggestions.remove(text)
            missing = _only_text(missing, text[1])
        yield _diagnostic("missing-from", missing)
    yield from (_diagnostic(name, finding) for name, finding in suggestions)
    instructions = [node for node in nodes if isinstance(node, Instruction)]
    for number, node in enumerate(instructions, 1):
        if isinstance(node, Message) and node.role.text not in ROLES:
            yield _invalid_role(node)
        if not node.value.closed:
            shown = instructions[number : number + _MAX_NAMED]
            yield _unclosed_quote(source, node, shown, more=len(instructions) - number - len(shown))
    if Incomplete in classes:
        yield from (_incomplete(node, speller) for node in nodes if isinstance(node, Incomplete))


def _diagnostic(name: str, found: Finding) -> Diagnostic:
    return Diagnostic(
        code=CODES[name],
        name=name,
        severity=Severity.ERROR,
        span=found.span,
        message=found.message,
        hint=found.hint,
        fix=found.fix,
    )


def _utf_16(source: Source) -> Diagnostic | None:
    """Return the finding on a file in UTF-16 that Ollama reads as UTF-8, because it has no byte order mark."""
    if source.text.count(NUL) * _NUL_SHARE < len(source.text) or NUL not in source.text:
        return None
    message = "the file is UTF-16 without a byte order mark: Ollama reads a NUL between its characters"
    hint = "save it as UTF-8; in PowerShell, use `Set-Content -Encoding utf8` instead of `>`"
    return _diagnostic("mojibake", Finding(Span(0, 0), message, hint))


_OLLAMAS: Final = (Parameter, System, Template, Message, From)
"""Instructions that ModelPack does not have."""


def _modelpack(nodes: Sequence[Node]) -> Diagnostic | None:
    words = [node.word for node in nodes if isinstance(node, Unknown) and node.word.text in _MODELPACK]
    if not words or all(word.text == "FORMAT" for word in words) or any(isinstance(node, _OLLAMAS) for node in nodes):
        return None
    message = "this is a Modelfile of CNCF ModelPack, a different format with the same file name"
    return _diagnostic(
        "unknown-instruction", Finding(words[0].span, message, "Ollama cannot read it; build it with `modctl build`")
    )


def _foreign_file(source: Source, nodes: Sequence[Node]) -> Diagnostic | None:
    from modelfile.syntax.foreign_files import describe_foreign_file  # 1 ms that only a file with such lines pays

    found = describe_foreign_file(source, nodes)
    return _diagnostic("unknown-instruction", found) if found else None


def _missing_from(source: Source, nodes: Sequence[Node], speller: Speller) -> Finding | None:
    if unknown := [node for node in nodes if isinstance(node, Unknown)]:
        from modelfile.syntax.remains import is_prefixed_from  # 1 ms that only a file with such lines pays

        is_from = (
            looks_like_from(node, speller) or latin_word(node, source) or is_prefixed_from(source, node)
            for node in unknown
        )
        if any(is_from):
            return None
    message, hint = "missing FROM", "start with `FROM name:tag` or `FROM ./weights.gguf`"
    commented = next((node for node in nodes if isinstance(node, Comment) and node.text.startswith("FROM ")), None)
    if commented:
        hint = f"line {source.line_of(commented.span.start)} has it in a comment: delete the #"
    elif not any(not isinstance(node, Comment) for node in nodes):
        message = f"missing FROM: the file {'contains only comments' if nodes else 'is empty'}"
    return Finding(Span(0, 0), message, hint)


def _only_text(missing: Finding, text: Finding) -> Finding:
    """Return one finding for a file that is a text without any instruction, such as a prompt."""
    hint = "; ".join(filter(None, (missing.hint, text.hint)))
    return Finding(missing.span, f"{missing.message}: the file has no instructions", hint, text.fix)


def _word(node: Instruction | Incomplete) -> str:
    return node.keyword.text.strip().upper()


def _incomplete(node: Incomplete, speller: Speller) -> Diagnostic:
    word, rest = _word(node), node.rest
    if rest.text and is_homoglyph(first := re.split(r"[ \t]", rest.text, maxsplit=1)[0]):
        end = rest.span.start + len(first)
        return _diagnostic("homoglyph", homoglyph(Word(first, Span(rest.span.start, end))))
    part, example = ("name", "PARAMETER temperature 0.7") if word == "PARAMETER" else ("role", "MESSAGE user Hello!")
    if not rest.text:
        return _diagnostic("missing-argument", Finding(node.span, f"missing {part} after {word}", f"write `{example}`"))
    if rest.text.isidentifier():
        hint = f"write `{word} {rest.text} …` on one line"
        return _diagnostic("missing-argument", Finding(node.span, f"missing value for {word} {rest.text}", hint))
    if space := re.match(r"\w+([^\S \t\r\n])", rest.text):
        from unicodedata import name as name_of  # for few files

        at = Span(rest.span.start + space.start(1), rest.span.start + space.end(1))
        message = f"{name_of(space[1], 'control').lower()} (U+{ord(space[1]):04X}) after the {part} instead of a space"
        return _diagnostic("missing-argument", Finding(at, message, "write a space", Fix(edits=(Edit(at, " "),))))
    fix, hint = None, f"write a space after the {part}, and nothing else: `{example}`"
    if named := re.match(_MISSPELLED, rest.text):
        written, value = named[1], rest.text[named.end() :]
        name = written if value and "-" not in written else None
        if word == "PARAMETER":
            from modelfile.catalog.parameters import PARAMETERS  # few Modelfiles need it
            from modelfile.catalog.parameters.aliases import explain_absence, find_parameter

            name = find_parameter(written) or name
            if name in (None, written) and (absence := explain_absence(written)):
                return _diagnostic("missing-argument", Finding(rest.span, f"unknown parameter `{written}`", absence))
            if name is None or name == written:
                name = speller.closest(written.lower(), PARAMETERS, _CLOSE) or name
        if name:
            fix = Fix(edits=(Edit(rest.span, f"{name} {value}"),)) if value else None
            hint = f"write `{word} {name} {value or '…'}`"
    message = f"invalid {word.lower()} {part} in `{rest.text}`"
    return _diagnostic("missing-argument", Finding(rest.span, message, hint, fix))


def _invalid_role(node: Message) -> Diagnostic:
    role = node.role.text
    if not role:
        message = "extra space before the role"
        return _diagnostic("extra-space", Finding(node.role.span, message, "remove it"))
    intended = _ROLE_ALIASES.get(role.lower(), role.lower())
    if intended not in ROLES:
        return _diagnostic(
            "invalid-role",
            Finding(node.role.span, f"invalid role `{role}`", f"use {', '.join(ROLES[:-1])} or {ROLES[-1]}"),
        )
    safety = Safety.SAFE if intended == role.lower() else Safety.UNSAFE
    fix = Fix(edits=(Edit(node.role.span, intended),), safety=safety)
    return _diagnostic("invalid-role", Finding(node.role.span, f"invalid role `{role}`", f"write `{intended}`", fix))


def _unclosed_quote(source: Source, node: Instruction, swallowed: Sequence[Instruction], *, more: int) -> Diagnostic:
    quotes, value = str(node.value.quoting), node.value
    message = f"missing closing quotes for {_word(node)}"
    if swallowed:
        names = (f"{_word(other)} (line {source.line_of(other.span.start)})" for other in swallowed)
        message += f": its text includes {', '.join(names)}{f' and {more} more' if more else ''}"
    hint, fix = f"write {quotes} at the end of its last line", _closing(value)
    if after := find_text_after_quotes(source.text, value, value.content.end):
        text = source.text[after.start : after.end].strip()
        hint = f"nothing may follow the closing quotes on their line, not even a comment: move `{text}`"
        line = source.line_start(node.span.start)
        above = Edit(Span(line, line), f"{text}\n")
        fix = Fix(edits=(above, Edit(after, ""))) if text.startswith("#") else None
    opening = Span(value.span.start, value.content.start)
    return _diagnostic("unclosed-quote", Finding(opening, message, hint, fix))


def find_text_after_quotes(text: str, value: Value, end: int) -> Span | None:
    """Return the span of the text after quotes that were intended to close a value, on their line and before `end`."""
    quotes, start = str(value.quoting), value.content.start
    if value.quoting is Quoting.DOUBLE:
        first_line = _NEWLINE.search(text, start, end)  # on later lines, quotes are probably part of the text
        end = first_line.start() if first_line else end
        if text.count(quotes, start, end) % 2 == 0:
            return None
    closing = text.rfind(quotes, start, end)
    if closing < 0:
        return None
    line = _NEWLINE.search(text, closing, end)
    return Span(closing + len(quotes), line.start() if line else end)


def _closing(value: Value) -> Fix | None:
    """Return the fix that adds quotes at the end of the text before the next instruction."""
    if not value.text.strip():
        return None
    missing = '"' if value.quoting is Quoting.TRIPLE and value.text.rstrip().endswith('""') else str(value.quoting)
    return Fix(edits=(Edit(Span(value.content.end, value.content.end), missing),))
