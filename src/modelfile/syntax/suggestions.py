"""Suggestions for lines that do not start with an instruction."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final

from modelfile.catalog.catalog import catalog
from modelfile.characters import describe_homoglyphs, is_homoglyph, to_latin
from modelfile.diagnostics import Edit, Finding, Fix
from modelfile.errors import Speller
from modelfile.immutable import record
from modelfile.source import Source, Span
from modelfile.syntax.nodes import (
    WORDS,
    Comment,
    Incomplete,
    Instruction,
    License,
    Message,
    Node,
    Quoting,
    System,
    Template,
    Unknown,
    Word,
)
from modelfile.syntax.quoting import can_hold

_TEXTS: Final = (System, Template, License, Message)
_TEXT_WORDS: Final = frozenset(node.__name__.upper() for node in _TEXTS)
_NO_FORMAT: Final = 'set `"format": "json"` in the request instead, and describe the format in SYSTEM'
_ALL_WORDS: Final = f"the instructions are {', '.join(WORDS)}; a comment starts with #"
TYPOGRAPHIC_QUOTES: Final = {
    "\u201c": "\u201d\u201c",
    "\u201e": "\u201c\u201d",
    "\xab": "\xbb",
    "\u2018": "\u2019\u2018",
    "\u201d": "\u201d",
    "\u2019": "\u2019",
    "\xbb": "\xab",
    "\u300c": "\u300d",
    "\u2039": "\u203a",
    "\uff02": "\uff02",
    "\u2033": "\u2033",
}
"""Opening quotes that are none to Ollama, and the quotes that close them."""
_NO_QUOTES: Final = frozenset({*TYPOGRAPHIC_QUOTES, "'"})
_BACKSLASH: Final = ": a backslash does not continue it"
_ALIASES: Final = {"MODEL": "FROM", "BASE": "FROM", "BASE_MODEL": "FROM", "PROMPT": "SYSTEM", "SYSTEM_PROMPT": "SYSTEM"}
_DOCKERFILE: Final = frozenset(
    "ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE LABEL MAINTAINER RUN USER VOLUME WORKDIR".split()  # noqa: SIM905  # words
)
_NAMED: Final = re.compile(r"[A-Z_]{3,}[ \t]")
"""The start of a line that is written like an instruction."""
_HEADING: Final = re.compile(r"[A-Z_]{3,}+[ \t]++(?:[A-Z]{2,}\b|&|[^\r\n]*:[ \t]*+(?![^\r\n]))")
"""A heading of a prompt, which continues a text that is reported already."""
_LITERAL: Final = r'[-+]?\.?\d|true\b|false\b|"'
_NUMBER: Final = r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_COMMENT_SIGN: Final = re.compile(r"//+|--+(?=[ \t])|;+|REM(?=[ \t])")
"""The start of a comment in other languages."""
_SEPARATOR: Final = re.compile(r"[=: \t]*")
_PROSE: Final = re.compile(r"(?:[-*] +)?[^\W\d_][\w'-]*[,.:;]?(?:\s+\S+){2}|\{\{")
"""The start of a prompt or a template."""


def without_typographic_quotes(text: str) -> str | None:
    """Return a text without the typographic quotes at its start, at its end or both; None if there are none."""
    bare = text.strip("".join(TYPOGRAPHIC_QUOTES) + "\xbb")
    return bare if bare != text else None


@record(frozen=False)
class _UnknownLine:
    """A line without an instruction, in its context; not frozen, because there can be many."""

    line: Unknown
    owner: Instruction | None
    """The instruction whose text may be intended to continue here."""
    in_text: bool
    """True if it may be intended as part of a text."""
    source: Source
    block: Span
    """The span of the line and the unknown lines that follow, including comments between them."""
    types: frozenset[type[Node]]
    """The types of the nodes in the file."""
    speller: Speller

    @property
    def rest(self) -> str:
        """The text after the word and a `:` or `=`."""
        return self.source.text[self.rest_start : self.line.span.end]

    @property
    def rest_start(self) -> int:
        if self.line.word.span.end == self.line.span.end:
            return self.line.span.end
        match = _SEPARATOR.match(self.source.text, self.line.word.span.end, self.line.span.end)
        return match.end() if match else self.line.span.end


NO_INSTRUCTION: Final = "text without an instruction"
"""Message on a text that belongs to no instruction."""


def suggest(source: Source, nodes: Sequence[Node], speller: Speller) -> Iterator[tuple[str, Finding]]:
    """Yield a finding for each unknown line, with its rule; only one for a text that continues over several lines."""
    owner: Instruction | None = None
    above: Node | None = None
    reported = False
    types = frozenset(map(type, nodes))
    ends = _block_ends(nodes)
    remains = _remains(source, nodes)
    for number, node in enumerate(nodes):
        if isinstance(node, Unknown) and node.span.start in remains:
            if remain := remains[node.span.start]:
                yield remain
        elif isinstance(node, Unknown):
            block = Span(node.span.start, ends[number])
            unknown = _UnknownLine(node, owner, owner is not None or reported, source, block, types, speller)
            if recognized := _of_word(unknown) or _named(unknown, reported=reported):
                yield recognized
                reported = reported or recognized[0] == "missing-argument"  # the lines below were intended as its value
            elif not reported and (prose := _prose(unknown, above)):
                is_typographic = source.text[prose.span.start : prose.span.end] in TYPOGRAPHIC_QUOTES
                yield "typographic-quotes" if is_typographic else "unknown-instruction", prose
                reported = True
            elif not reported:
                message = f"unknown instruction `{node.word.text}`"
                yield "unknown-instruction", Finding(node.word.span, message, _ALL_WORDS)
        elif not isinstance(node, Comment):
            reported = False
        if isinstance(node, Instruction | Incomplete):
            owner = node if isinstance(node, _TEXTS) else None
        above = node


def _remains(source: Source, nodes: Sequence[Node]) -> dict[int, tuple[str, Finding] | None]:
    if not any(isinstance(node, Unknown) for node in nodes):
        return {}
    from modelfile.syntax.remains import find_remains  # 1 ms that only a file with such lines pays

    return find_remains(source, nodes)


def _block_ends(nodes: Sequence[Node]) -> list[int]:
    """Return the end of the block of each unknown line, by the number of its node; 0 for other nodes."""
    ends = [0] * len(nodes)
    end: int | None = None
    for number in range(len(nodes) - 1, -1, -1):
        node = nodes[number]
        if isinstance(node, Unknown):
            end = ends[number] = node.span.end if end is None else end
        elif not isinstance(node, Comment):
            end = None
    return ends


def _of_word(unknown: _UnknownLine) -> tuple[str, Finding] | None:
    return _homoglyph(unknown) or _instruction_without_value(unknown) or _recognize(unknown)


def _homoglyph(unknown: _UnknownLine) -> tuple[str, Finding] | None:
    written = latin_word(unknown.line, unknown.source)
    return ("homoglyph", homoglyph(written)) if written else None


def latin_word(line: Unknown, source: Source) -> Word | None:
    """Return the first word of an unknown line if letters that look like Latin ones keep it from an instruction."""
    if source.text.isascii():
        return None
    written = re.split(r"[ \t]", source.text[line.span.start : line.span.end], maxsplit=1)[0]
    if not is_homoglyph(written) or to_latin(written).upper() not in WORDS:
        return None
    return Word(written, Span(line.span.start, line.span.start + len(written)))


def homoglyph(word: Word) -> Finding:
    """Return the finding on a word with letters that look like Latin ones, with the fix that replaces them."""
    message = f"`{word.text}` has the letter {describe_homoglyphs(word.text)}"
    fix = Fix(edits=(Edit(word.span, to_latin(word.text)),))
    return Finding(word.span, message, f"write `{to_latin(word.text)}` in Latin letters", fix)


def _instruction_without_value(unknown: _UnknownLine) -> tuple[str, Finding] | None:
    line, word = unknown.line, unknown.line.word.text.upper()
    if word not in WORDS or (unknown.in_text and not line.word.text.isupper()):
        return None
    if not unknown.rest:
        hint = "write it on the same line, after a space"
        if word in _TEXT_WORDS:
            hint += '; put a text of several lines in """'
        return "missing-argument", Finding(line.span, f"missing value for {word}", hint)
    fix = Fix(edits=(Edit(Span(line.word.span.end, unknown.rest_start), " "),))
    message, hint = f"missing space after {word}", f"write `{word} …`"
    if (sign := unknown.source.text[line.word.span.end]) in ":=":
        message += f": `{sign}` does not belong there"
    elif sign.isspace() or unicodedata.category(sign) == "Cf":
        message += f": U+{ord(sign):04X} {unicodedata.name(sign, 'a control character')} is none to Ollama"
    return "unknown-instruction", Finding(line.word.span, message, hint, fix)


def _recognize(unknown: _UnknownLine) -> tuple[str, Finding] | None:
    """Return a finding for a line whose first word shows its intention."""
    line = unknown.line
    written = line.word.text
    replacement = None
    if not unknown.in_text and (sign := _COMMENT_SIGN.match(unknown.source.text, line.span.start)):
        message = f"unknown instruction `{sign[0]}`: comments start with #"
        edit = Edit(Span(*sign.span()), "#")
        return "unknown-instruction", Finding(edit.span, message, "write # instead", Fix(edits=(edit,)))
    if (parameter := _parameter(unknown)) is not None:
        hint, replacement = f"write `{parameter}`", Edit(line.span, parameter) if unknown.rest else None
    elif unknown.in_text and not written.isupper():  # probably a word of the text
        return None
    elif written.upper() in ("FORMAT", "RESPONSE_FORMAT"):
        hint = _NO_FORMAT
    elif word := _instruction(line, unknown.speller):
        hint = f"did you mean {word}?"
        replacement = Edit(Span(line.word.span.start, unknown.rest_start), f"{word} ") if unknown.rest else None
    elif written in _DOCKERFILE:
        hint = f"{written} is an instruction of Dockerfiles; Ollama has no equivalent"
    else:
        return None
    fix = Fix(edits=(replacement,)) if replacement else None
    return "unknown-instruction", Finding(line.word.span, f"unknown instruction `{written}`", hint, fix)


def _named(unknown: _UnknownLine, *, reported: bool) -> tuple[str, Finding] | None:
    """Return a finding for a line that is written like an instruction, wherever the text above it has ended."""
    word, start = unknown.line.word, unknown.line.span.start
    text = unknown.source.text
    if not _NAMED.match(text, start) or (reported and _HEADING.match(text, start)):
        return None
    fix = Fix(edits=(Edit(Span(start, start), "# "),))
    finding = Finding(
        word.span, f"unknown instruction `{word.text}`", f"delete it, or put # before it; {_ALL_WORDS}", fix
    )
    return "unknown-instruction", finding


@cache
def _parameters() -> frozenset[str]:
    """Return the names of all parameters, also of deprecated ones."""
    return frozenset((*catalog().parameters, *catalog().deprecated))


def _parameter(unknown: _UnknownLine) -> str | None:
    name = unknown.line.word.text.lower()
    if name not in _parameters():
        if not (rest := unknown.rest) or not re.fullmatch(_NUMBER, rest):
            return None
        from modelfile.catalog.parameters.aliases import find_parameter  # few Modelfiles need it

        intended = find_parameter(name)
        return f"PARAMETER {intended} {unknown.rest}" if intended else None
    if unknown.in_text and not re.match(_LITERAL, unknown.rest):
        return None
    return f"PARAMETER {name} {unknown.rest or '…'}"


def _instruction(line: Unknown, speller: Speller) -> str | None:
    word = line.word.text.upper()
    return _ALIASES.get(word) or speller.closest(word, WORDS, cutoff=0.75)


def looks_like_from(line: Unknown, speller: Speller) -> bool:
    """Return whether an unknown line is probably a misspelled FROM."""
    return _instruction(line, speller) == "FROM"


def _prose(unknown: _UnknownLine, above: Node | None) -> Finding | None:
    """Return a finding for a text that continues after the end of its instruction or comment, or that has none."""
    line, source = unknown.line, unknown.source
    if isinstance(above, Comment) and source.line_of(above.span.start) + 1 == source.line_of(line.span.start):
        fix = Fix(edits=(Edit(Span(line.span.start, line.span.start), "# "),))
        hint = "if this line is part of it, start it with #"
        return Finding(line.span, "the comment ended on the previous line", hint, fix)
    if (owner := unknown.owner) and (opening := owner.value.text[:1]) in _NO_QUOTES:
        return _single(owner, unknown) if opening == "'" else _typographic(owner, unknown)
    if owner := unknown.owner:
        word, quotes = owner.keyword.text.strip().upper(), owner.value.quoting
        if quotes is Quoting.NONE:
            continued = owner.value.text.endswith("\\")
            message = f"the text of {word} ended on the previous line{_BACKSLASH if continued else ''}"
            hint = f'if this line is part of it, put the whole text in quotes: {word} """…"""'
        else:
            ended = source.line_of(owner.value.span.end)
            message = f"the text of {word} ended on line {ended}, because that line ends with {quotes}"
            hint = f"if this line is part of it, put another character after {quotes} on line {ended}"
            if quotes is Quoting.DOUBLE:
                hint = f'if this line is part of it, put the whole text in triple quotes: {word} """…"""'
        return Finding(line.span, message, hint, _in_quotes(owner, unknown))
    block = unknown.block
    if _PROSE.match(source.text, block.start, block.end):
        kind, what = (Template, "template") if line.word.text == "{" else (System, "prompt")
        if kind in unknown.types:
            return None
        word = kind.__name__.upper()
        edits = (Edit(Span(block.start, block.start), f'{word} """'), Edit(Span(block.end, block.end), '"""'))
        quoted = Fix(edits=edits) if can_hold(Quoting.TRIPLE, source.text[block.start : block.end]) else None
        return Finding(line.span, NO_INSTRUCTION, f'if it is the {what}, write {word} """…"""', quoted)
    return None


def _typographic(owner: Instruction, unknown: _UnknownLine) -> Finding:
    word, opening = owner.keyword.text.strip().upper(), owner.value.text[0]
    message = f"the text of {word} ended on its first line, because `{opening}` is no quote to Ollama"
    text, content, end = unknown.source.text, owner.value.content.start, unknown.block.end
    closing = end - 1 if text[end - 1 : end] in TYPOGRAPHIC_QUOTES[opening] else end
    fix = None
    if can_hold(Quoting.TRIPLE, text[content + 1 : closing]):
        fix = Fix(edits=(Edit(Span(content, content + 1), '"""'), Edit(Span(closing, end), '"""')))
    return Finding(Span(content, content + 1), message, f'put the text in triple quotes: {word} """…"""', fix)


def _single(owner: Instruction, unknown: _UnknownLine) -> Finding:
    word, text = owner.keyword.text.strip().upper(), unknown.source.text
    message = f"the text of {word} ended on its first line, because single quotes are none to Ollama"
    start, end = owner.value.content.start, unknown.block.end
    fix = None
    if text[end - 1 : end] == "'" and can_hold(Quoting.TRIPLE, text[start + 1 : end - 1]):
        fix = Fix(edits=(Edit(Span(start, start + 1), '"""'), Edit(Span(end - 1, end), '"""')))
    return Finding(Span(start, start + 1), message, f'put the text in triple quotes: {word} """…"""', fix)


def _in_quotes(owner: Instruction, unknown: _UnknownLine) -> Fix | None:
    """Return the fix that joins the lines with the text above them, if triple quotes can hold it all."""
    text, value, end = unknown.source.text, owner.value, unknown.block.end
    closed = 0
    match value.quoting:
        case Quoting.NONE:
            closed = 3 if text.endswith('"""', value.content.start, end) else 0
        case Quoting.DOUBLE if text.endswith('"', value.content.start, end):
            closed = 1
        case _:
            return None
    if not can_hold(Quoting.TRIPLE, text[value.content.start : end - closed]):
        return None
    opening, closing = Span(value.span.start, value.content.start), Span(end - closed, end)
    return Fix(edits=(Edit(opening, '"""'), Edit(closing, '"""')))
