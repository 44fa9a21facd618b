"""The parser of Modelfiles, by the grammar in modelfile.lark."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from modelfile.characters import NUL, mask
from modelfile.grammar import load_grammar
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

if TYPE_CHECKING:
    from lark import Lark, Token, Tree

_WHITESPACE: Final = " \t" + NUL
_UNCLOSABLE: Final = "\x01"
_TRIPLE_START: Final = re.compile(r'"\0*+"\0*+"')
_TRIPLE_END: Final = re.compile(r'"\0*+"\0*+"[ \t\0]*+(?![^\r\n])')
_DOUBLE_END: Final = re.compile(r'"[ \t\0]*+(?![^\r\n])')
_LINE: Final = re.compile(r"([A-Za-z0-9_]++|[^ \t\r\n])(?:[^\r\n]*[^ \t\r\n])?")
"""A line without the whitespace around it, and its first word."""


@cache
def _grammar() -> Lark:
    return load_grammar(Path(__file__).with_name("modelfile.lark"))


def parse_nodes(text: str) -> tuple[Node, ...]:
    """Parse a text into nodes, in the order of the text. Never fails: text that Ollama rejects becomes a node too."""
    masked = mask(text)
    tree = _grammar().parse(_mark_unclosable(masked))
    return tuple(_Builder(text, masked).nodes(tree.children))  # type: ignore[arg-type]  # only rules there


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

    def nodes(self, trees: Iterable[Tree[Token]]) -> Iterator[Node]:
        """Yield the nodes of all lines."""
        for tree in trees:
            tokens: list[Token] = tree.children  # type: ignore[assignment]  # the grammar nests one level deep
            if tree.data == "comments":
                yield from map(self._comment, self._lines(tokens[0]))
            elif tree.data == "unknown":
                yield from map(self._unknown, self._lines(tokens[0]))
            else:
                yield self._instruction(tree.data, tokens)

    def _instruction(self, rule: str, tokens: list[Token]) -> Incomplete | Instruction:
        first = self._word(tokens[0], len(tokens[0]) - len(tokens[0].lstrip(" \t\r\n")))
        if rule == "incomplete":
            end = first.span.end
            rest = self._word(tokens[1]) if len(tokens) > 1 else Word("", Span(end, end))
            return Incomplete(keyword=first, rest=rest, span=Span(first.span.start, rest.span.end))
        if rule == "instruction":
            value = self._value(tokens[1:], tokens[0])
            kind = WORDS[self._masked[first.span.start : first.span.end].lstrip(NUL).upper()]
            return kind(keyword=first, value=value, span=Span(first.span.start, value.span.end))
        head, value = self._word(tokens[1]), self._value(tokens[2:], tokens[1])
        span = Span(first.span.start, value.span.end)
        if rule == "parameter":
            return Parameter(keyword=first, name=head, value=value, span=span)
        return Message(keyword=first, role=head, value=value, span=span)

    def _lines(self, token: Token) -> Iterator[re.Match[str]]:
        return _LINE.finditer(self._masked, token.start_pos or 0, token.end_pos or 0)

    def _comment(self, line: re.Match[str]) -> Comment:
        start, end = line.span()
        return Comment(text=self._original[start + 1 : end].strip(), span=Span(start, end))

    def _span(self, token: Token, before: int = 0) -> Span:
        """Return the span of a token without the whitespace before it, and that and unprintable characters after it."""
        start = token.start_pos or 0
        return Span(start + before, start + len(token.rstrip(_WHITESPACE)))

    def _word(self, token: Token, before: int = 0) -> Word:
        span = self._span(token, before)
        return Word(self._original[span.start : span.end], span)

    def _unknown(self, line: re.Match[str]) -> Unknown:
        (start, end), split = line.span(), line.end(1)
        return Unknown(
            word=Word(self._original[start:split], Span(start, split)),
            rest=Word(self._original[split:end].strip(), Span(split, end)),
            span=Span(start, end),
        )

    def _value(self, tokens: list[Token], before: Token) -> Value:
        if not tokens:
            end = before.end_pos or 0
            return Value(text="", span=Span(end, end), content=Span(end, end))
        (token,) = tokens
        span = self._span(token)
        if token.type == "BARE":
            return Value(text=self._read(span), span=span, content=span)
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
        masked = self._masked[span.start : span.end]
        if NUL not in masked:
            return original
        return "".join(character for character, mark in zip(original, masked, strict=True) if mark != NUL)
