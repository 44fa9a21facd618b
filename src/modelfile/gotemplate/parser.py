"""From the text of a template to its nodes, by template.lark, or to the one place where Ollama refuses it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from modelfile.diagnostics import Diagnostic, Severity
from modelfile.gotemplate.literals import Malformed, Refused, quote, shown
from modelfile.gotemplate.nodes import (
    Action,
    Block,
    Define,
    Field,
    If,
    Node,
    Operand,
    Pipeline,
    Range,
    TemplateCall,
    Variable,
    With,
)
from modelfile.gotemplate.scope import BEFORE_PIPELINE, CLAUSES, Scope
from modelfile.gotemplate.transformer import CALLBACKS, span_of
from modelfile.grammar import load_grammar

if TYPE_CHECKING:
    from lark import Lark, Token

_RULES: Final = {"MF401": "template-syntax", "MF402": "template-unknown-function"}
_NAMED: Final = frozenset({"DEFINE", "TEMPLATE", "BLOCK"})
_BEFORE_COMMAND: Final = BEFORE_PIPELINE | {"PIPE", "DECLARE", "ASSIGN"}
_LONGEST_QUOTE: Final = 30
_NO_VARIABLE: Final = ("after the `,` a second variable is missing", "range can only initialize variables")


@dataclass(frozen=True, kw_only=True)
class Template:
    """A parsed template. One that Ollama refuses has a diagnostic, at the place where Go stops, and nothing else."""

    text: str
    nodes: tuple[Node, ...] = ()
    variables: tuple[str, ...] = ()
    """The fields and variables that Ollama finds here (template.Vars), in lower case, sorted.

    With "response" where neither that nor "messages" is named, as Ollama then adds `{{ .Response }}` to the template.
    """
    diagnostics: tuple[Diagnostic, ...] = ()


def parse_template(text: str) -> Template:
    """Parse a template as Go 1.24 does for Ollama. No text makes it raise.

    >>> parse_template("{{ if .System }}{{ .System }}{{ end }} {{ .Prompt }}").variables
    ('prompt', 'response', 'system')
    >>> [(found.message, found.hint) for found in parse_template("{{ .Prompt").diagnostics]
    [('this action is not closed with `}}`', 'Go says: template: :1: unclosed action')]
    """
    try:
        nodes = _parse(text)
        names = set(map(_lower, _identifiers(nodes)))
    except Refused as refused:
        return Template(text=text, diagnostics=(_diagnostic(text, refused),))
    if names.isdisjoint({"messages", "response"}):
        names.add("response")
    return Template(text=text, nodes=nodes, variables=tuple(sorted(names)))


@cache
def _grammar() -> Lark:
    from modelfile.gotemplate.lexer import TemplateLexer  # imports lark

    return load_grammar(Path(__file__).with_name("template.lark"), lexer=TemplateLexer, transformer=CALLBACKS)


def _parse(text: str) -> tuple[Node, ...]:
    scope = Scope(text)
    try:
        return _follow(text, scope)
    except Malformed as malformed:
        if scope.previous and scope.previous.type == "COMMA":
            raise Refused(*_NO_VARIABLE, malformed.span, malformed.span.start) from None
        if scope.action and (line := _line(text, scope.action.start_pos)) != _line(text, malformed.seen):
            malformed.go += f"{'' if malformed.go.endswith(' action') else ' in action'} started at :{line}"
        raise


def _follow(text: str, scope: Scope) -> tuple[Node, ...]:
    """Let the grammar, then the scope take each token, so that what is refused first is what Go refuses."""
    from lark import Token, UnexpectedToken

    parser, token = _grammar().parse_interactive(text), None
    feed = parser.parser_state.feed_token
    tokens = parser.lexer_thread.lex(parser.parser_state)  # type: ignore[no-untyped-call]  # Lark's
    try:
        for token in tokens:
            feed(token)
            scope.take(token)
        nodes: tuple[Node, ...] = feed(Token("$END", "", len(text)), is_end=True)
    except UnexpectedToken as error:
        raise _unexpected(error.token, scope, tokens) from None
    except Refused as refused:
        if refused.seen is None and token is not None:
            refused.seen = token.start_pos
        raise
    scope.finish()
    return nodes


def _diagnostic(text: str, refused: Refused) -> Diagnostic:
    place = "" if refused.seen is None else f"template: :{_line(text, refused.seen)}: "
    return Diagnostic(
        code=refused.code,
        name=_RULES[refused.code],
        severity=Severity.ERROR,
        span=refused.span,
        message=refused.message,
        hint=f"Go says: {place}{refused.go}",
    )


def _line(text: str, offset: int | None) -> int:
    return 1 + text.count("\n", 0, offset)


def _unexpected(token: Token, scope: Scope, following: Iterator[Token]) -> Refused:
    """What Go says of the first token that cannot stand where it does."""
    if token.type == "$END":
        opening = scope.unclosed or token
        return Refused(
            f"`{_plain(opening)}` has no `{{{{ end }}}}`", "unexpected EOF", span_of(opening), token.start_pos
        )
    if token.type in CLAUSES:
        return _unexpected_opening(token, scope, following)
    clause = "parenthesized pipeline" if scope.parentheses else CLAUSES[scope.opening.type] if scope.opening else ""
    before = scope.previous.type if scope.previous else ""
    match token.type:
        case "CHAIN":
            message, go = "a literal has no fields", f"unexpected . after term {quote(scope.previous or '')}"
        case "COMMA" if before == "TARGET":
            message, go = (
                "only `range` can make two variables, and nothing can make three",
                f"too many declarations in {clause}",
            )
        case "RIGHT" | "RPAREN" if before not in _NAMED:
            message, go = f"a value is missing from this {clause}", f"missing value for {clause}"
        case _ if before == "COMMA":
            message, go = _NO_VARIABLE
        case "TARGET" if before not in BEFORE_PIPELINE:
            scope.check_variable(token)
            return _out_of_place(next(following), "operand")
        case _:
            return _out_of_place(token, clause if before in _BEFORE_COMMAND else "operand")
    return Refused(message, go, span_of(token), token.start_pos)


def _unexpected_opening(token: Token, scope: Scope, following: Iterator[Token]) -> Refused:
    span, body = span_of(token), scope.body
    seen = span.end - 1
    if token.type in {"END", "ELSE"}:  # Go reads the whole action first
        scope.action = token
        right = next(following)
        if right.type != "RIGHT":
            return _out_of_place(right, CLAUSES[token.type])
        seen = span_of(right).start
    message = f"`{_plain(token)}` stands outside of any `if`, `range` and `with`"
    match token.type:
        case "END":
            message, go = "this `{{ end }}` closes nothing", "unexpected {{end}}"
        case "DEFINE":
            message, go = "a template is defined outside of all others", "unexpected <define> in command"
        case _ if body.controls and body.controls[-1].has_else:
            message, go = f"`{_plain(token)}` comes after `{{{{ else }}}}`", "expected end; found {{else}}"
        case kind if body.controls:
            word = kind.removeprefix("ELSE_").lower()
            message, go = f"`{_plain(token)}` continues only an `{word}`", f"unexpected <{word}> in input"
        case _ if body.opening:
            go = f"unexpected {{{{else}}}} in {CLAUSES[body.opening.type]}"
            seen = body.opened if body.opening.type == "BLOCK" else seen
        case _:
            go = "unexpected {{else}}"
    return Refused(message, go, span, seen)


def _out_of_place(token: Token, where: str) -> Refused:
    text = "}}" if token.type == "RIGHT" else str(token)
    name = (
        f'"{text}"' if token.type.endswith("NUMBER") and text == "." else shown(text)
    )  # a number, as it ends the text
    return Refused(
        f"`{_short(text)}` cannot stand here", f"unexpected {name} in {where}", span_of(token), token.start_pos
    )


def _short(text: str) -> str:
    line, *more = text.splitlines()
    return line if len(line) <= _LONGEST_QUOTE and not more else f"{line[:_LONGEST_QUOTE]}…"


def _plain(opening: Token) -> str:
    """An opening without trim marker and line ends."""
    return " ".join(opening.replace("{{-", "{{").replace("{{", "{{ ").split())


def _lower(name: str) -> str:
    """Go's strings.ToLower: a letter for a letter."""
    return "".join(character.lower()[0] for character in name)


def _identifiers(nodes: tuple[Node, ...]) -> Iterator[str]:
    """The names that Ollama sees in use (template.Identifiers): nothing in a chain, no variable where it is made."""
    left: list[Node | Operand] = [*nodes]
    while left:
        match left.pop():
            case Field(names=names):
                yield from names
            case Variable(name=name, fields=fields):
                yield name
                yield from fields
            case Pipeline(commands=commands):
                left += (operand for command in commands for operand in command.operands)
            case Action(pipeline=pipeline) | TemplateCall(pipeline=Pipeline() as pipeline):
                left.append(pipeline)
            case If() | Range() | With() as branch:
                left += (branch.pipeline, *branch.body, *branch.orelse)
            case Block(pipeline=pipeline, body=body):
                left += (pipeline, *body)
            case Define(body=body):
                left += body
            case TemplateCall(span=span):
                raise Refused(
                    "Ollama wants a value for every template that is called", "undefined template specified", span
                )
            case _:
                pass
