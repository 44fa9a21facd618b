"""The parser of templates: by template.lark, up to the first syntax error, as in Ollama."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final, TypeVar

from modelfile.diagnostics import Diagnostic, Severity
from modelfile.gotemplate.fields import FieldUse, find_fields, walk
from modelfile.gotemplate.lexer import TemplateLexer
from modelfile.gotemplate.literals import TemplateSyntaxError, TokenError, name_token, quote, to_lower
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
from modelfile.grammar import Automaton, Grammar, Token, UnexpectedToken, load_grammar
from modelfile.immutable import record

AnyPart = TypeVar("AnyPart", bound=Node | Operand)

_RULES: Final = {"MF401": "template-syntax-error", "MF402": "template-unknown-function"}
_NAMED: Final = frozenset({"DEFINE", "TEMPLATE", "BLOCK"})
_BEFORE_COMMAND: Final = BEFORE_PIPELINE | {"PIPE", "DECLARE", "ASSIGN"}
_LONGEST_QUOTE: Final = 30
_NO_VARIABLE: Final = ("missing second variable after `,`", "range can only initialize variables")


@record(kw_only=True, slots=False)
class ParsedTemplate:
    """A parsed template. One that Ollama rejects has only a diagnostic, at the location where Go stops."""

    text: str
    nodes: tuple[Node, ...] = ()
    variables: tuple[str, ...] = ()
    """The fields and variables that Ollama finds (template.Vars), in lower case, sorted.

    They include "response" if neither that nor "messages" is used, because Ollama then appends `{{ .Response }}`.
    """
    appends_response: bool = False
    """True if Ollama appends `{{ .Response }}`."""
    diagnostics: tuple[Diagnostic, ...] = ()

    @cached_property
    def walked(self) -> tuple[Node | Operand, ...]:
        """All nodes and operands with everything inside them, in the order of the text."""
        return tuple(walk(self.nodes))

    def of_type(self, kind: type[AnyPart]) -> tuple[AnyPart, ...]:
        """Return the nodes or operands of one class, in the order of the text."""
        return self._by_type.get(kind, ())

    @cached_property
    def _by_type(self) -> dict[type, tuple[Any, ...]]:
        found: dict[type, list[Any]] = {}
        for part in self.walked:
            found.setdefault(type(part), []).append(part)
        return {kind: tuple(parts) for kind, parts in found.items()}

    @cached_property
    def fields(self) -> tuple[FieldUse, ...]:
        """The fields of known types that it reads, in the order of the text."""
        return tuple(find_fields(self.nodes))


def parse_template(text: str) -> ParsedTemplate:
    """Parse a template as Go 1.24 does for Ollama; never raises.

    >>> import modelfile
    >>> modelfile.parse_template("{{ if .System }}{{ .System }}{{ end }} {{ .Prompt }}").variables
    ('prompt', 'response', 'system')
    >>> [(found.message, found.hint) for found in modelfile.parse_template("{{ .Prompt").diagnostics]
    [('this action is never closed with `}}`', 'Go says: template: :1: unclosed action')]
    """
    try:
        nodes = _parse(text)
        names = set(map(to_lower, set(_identifiers(nodes))))
    except TemplateSyntaxError as error:
        return ParsedTemplate(text=text, diagnostics=(_diagnostic(text, error),))
    appends_response = names.isdisjoint({"messages", "response"})
    names |= {"response"} if appends_response else set()
    return ParsedTemplate(text=text, nodes=nodes, variables=tuple(sorted(names)), appends_response=appends_response)


@cache
def _load() -> tuple[Grammar, TemplateLexer]:
    grammar = load_grammar(Path(__file__).with_name("template.lark"), CALLBACKS)
    return grammar, TemplateLexer(grammar)


def _parse(text: str) -> tuple[Node, ...]:
    scope = Scope(text)
    try:
        return _follow(text, scope)
    except TokenError as error:
        if scope.previous and scope.previous.type == "COMMA":
            raise TemplateSyntaxError(*_NO_VARIABLE, error.span, error.span.start) from None
        if scope.action and (line := _line(text, scope.action.start)) != _line(text, error.last_read):
            error.go += f"{'' if error.go.endswith(' action') else ' in action'} started at :{line}"
        raise


def _follow(text: str, scope: Scope) -> tuple[Node, ...]:
    """Pass each token to the grammar, then to the scope, so that the first error is the one that Go reports."""
    grammar, lexer = _load()
    automaton, tokens, token = Automaton(grammar), lexer.lex(text), None
    try:
        for token in tokens:
            automaton.feed(token)
            scope.take(token)
        nodes: tuple[Node, ...] = automaton.finish(len(text))
    except UnexpectedToken as error:
        raise _unexpected(_first_field(error.token), scope, map(_first_field, tokens)) from None
    except TemplateSyntaxError as error:
        if error.last_read is None and token is not None:
            error.last_read = token.start
        raise
    scope.finish()
    return nodes


def _diagnostic(text: str, error: TemplateSyntaxError) -> Diagnostic:
    location = "" if error.last_read is None else f"template: :{_line(text, error.last_read)}: "
    return Diagnostic(
        code=error.code,
        name=_RULES[error.code],
        severity=Severity.ERROR,
        span=error.span,
        message=error.message,
        hint=f"Go says: {location}{error.go}",
    )


def _line(text: str, offset: int | None) -> int:
    return 1 + text.count("\n", 0, offset)


def _first_field(token: Token) -> Token:
    """Return a token as Go's lexer has it: `.A.B` is two."""
    if token.type not in {"FIELD", "CHAIN"}:
        return token
    return Token(token.type, "." + token.split(".")[1], token.start)


def _unexpected(token: Token, scope: Scope, following: Iterator[Token]) -> TemplateSyntaxError:
    """Return the error that Go reports for the first unexpected token."""
    if token.type == "$END":
        opening = scope.unclosed or token
        return TemplateSyntaxError(
            f"`{_normalize(opening)}` has no `{{{{ end }}}}`", "unexpected EOF", span_of(opening), token.start
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
                "too many variables: only `range` declares two, and no action declares three",
                f"too many declarations in {clause}",
            )
        case "RIGHT" | "RPAREN" if before not in _NAMED:
            message, go = f"missing value in this {clause}", f"missing value for {clause}"
        case _ if before == "COMMA":
            message, go = _NO_VARIABLE
        case "TARGET" if before not in BEFORE_PIPELINE:
            scope.check_variable(token)
            return _out_of_place(next(following), "operand")
        case _:
            return _out_of_place(token, clause if before in _BEFORE_COMMAND else "operand")
    return TemplateSyntaxError(message, go, span_of(token), token.start)


def _unexpected_opening(token: Token, scope: Scope, following: Iterator[Token]) -> TemplateSyntaxError:
    span, body = span_of(token), scope.body
    last_read = span.end - 1
    if token.type in {"END", "ELSE"}:  # Go has read the whole action by then
        scope.action = token
        right = next(following)
        if right.type != "RIGHT":
            return _out_of_place(right, CLAUSES[token.type])
        last_read = span_of(right).start
    message = f"`{_normalize(token)}` outside any `if`, `range` or `with`"
    match token.type:
        case "END":
            message, go = "this `{{ end }}` has nothing to close", "unexpected {{end}}"
        case "DEFINE":
            message, go = "`{{ define }}` is only allowed at the top level", "unexpected <define> in command"
        case _ if body.controls and body.controls[-1].has_else:
            message, go = f"`{_normalize(token)}` after `{{{{ else }}}}`", "expected end; found {{else}}"
        case kind if body.controls:
            word = kind.removeprefix("ELSE_").lower()
            message, go = f"`{_normalize(token)}` without a matching `{word}`", f"unexpected <{word}> in input"
        case _ if body.opening:
            go = f"unexpected {{{{else}}}} in {CLAUSES[body.opening.type]}"
            last_read = body.opened if body.opening.type == "BLOCK" else last_read
        case _:
            go = "unexpected {{else}}"
    return TemplateSyntaxError(message, go, span, last_read)


def _out_of_place(token: Token, where: str) -> TemplateSyntaxError:
    text = "}}" if token.type == "RIGHT" else str(token)
    name = (
        f'"{text}"' if token.type.endswith("NUMBER") and text == "." else name_token(text)
    )  # Go reads a `.` at the end of the text as a number
    return TemplateSyntaxError(
        f"unexpected `{_shorten(text)}`", f"unexpected {name} in {where}", span_of(token), token.start
    )


def _shorten(text: str) -> str:
    line, *more = text.splitlines()
    return line if len(line) <= _LONGEST_QUOTE and not more else f"{line[:_LONGEST_QUOTE]}…"


def _normalize(opening: Token) -> str:
    """Return an opening without trim marker and newlines."""
    return " ".join(opening.replace("{{-", "{{").replace("{{", "{{ ").split())


def _identifiers(nodes: tuple[Node, ...]) -> Iterator[str]:
    """Yield the names that Ollama finds (template.Identifiers): none in chains, no variable in its declaration."""
    pending: list[Node | Operand] = [*nodes]
    while pending:
        match pending.pop():
            case Field(names=names):
                yield from names
            case Variable(name=name, fields=fields):
                yield name
                yield from fields
            case Pipeline(commands=commands):
                pending += (operand for command in commands for operand in command.operands)
            case Action(pipeline=pipeline) | TemplateCall(pipeline=Pipeline() as pipeline):
                pending.append(pipeline)
            case If() | Range() | With() as branch:
                pending += (branch.pipeline, *branch.body, *branch.orelse)
            case Block(pipeline=pipeline, body=body):
                pending += (pipeline, *body)
            case Define(body=body):
                pending += body
            case TemplateCall(span=span):
                raise TemplateSyntaxError(
                    "missing value: Ollama requires one in every template call", "undefined template specified", span
                )
            case _:
                pass
