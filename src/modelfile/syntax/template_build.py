"""From what template.lark reads to nodes: a method a rule or terminal, called by Lark as soon as it is complete."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from modelfile.source import Span
from modelfile.syntax import template_nodes as ast
from modelfile.syntax.template_go import FUNCTIONS, NotGoError, Refused, character, complex_number, number, quote, string

if TYPE_CHECKING:
    from lark import Token

_T = TypeVar("_T")
_Parts: TypeAlias = list[Any]
"""The children of a rule; the grammar says which."""
_Tail: TypeAlias = tuple[tuple[ast.Node, ...], int]
"""What stands after `{{ else }}`, and where the `{{ end }}` ends."""

_NOT_EXECUTABLE: Final = (ast.Bool, ast.Dot, ast.Nil, ast.Number, ast.Char, ast.String, ast.RawString)


class Builder:
    """Pure functions from parts to nodes, under the names of the grammar; they raise Refused for what no grammar can say."""

    # Terminals

    def COMMENT(self, token: Token) -> ast.Comment:
        return ast.Comment(text=token[token.index("/*") + 2 : token.rindex("*/")], span=span_of(token))

    def TARGET(self, token: Token) -> ast.Variable:
        return ast.Variable(name=str(token), span=span_of(token))

    def FUNCTION(self, token: Token) -> ast.Identifier:
        if token not in FUNCTIONS:
            raise Refused(f"no function is named `{token}`", f"function {quote(token)} not defined", span_of(token), code="MF402")
        return ast.Identifier(name=str(token), span=span_of(token))

    def DOT(self, token: Token) -> ast.Dot:
        return ast.Dot(span=span_of(token))

    def NIL(self, token: Token) -> ast.Nil:
        return ast.Nil(span=span_of(token))

    def BOOL(self, token: Token) -> ast.Bool:
        return ast.Bool(value=token == "true", span=span_of(token))

    def NUMBER(self, token: Token) -> ast.Number:
        return ast.Number(value=_read(number, token), span=span_of(token))

    def COMPLEX(self, token: Token) -> ast.Number:
        return ast.Number(value=_read(complex_number, token), span=span_of(token))

    def CHARACTER(self, token: Token) -> ast.Char:
        return ast.Char(value=_read(character, token), span=span_of(token))

    def STRING(self, token: Token) -> ast.String:
        return ast.String(value=_read(string, token), span=span_of(token))

    def RAW_STRING(self, token: Token) -> ast.RawString:
        return ast.RawString(value=_read(string, token), span=span_of(token))

    # Operands, commands, pipelines

    def field(self, parts: _Parts) -> ast.Field:
        return ast.Field(names=_names(parts), span=_span(parts[0], parts[-1]))

    def variable(self, parts: _Parts) -> ast.Variable:
        return ast.Variable(name=str(parts[0]), fields=_names(parts[1:]), span=_span(parts[0], parts[-1]))

    def chain(self, parts: _Parts) -> ast.Chain:
        operand = parts[0]
        return ast.Chain(operand=operand, fields=_names(parts[1:]), span=Span(operand.span.start, span_of(parts[-1]).end))

    def parenthesized(self, parts: _Parts) -> ast.Pipeline:
        left, pipeline, right = parts
        return replace(pipeline, span=_span(left, right))

    def command(self, parts: _Parts) -> ast.Command:
        return ast.Command(operands=tuple(parts), span=Span(parts[0].span.start, parts[-1].span.end))

    def pipeline(self, parts: _Parts) -> ast.Pipeline:
        variables = tuple(part for part in parts if isinstance(part, ast.Variable))
        commands = tuple(part for part in parts if isinstance(part, ast.Command))
        for stage, command in enumerate(commands[1:], 2):
            if isinstance(first := command.operands[0], _NOT_EXECUTABLE):
                go = f"non executable command in pipeline stage {stage}"
                raise Refused("what stands here cannot take what comes through `|`", go, first.span)
        return ast.Pipeline(
            variables=variables,
            assigns=bool(variables) and getattr(parts[len(variables)], "type", None) == "ASSIGN",
            commands=commands,
            span=Span(parts[0].span.start, commands[-1].span.end),
        )

    # Actions

    def list(self, parts: _Parts) -> tuple[ast.Node, ...]:
        return tuple(parts)

    def start(self, parts: _Parts) -> tuple[ast.Node, ...]:
        return tuple(node for part in parts for node in (part if isinstance(part, tuple) else (part,)))

    def text(self, parts: _Parts) -> ast.Text:
        (token,) = parts
        return ast.Text(text=str(token), span=span_of(token))

    def action(self, parts: _Parts) -> ast.Action:
        left, pipeline, right = parts
        return ast.Action(pipeline=pipeline, span=_span(left, right))

    def template(self, parts: _Parts) -> ast.TemplateCall:
        left, name, *pipeline, right = parts
        return ast.TemplateCall(name=name, pipeline=pipeline[0] if pipeline else None, span=_span(left, right))
