"""The lexer of templates: Go's rules (Go 1.24, lex.go) with the terminals of template.lark."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Generator, Iterator
from typing import Final

from modelfile.gotemplate.literals import KEYWORDS, TokenError, format_code_point, quote
from modelfile.grammar import Grammar, Token
from modelfile.source import Span

_WHITESPACE: Final = re.compile(r"[ \t\r\n]*+")
_LEFT_TRIMMED: Final = re.compile(r"\{\{-[ \t\r\n]")
_NOT_ASCII: Final = re.compile(r"[^\x00-\x7f]")
_WORD: Final = re.compile(r"[.$]?\w*+")

_QUOTED: Final = {'"': "quoted string", "`": "raw quoted string", "'": "character constant"}
_NAMED: Final = frozenset({"DEFINE", "TEMPLATE", "BLOCK"})
_OPERANDS: Final = frozenset(
    {"FIELD", "TARGET", "VARIABLE", "FUNCTION", "DOT", "NIL", "BOOL"}
    | {"NUMBER", "COMPLEX", "CHARACTER", "STRING", "RAW_STRING"}
)
_OPERAND_ENDS: Final = _OPERANDS | {"CHAIN", "RPAREN"}


class TemplateLexer:
    """The lexer of a grammar whose terminals at `{{` have a priority.

    The terminals are matched against a shadow of the text, of the same length: outside ASCII, letters and digits become
    `z`, all other characters a control character.
    """

    def __init__(self, grammar: Grammar) -> None:
        self._outside, self._inside = (
            _any_of(grammar, {name for name, (priority, _) in grammar.terminals.items() if bool(priority) is outside})
            for outside in (True, False)
        )

    def lex(self, text: str) -> Iterator[Token]:
        """Yield the tokens of a text.

        Raises:
            TokenError: A token is invalid.
        """
        shadow = text if text.isascii() else _NOT_ASCII.sub(_ascii, text)
        position = 0
        while (braces := text.find("{{", position)) >= 0:
            printed = text[position:braces]
            if _LEFT_TRIMMED.match(text, braces):
                printed = printed.rstrip(" \t\r\n")
            if printed:
                yield Token("TEXT", printed, position)
            found = self._outside(shadow, braces)
            if found is None:
                raise _bad_comment(text, braces)
            token = Token(found.lastgroup or "", text[braces : found.end()], braces)
            yield token
            position = found.end()
            if token.type != "COMMENT":
                position = yield from self._lex_action(text, shadow, token)
            elif token.endswith("-}}"):
                position = _skip_whitespace(text, position)
        if position < len(text):
            yield Token("TEXT", text[position:], position)

    def _lex_action(self, text: str, shadow: str, opening: Token) -> Generator[Token, None, int]:
        """Yield the tokens after `opening` up to the end of the action; return the offset where the text continues."""
        before, position = opening.type, opening.start + len(opening)
        parentheses: list[int] = []
        while found := self._inside(shadow, position):
            kind = found.lastgroup or ""
            start, end = found.span(kind)
            value = text[start:end]
            if kind == "RIGHT":
                if parentheses:
                    unclosed = Span(parentheses[-1], parentheses[-1] + 1)
                    raise TokenError(
                        "this `(` is never closed", "unclosed left paren", unclosed, start - (value[0] == "-")
                    )
                yield Token(kind, value, start)
                return _skip_whitespace(text, end) if value[0] == "-" else end
            if kind in _OPERANDS:
                if kind in {"NUMBER", "COMPLEX"}:
                    _check_number(kind, value, text, shadow, Span(start, end))
                kind = _operand_kind(kind, value, before, adjacent=start == position)
            elif kind == "LPAREN":
                parentheses.append(start)
                if start == position and before in _OPERAND_ENDS:
                    kind = "ADJACENT_LPAREN"
            elif kind == "RPAREN":
                if not parentheses:
                    raise TokenError("this `)` has no matching `(`", "unexpected right paren", Span(start, end), start)
                parentheses.pop()
            yield Token(kind, value, start)
            before, position = kind, end
        yield _unexpected_character(text, shadow, _skip_whitespace(text, position), opening)
        return position


def _any_of(grammar: Grammar, names: Container[str]) -> Callable[[str, int], re.Match[str] | None]:
    """Return a function that matches whitespace and the first of some terminals, whose name is the last group."""
    return re.compile(f"[ \\t\\r\\n]*+(?:{grammar.alternatives(names)})").match


def _ascii(match: re.Match[str]) -> str:
    return "z" if match[0].isalpha() or match[0].isdecimal() else "\x80"


def _skip_whitespace(text: str, position: int) -> int:
    return _WHITESPACE.match(text, position).end()  # type: ignore[union-attr]  # it matches everywhere


def _operand_kind(kind: str, value: str, before: str, *, adjacent: bool) -> str:
    """Return the token type of an operand, given the token before it."""
    if kind == "FUNCTION" and value in KEYWORDS:
        return "KEYWORD"
    if kind in {"STRING", "RAW_STRING"} and before in _NAMED:
        return "NAME"
    if adjacent and before in _OPERAND_ENDS:
        return "CHAIN" if kind == "FIELD" else f"ADJACENT_{kind}"
    return kind


def _check_number(kind: str, value: str, text: str, shadow: str, span: Span) -> None:
    """Reject a number that is directly followed by a letter, and a second part that is not imaginary."""
    joined = re.match(r"\w", shadow[span.end : span.end + 1]) is not None
    if joined or (kind == "COMPLEX" and value[-1] != "i"):
        bad = Span(span.start, span.end + joined)
        raise TokenError("invalid number", f"bad number syntax: {quote(text[bad.start : bad.end])}", bad, span.start)


def _unexpected_character(text: str, shadow: str, position: int, opening: Token) -> Token:
    """Return a token for a character that no rule of the grammar accepts.

    Raises:
        TokenError: Go rejects the character itself.
    """
    character, here = text[position : position + 1], Span(position, position + 1)
    if not character:
        start = opening.start
        raise TokenError(
            "this action is never closed with `}}`", "unclosed action", Span(start, start + len(opening)), position
        )
    if character in _QUOTED:
        newline = text.find("\n", position)
        raise TokenError(
            f"this {_QUOTED[character]} is never closed",
            f"unterminated {_QUOTED[character]}",
            Span(position, len(text) if character == "`" or newline < 0 else newline),
            position,
        )
    if character == ":":
        raise TokenError("`:` is only allowed in `:=`", "expected :=", here, position)
    word = _WORD.match(shadow, position)
    if word and (end := word.end()) > position:
        bad = text[end]
        raise TokenError(
            f"`{bad}` cannot directly follow `{text[position:end]}`",
            f"bad character {format_code_point(bad)}",
            Span(end, end + 1),
            position,
        )
    if "!" <= character <= "~":
        return Token("UNEXPECTED", character, position)
    raise TokenError(
        f"unexpected character `{character}` in an action",
        f"unrecognized character in action: {format_code_point(character)}",
        here,
        position,
    )


def _bad_comment(text: str, braces: int) -> TokenError:
    start = text.index("/*", braces)
    end = text.find("*/", start + 2)
    if end < 0:
        return TokenError(
            "this comment is never closed with `*/}}`", "unclosed comment", Span(braces, start + 2), start
        )
    return TokenError(
        "a comment must fill its action: write `}}` directly after `*/`",
        "comment ends before closing delimiter",
        Span(end, end + 2),
        start,
    )
