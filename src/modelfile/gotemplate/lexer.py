"""A template's text as tokens, by the terminals of template.lark, as far as Go's lexer goes (Go 1.24, lex.go)."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Final

from lark import Token
from lark.common import LexerConf
from lark.lexer import Lexer, TerminalDef

from modelfile.gotemplate.literals import KEYWORDS, Malformed, code_point, quote
from modelfile.source import Span

_BLANKS: Final = re.compile(r"[ \t\r\n]*+")
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


class TemplateLexer(Lexer):
    """The lexer that Lark is given.

    It reads a shadow of the text, of the same length: beyond ASCII, a letter or digit is `z` there, all else a control.
    """

    def __init__(self, lexer_conf: LexerConf) -> None:
        self._outside = _any_of([terminal for terminal in lexer_conf.terminals if terminal.priority])
        self._inside = _any_of([terminal for terminal in lexer_conf.terminals if not terminal.priority])

    def lex(self, text: str) -> Iterator[Token]:  # type: ignore[override]  # Lark's simple interface
        """The tokens of `text`; raises Malformed where there is none."""
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
                position = yield from self._action(text, shadow, token)
            elif token.endswith("-}}"):
                position = _skip_blanks(text, position)
        if position < len(text):
            yield Token("TEXT", text[position:], position)

    def _action(self, text: str, shadow: str, opening: Token) -> Generator[Token, None, int]:
        """The tokens after `opening`, through the one that closes the action; returns where the text goes on."""
        before, position = opening.type, (opening.start_pos or 0) + len(opening)
        parentheses: list[int] = []
        while found := self._inside(shadow, position):
            kind = found.lastgroup or ""
            start, end = found.span(kind)
            value = text[start:end]
            if kind == "RIGHT":
                if parentheses:
                    unclosed = Span(parentheses[-1], parentheses[-1] + 1)
                    raise Malformed(
                        "this `(` is not closed", "unclosed left paren", unclosed, start - (value[0] == "-")
                    )
                yield Token(kind, value, start)
                return _skip_blanks(text, end) if value[0] == "-" else end
            if kind in _OPERANDS:
                if kind in {"NUMBER", "COMPLEX"}:
                    _check_number(kind, value, text, shadow, Span(start, end))
                kind = _operand_kind(kind, value, before, touching=start == position)
            elif kind == "LPAREN":
                parentheses.append(start)
                if start == position and before in _OPERAND_ENDS:
                    kind = "TOUCHING_LPAREN"
            elif kind == "RPAREN":
                if not parentheses:
                    raise Malformed("this `)` closes nothing", "unexpected right paren", Span(start, end), start)
                parentheses.pop()
            yield Token(kind, value, start)
            before, position = kind, end
        yield _stray(text, shadow, _skip_blanks(text, position), opening)
        return position


def _any_of(terminals: Sequence[TerminalDef]) -> Callable[[str, int], re.Match[str] | None]:
    """A pattern that takes blanks and the first of `terminals`, whose name is its last group."""
    patterns = (f"(?P<{terminal.name}>{terminal.pattern.to_regexp()})" for terminal in terminals)
    return re.compile(f"[ \\t\\r\\n]*+(?:{'|'.join(patterns)})").match


def _ascii(match: re.Match[str]) -> str:
    return "z" if match[0].isalpha() or match[0].isdecimal() else "\x80"


def _skip_blanks(text: str, position: int) -> int:
    return _BLANKS.match(text, position).end()  # type: ignore[union-attr]  # it matches everywhere


def _operand_kind(kind: str, value: str, before: str, *, touching: bool) -> str:
    """What an operand is where it stands."""
    if kind == "FUNCTION" and value in KEYWORDS:
        return "KEYWORD"
    if kind in {"STRING", "RAW_STRING"} and before in _NAMED:
        return "NAME"
    if touching and before in _OPERAND_ENDS:
        return "CHAIN" if kind == "FIELD" else f"TOUCHING_{kind}"
    return kind


def _check_number(kind: str, value: str, text: str, shadow: str, span: Span) -> None:
    """Refuse a number that a letter touches, and a second part that is not imaginary."""
    touched = re.match(r"\w", shadow[span.end : span.end + 1]) is not None
    if touched or (kind == "COMPLEX" and value[-1] != "i"):
        bad = Span(span.start, span.end + touched)
        raise Malformed(
            "this is not a number", f"bad number syntax: {quote(text[bad.start : bad.end])}", bad, span.start
        )


def _stray(text: str, shadow: str, position: int, opening: Token) -> Token:
    """A character that is a token of its own and has no place in a template; raises Malformed where there is none."""
    character, here = text[position : position + 1], Span(position, position + 1)
    if not character:
        start = opening.start_pos or 0
        raise Malformed(
            "this action is not closed with `}}`", "unclosed action", Span(start, start + len(opening)), position
        )
    if character in _QUOTED:
        line_end = text.find("\n", position)
        raise Malformed(
            f"this {_QUOTED[character]} is not closed",
            f"unterminated {_QUOTED[character]}",
            Span(position, len(text) if character == "`" or line_end < 0 else line_end),
            position,
        )
    if character == ":":
        raise Malformed("a `:` stands only in `:=`", "expected :=", here, position)
    word = _WORD.match(shadow, position)
    if word and (end := word.end()) > position:
        bad = text[end]
        raise Malformed(
            f"`{bad}` cannot follow `{text[position:end]}` directly",
            f"bad character {code_point(bad)}",
            Span(end, end + 1),
            position,
        )
    if "!" <= character <= "~":
        return Token("STRAY", character, position)
    raise Malformed(
        f"`{character}` has no meaning in an action",
        f"unrecognized character in action: {code_point(character)}",
        here,
        position,
    )


def _bad_comment(text: str, braces: int) -> Malformed:
    start = text.index("/*", braces)
    end = text.find("*/", start + 2)
    if end < 0:
        return Malformed("this comment is not closed with `*/}}`", "unclosed comment", Span(braces, start + 2), start)
    return Malformed(
        "a comment fills its action: `}}` follows `*/` directly",
        "comment ends before closing delimiter",
        Span(end, end + 2),
        start,
    )
