r"""The parser of Modelfiles.

The language is regular: one instruction after the other, as Ollama's own parser reads it (measured on 0.33), made
total: text that Ollama rejects has forms too. The two expressions below are its grammar. They are matched against the
masked text, in which an unprintable character is NUL, and a quote that is never closed is \x01. Their repeats are
possessive, so that the time is proportional to the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.characters import NUL, mask
from modelfile.source import Span
from modelfile.syntax.nodes import (
    WORDS,
    Comment,
    Incomplete,
    Message,
    Node,
    Parameter,
    Quoting,
    Unknown,
    Value,
    Word,
)

_WHITESPACE: Final = " \t" + NUL
_UNCLOSABLE: Final = "\x01"

_PLAIN_WORDS: Final = "|".join(word for word in WORDS if word not in ("PARAMETER", "MESSAGE"))

_LINE: Final = re.compile(
    rf"""
    [ \t\r\n]*+
    (?: (?P<comment> \# [^\r\n]*+ )
      # One unprintable character can precede an instruction; the whitespace after the word belongs to it.
      | (?P<plain> \0?+ (?P<word> (?ai:{_PLAIN_WORDS}) ) [ \t] [ \t\0]*+ )
      # Exactly one space or tab separates PARAMETER from its name, which can be empty. If no whitespace follows the
      # name, the line is incomplete.
      | (?P<parameter> \0?+ (?ai:PARAMETER) [ \t] )
        (?: (?P<name> [A-Za-z0-9_]*+ [ \t] [ \t\0]*+ ) | (?P<no_name> [^\r\n]++ ) )?+
      | (?P<message> \0?+ (?ai:MESSAGE) [ \t] )
        (?: (?P<role> [A-Za-z]*+ [ \t] [ \t\0]*+ ) | (?P<no_role> [^\r\n]++ ) )?+
      | (?P<unknown> [^ \t\r\n\#] [^\r\n]*+ )
    )
    """,
    re.VERBOSE,
)
_VALUE: Final = re.compile(
    rf"""
    # A quoted value ends at the first newline where the text so far ends in its quotes, whitespace aside. There are no
    # escapes.
    (?P<triple> " \0*+ " \0*+ "
        (?: [^"]++ | " (?! \0*+ " \0*+ " [ \t\0]*+ (?![^\r\n]) ) )*+
        " \0*+ " \0*+ " [ \t\0]*+ (?![^\r\n]) )
    | (?P<double> " (?! \0*+ " \0*+ " )
        (?: [^"]++ | " (?! [ \t\0]*+ (?![^\r\n]) ) )*+
        " [ \t\0]*+ (?![^\r\n]) )
    | (?P<bare> [^ \t\r\n\0\x01"] [^\r\n]*+ )
    # If it has no end, the value stops before the next line that starts with an instruction.
    | (?P<unclosed> ["\x01] [^\r\n]*+
        (?: [\r\n]++ (?! [ \t]*+ \0?+ (?ai:{"|".join(WORDS)}) [ \t] ) [^\r\n]*+ )*+ )
    """,
    re.VERBOSE,
)
_KEYWORD_OF: Final = {
    "plain": "plain",
    **dict.fromkeys(("parameter", "name", "no_name"), "parameter"),
    **dict.fromkeys(("message", "role", "no_role"), "message"),
}
"""The group of the instruction word, by the last group of a line."""
_TRIPLE_START: Final = re.compile(r'"\0*+"\0*+"')
_TRIPLE_END: Final = re.compile(r'"\0*+"\0*+"[ \t\0]*+(?![^\r\n])')
_DOUBLE_END: Final = re.compile(r'"[ \t\0]*+(?![^\r\n])')
_FIRST_WORD: Final = re.compile(r"[A-Za-z0-9_]+|[^ \t\r\n]")


def parse_nodes(text: str) -> tuple[Node, ...]:
    """Parse a text into nodes, in the order of the text. Never fails: text that Ollama rejects becomes a node too."""
    return tuple(_Parser(text).nodes())


def _mark_unclosable(text: str) -> str:
    """Replace quotes that are never closed, so that not the whole text is searched for the end of each of them."""
    if '"' not in text:
        return text
    triple = max((match.start() for match in _TRIPLE_END.finditer(text)), default=-1) + 1
    double = max((match.start() for match in _DOUBLE_END.finditer(text, triple)), default=triple - 1) + 1
    unclosed = _TRIPLE_START.sub(lambda match: _UNCLOSABLE + match[0][1:], text[triple:double])
    return text[:triple] + unclosed + text[double:].replace('"', _UNCLOSABLE)


def _after(word: Word) -> Span:
    return Span(word.span.end, word.span.end)


class _Parser:
    """The parser of one text: it takes spans from the masked text and characters from the original."""

    def __init__(self, original: str) -> None:
        self._original = original
        self._masked = mask(original)
        self._marked = _mark_unclosable(self._masked)

    def nodes(self) -> Iterator[Node]:
        position = 0
        while match := _LINE.match(self._marked, position):
            node, position = self._node(match)
            yield node

    def _node(self, match: re.Match[str]) -> tuple[Node, int]:
        """Return the node of a line, and the offset at which the text continues."""
        kind, end = match.lastgroup or "", match.end()
        if kind == "comment":
            span = self._span(*match.span(kind), " \t")
            return Comment(text=self._original[span.start + 1 : span.end].strip(), span=span), end
        if kind == "unknown":
            return self._unknown(*match.span(kind)), end
        keyword = self._word(*match.span(_KEYWORD_OF[kind]))
        if kind not in ("plain", "name", "role"):
            rest = self._word(*match.span(kind)) if kind in ("no_name", "no_role") else Word("", _after(keyword))
            return Incomplete(keyword=keyword, rest=rest, span=Span(keyword.span.start, rest.span.end)), end
        value, end = self._value(end)
        span = Span(keyword.span.start, value.span.end)
        if kind == "plain":
            return WORDS[match["word"].upper()](keyword=keyword, value=value, span=span), end
        head = self._word(*match.span(kind))
        if kind == "name":
            return Parameter(keyword=keyword, name=head, value=value, span=span), end
        return Message(keyword=keyword, role=head, value=value, span=span), end

    def _span(self, start: int, end: int, whitespace: str = _WHITESPACE) -> Span:
        """Return a span without trailing whitespace and unprintable characters."""
        while end > start and self._masked[end - 1] in whitespace:
            end -= 1
        return Span(start, end)

    def _word(self, start: int, end: int) -> Word:
        span = self._span(start, end)
        return Word(self._original[span.start : span.end], span)

    def _unknown(self, start: int, end: int) -> Unknown:
        span = self._span(start, end, " \t")
        word = _FIRST_WORD.match(self._original, span.start)
        split = word.end() if word else span.end
        return Unknown(
            word=Word(self._original[span.start : split], Span(span.start, split)),
            rest=Word(self._original[split : span.end].strip(), Span(split, span.end)),
            span=span,
        )

    def _value(self, start: int) -> tuple[Value, int]:
        """Return the value at an offset, and the offset at which the text continues."""
        match = _VALUE.match(self._marked, start)
        if not match:
            return Value(text="", span=Span(start, start), content=Span(start, start)), start
        span = self._span(*match.span())
        if match.lastgroup == "bare":
            return Value(text=self._read(span), span=span, content=span), match.end()
        opening = _TRIPLE_START.match(self._masked, span.start)
        quoting = Quoting.TRIPLE if opening else Quoting.DOUBLE
        start = opening.end() if opening else span.start + 1
        if match.lastgroup == "unclosed":
            content = Span(start, max(start, span.end))
            value = Value(text=self._read(content), span=span, content=content, quoting=quoting, closed=False)
            return value, match.end()
        closing = self._masked.rindex('"', start, span.end)
        for _ in range(len(quoting) - 1):
            closing = self._masked.rindex('"', start, closing)
        content = Span(start, closing)
        return Value(text=self._read(content), span=span, content=content, quoting=quoting), match.end()

    def _read(self, span: Span) -> str:
        """Return the original text without unprintable characters."""
        original = self._original[span.start : span.end]
        masked = self._masked[span.start : span.end]
        if NUL not in masked:
            return original
        return "".join(character for character, mark in zip(original, masked, strict=True) if mark != NUL)
