"""Callbacks that build the nodes of a template: one per rule or terminal, called as soon as it is complete."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from modelfile.gotemplate import nodes
from modelfile.gotemplate.literals import (
    FUNCTIONS,
    NotGoError,
    TemplateSyntaxError,
    quote,
    read_character,
    read_complex,
    read_number,
    read_string,
)
from modelfile.gotemplate.nodes import Node
from modelfile.immutable import replace
from modelfile.source import Span

if TYPE_CHECKING:
    from modelfile.grammar import Callbacks, Token

_T = TypeVar("_T")
_Parts: TypeAlias = list[Any]
"""The children of a rule, as in the grammar."""
_Tail: TypeAlias = tuple[tuple[Node, ...], "Token"]
"""The nodes after `{{ else }}`, and the token that closes `{{ end }}`."""

_VALUES: Final = (nodes.Bool, nodes.Dot, nodes.Nil, nodes.Number, nodes.Char, nodes.String, nodes.RawString)


def span_of(token: Token) -> Span:
    """Return the span of a token."""
    start = token.start
    return Span(start, start + len(token))


def _span(first: Token, last: Token) -> Span:
    return Span(first.start, span_of(last).end)


# Terminals


def _literal(node: Callable[..., _T], read: Callable[[str], Any]) -> Callable[[Token], _T]:
    def build(token: Token) -> _T:
        try:
            return node(value=read(token), span=span_of(token))
        except NotGoError as error:
            raise TemplateSyntaxError(f"invalid literal `{token}`", str(error), span_of(token)) from error

    return build


def _comment(token: Token) -> nodes.TemplateComment:
    return nodes.TemplateComment(text=token[token.index("/*") + 2 : token.rindex("*/")], span=span_of(token))


def _target(token: Token) -> nodes.Variable:
    return nodes.Variable(name=str(token), span=span_of(token))


def _function(token: Token) -> nodes.Identifier:
    if token not in FUNCTIONS:
        raise TemplateSyntaxError(
            f"unknown function `{token}`", f"function {quote(token)} not defined", span_of(token), code="MF402"
        )
    return nodes.Identifier(name=str(token), span=span_of(token))


def _name(token: Token) -> nodes.String | nodes.RawString:
    return _raw_string(token) if token[0] == "`" else _string(token)


_string = _literal(nodes.String, read_string)
_raw_string = _literal(nodes.RawString, read_string)


# Operands, commands, pipelines


def _names(fields: Token) -> tuple[str, ...]:
    return tuple(fields[1:].split("."))


def _field(token: Token) -> nodes.Field:
    return nodes.Field(names=_names(token), span=span_of(token))


def _variable(parts: _Parts) -> nodes.Variable:
    fields = _names(parts[1]) if parts[1:] else ()
    return nodes.Variable(name=str(parts[0]), fields=fields, span=_span(parts[0], parts[-1]))


def _chain(parts: _Parts) -> nodes.Chain:
    operand, fields = parts
    return nodes.Chain(operand=operand, fields=_names(fields), span=Span(operand.span.start, span_of(fields).end))


def _parenthesized(parts: _Parts) -> nodes.Pipeline:
    left, pipeline, right = parts
    operand: nodes.Pipeline = replace(pipeline, span=_span(left, right))
    return operand


def _list(parts: _Parts) -> _Parts:
    """Append the last part to the list before it, in linear time; what follows makes a tuple of it."""
    if len(parts) < len(("list", "part")):
        return parts
    found: _Parts
    found, part = parts
    found.append(part)
    return found


def _command(operands: _Parts) -> nodes.Command:
    return nodes.Command(operands=tuple(operands), span=Span(operands[0].span.start, operands[-1].span.end))


def _reading(parts: _Parts) -> _Parts:
    variable, *operands = parts
    return [variable, *chain.from_iterable(operands)]


def _pipeline(parts: _Parts) -> nodes.Pipeline:
    if len(parts) == 1 and isinstance(parts[0], list):  # most have one command
        command = _command(parts[0])
        return nodes.Pipeline(variables=(), assigns=False, commands=(command,), span=command.span)
    variables = tuple(part for part in parts if isinstance(part, nodes.Variable))
    commands = tuple(_command(part) for part in parts if isinstance(part, list))
    for stage, command in enumerate(commands[1:], 2):
        if isinstance(command.operands[0], _VALUES):
            go = f"non executable command in pipeline stage {stage}"
            raise TemplateSyntaxError("this value cannot take an argument from `|`", go, command.operands[0].span)
    return nodes.Pipeline(
        variables=variables,
        assigns=bool(variables) and getattr(parts[len(variables)], "type", "") == "ASSIGN",
        commands=commands,
        span=Span((variables or commands)[0].span.start, commands[-1].span.end),
    )


# Actions


def _start(parts: _Parts) -> tuple[Node, ...]:
    return tuple(node for part in parts for node in (part if isinstance(part, list) else (part,)))


def _text(parts: _Parts) -> nodes.Text:
    return nodes.Text(text=str(parts[0]), span=span_of(parts[0]))


def _action(parts: _Parts) -> nodes.Action:
    left, pipeline, right = parts
    return nodes.Action(pipeline=pipeline, span=_span(left, right))


def _template(parts: _Parts) -> nodes.TemplateCall:
    left, name, *pipeline, right = parts
    return nodes.TemplateCall(name=name, pipeline=pipeline[0] if pipeline else None, span=_span(left, right))


def _block(parts: _Parts) -> nodes.Block:
    left, name, pipeline, _, body, _, right = parts
    return nodes.Block(name=name, pipeline=pipeline, body=tuple(body), span=_span(left, right))


def _define(parts: _Parts) -> nodes.Define:
    left, name, _, body, _, right = parts
    return nodes.Define(name=name, body=tuple(body), span=_span(left, right))


def _break(parts: _Parts) -> nodes.Break:
    return nodes.Break(span=_span(*parts))


def _continue(parts: _Parts) -> nodes.Continue:
    return nodes.Continue(span=_span(*parts))


def _end(parts: _Parts) -> _Tail:
    return (), parts[-1]


def _else(parts: _Parts) -> _Tail:
    _, _, body, _, right = parts
    return tuple(body), right


def _branch(node: Callable[..., _T]) -> Callable[[_Parts], _T]:
    def build(parts: _Parts) -> _T:
        left, pipeline, _, body, (orelse, right) = parts
        return node(pipeline=pipeline, body=tuple(body), orelse=orelse, span=_span(left, right))

    return build


def _nested(node: Callable[..., Node]) -> Callable[[_Parts], _Tail]:
    def build(parts: _Parts) -> _Tail:
        return (_branch(node)(parts),), parts[-1][1]

    return build


CALLBACKS: Final[Callbacks] = {
    "COMMENT": _comment,
    "FIELD": _field,
    "TARGET": _target,
    "FUNCTION": _function,
    "NAME": _name,
    "STRING": _string,
    "RAW_STRING": _raw_string,
    "CHARACTER": _literal(nodes.Char, read_character),
    "NUMBER": _literal(nodes.Number, read_number),
    "COMPLEX": _literal(nodes.Number, read_complex),
    "BOOL": _literal(nodes.Bool, "true".__eq__),
    "NIL": lambda token: nodes.Nil(span=span_of(token)),
    "DOT": lambda token: nodes.Dot(span=span_of(token)),
    "variable": _variable,
    "chain": _chain,
    "parenthesized": _parenthesized,
    "command": _list,
    "reading": _reading,
    "pipeline": _pipeline,
    "start": _start,
    "list": _list,
    "text": _text,
    "action": _action,
    "template": _template,
    "block": _block,
    "define": _define,
    "break_": _break,
    "continue_": _continue,
    "if_": _branch(nodes.If),
    "with_": _branch(nodes.With),
    "range_": _branch(nodes.Range),
    "end": _end,
    "else_": _else,
    "nested_if": _nested(nodes.If),
    "nested_with": _nested(nodes.With),
}
"""The callbacks, named after the rules and terminals of the grammar."""
