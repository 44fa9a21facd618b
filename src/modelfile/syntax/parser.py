"""The parser of Modelfiles, by the grammar in modelfile.lark."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Final, TypeAlias

from modelfile.characters import NUL, mask
from modelfile.grammar import Grammar, Token, load_grammar
from modelfile.source import Span
from modelfile.syntax.nodes import (
    WORDS,
    Comment,
    Incomplete,
    Instruction,
    Message,
    Node,
    Parameter,
    Quoting,
    Unknown,
    Value,
    Word,
)

_Parsed: TypeAlias = tuple[str, list[Token]]
"""The name of a rule, and its tokens."""

_WHITESPACE: Final = " \t" + NUL
_UNCLOSABLE: Final = "\x01"
_TRIPLE_START: Final = re.compile(r'"\0*+"\0*+"')
_TRIPLE_END: Final = re.compile(r'"\0*+"\0*+"[ \t\0]*+(?![^\r\n])')
_DOUBLE_END: Final = re.compile(r'"[ \t\0]*+(?![^\r\n])')
_LINE: Final = re.compile(r"([A-Za-z0-9_]++|[^ \t\r\n])(?:[^\r\n]*[^ \t\r\n])?")
"""A line without the whitespace around it, and its first word."""
_BARE: Final = re.compile(
    r"(\0?(?<![A-Za-z])(?:(?ai:(parameter|message))|[A-Za-z]++))[ \t]"
    r"(?(2)([A-Za-z0-9_]*)[ \t])[ \t\0]*+((?:[^\r\n]*[^ \t\r\n\0])?)"
)
"""An instruction without quotes: its keyword, after PARAMETER or MESSAGE the name or role, and its value."""


@cache
def _grammar() -> Grammar:
    return load_grammar(Path(__file__).with_name("modelfile.lark"))


def parse_nodes(text: str) -> tuple[Node, ...]:
    """Parse a text into nodes, in the order of the text. Never fails: text that Ollama rejects becomes a node too."""
    masked = mask(text)
    _, parsed = _grammar().parse(_mark_unclosable(masked))
    return tuple(_Builder(text, masked).nodes(parsed))


def _mark_unclosable(text: str) -> str:
    """Replace quotes that are never closed, so that the grammar does not search the whole text for each of them."""
    if '"' not in text:
        return text
    triple = max((match.start() for match in _TRIPLE_END.finditer(text)), default=-1) + 1
    double = max((match.start() for match in _DOUBLE_END.finditer(text, triple)), default=triple - 1) + 1
    unclosed = _TRIPLE_START.sub(lambda match: _UNCLOSABLE + match[0][1:], text[triple:double])
    return text[:triple] + unclosed + text[double:].replace('"', _UNCLOSABLE)


class _Builder:
    """The builder of nodes: it takes spans from the masked text and characters from the original."""

    def __init__(self, original: str, masked: str) -> None:
        self._original = original
        self._masked = masked
        self._is_printable = NUL not in masked

    def nodes(self, parsed: Iterable[_Parsed]) -> Iterator[Node]:
        """Yield the nodes of all lines."""
        for rule, tokens in parsed:
            match rule:
                case "bare":
                    yield from map(self._bare, self._lines(_BARE, tokens[0]))
                case "quoted":
                    yield self._quoted(tokens)
                case "incomplete":
                    yield self._incomplete(tokens)
                case "comments":
                    yield from map(self._comment, self._lines(_LINE, tokens[0]))
                case _:
                    yield from map(self._unknown, self._lines(_LINE, tokens[0]))

    def _lines(self, pattern: re.Pattern[str], token: Token) -> Iterator[re.Match[str]]:
        return pattern.finditer(self._masked, token.start, token.start + len(token))

    def _bare(self, line: re.Match[str]) -> Instruction:
        content = Span(*line.span(4))
        value = Value(text=self._read(content), span=content, content=content)
        head = self._word(*line.span(3)) if line[2] else None
        return self._instruction(self._word(*line.span(1)), head, value)

    def _quoted(self, tokens: list[Token]) -> Instruction:
        head = self._word(*self._edges(tokens[1])) if tokens[2:] else None
        return self._instruction(self._keyword(tokens[0]), head, self._value(tokens[-1]))

    def _instruction(self, keyword: Word, head: Word | None, value: Value) -> Instruction:
        """Return an instruction; only PARAMETER and MESSAGE have a `head`, their name or role."""
        span = Span(keyword.span.start, value.span.end)
        kind = WORDS[self._masked[keyword.span.start : keyword.span.end].lstrip(NUL).upper()]
        if head is None:
            return kind(keyword=keyword, value=value, span=span)
        if kind is Parameter:
            return Parameter(keyword=keyword, name=head, value=value, span=span)
        return Message(keyword=keyword, role=head, value=value, span=span)

    def _incomplete(self, tokens: list[Token]) -> Incomplete:
        keyword = self._keyword(tokens[0])
        end = keyword.span.end
        rest = self._word(*self._edges(tokens[1])) if len(tokens) > 1 else Word("", Span(end, end))
        return Incomplete(keyword=keyword, rest=rest, span=Span(keyword.span.start, rest.span.end))

    def _keyword(self, token: Token) -> Word:
        start, end = self._edges(token)
        return self._word(start + len(token) - len(token.lstrip(" \t\r\n")), end)

    def _comment(self, line: re.Match[str]) -> Comment:
        start, end = line.span()
        return Comment(text=self._original[start + 1 : end].strip(), span=Span(start, end))

    def _edges(self, token: Token) -> tuple[int, int]:
        """Return the offsets of a token without the whitespace and unprintable characters after it."""
        start = token.start
        return start, start + len(token.rstrip(_WHITESPACE))

    def _word(self, start: int, end: int) -> Word:
        return Word(self._original[start:end], Span(start, end))

    def _unknown(self, line: re.Match[str]) -> Unknown:
        (start, end), split = line.span(), line.end(1)
        word = self._word(start, split)
        return Unknown(word=word, span=word.span if split == end else Span(start, end))

    def _value(self, token: Token) -> Value:
        span = Span(*self._edges(token))
        opening = _TRIPLE_START.match(self._masked, span.start)
        quoting = Quoting.TRIPLE if opening else Quoting.DOUBLE
        start = opening.end() if opening else span.start + 1
        if token.type == "UNCLOSED":
            content = Span(start, max(start, span.end))
            return Value(text=self._read(content), span=span, content=content, quoting=quoting, closed=False)
        closing = self._masked.rindex('"', start, span.end)
        for _ in range(len(quoting) - 1):
            closing = self._masked.rindex('"', start, closing)
        content = Span(start, closing)
        return Value(text=self._read(content), span=span, content=content, quoting=quoting)

    def _read(self, span: Span) -> str:
        """Return the original text without unprintable characters."""
        original = self._original[span.start : span.end]
        if self._is_printable:
            return original
        masked = self._masked[span.start : span.end]
        if NUL not in masked:
            return original
        return "".join(character for character, mark in zip(original, masked, strict=True) if mark != NUL)
