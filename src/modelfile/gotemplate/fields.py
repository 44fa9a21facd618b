"""The fields that a template reads of the values Ollama passes to it (template/template.go)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from modelfile.gotemplate.nodes import (
    Action,
    Block,
    Chain,
    Define,
    Dot,
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
from modelfile.immutable import record
from modelfile.source import Span

FIELDS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "template": {"Messages": "message", "Tools": "tool"}
        | dict.fromkeys(("System", "Prompt", "Response", "Suffix", "Think", "ThinkLevel", "IsThinkSet"), ""),
        "message": {"ToolCalls": "tool call"}
        | dict.fromkeys(("Role", "Content", "Thinking", "Images", "ToolName", "ToolCallID"), ""),
        "tool call": {"Function": "function of a tool call", "ID": ""},
        "tool": {"Function": "function of a tool"} | dict.fromkeys(("Type", "Items"), ""),
        "function of a tool": dict.fromkeys(("Name", "Description", "Parameters"), ""),
        "function of a tool call": dict.fromkeys(("Index", "Name", "Arguments"), ""),
    }
)
"""The fields of each known type, and the type of each field or of its items; "" is any other type."""


@record(kw_only=True)
class FieldUse:
    """A field of a known type that a template reads."""

    name: str
    of: str
    """The type it is a field of, as in `FIELDS`."""
    span: Span
    """The span of the name, with its dot."""
    printed: bool
    """True if it is the only operand of an action, so that its value is printed."""
    always: bool
    """True if it is outside any `if`, `range` and `with`."""


def walk(nodes: Iterable[Node | Operand]) -> Iterator[Node | Operand]:
    """Yield nodes and operands with everything inside them, in the order of the text."""
    pending = [*nodes][::-1]
    while pending:
        node = pending.pop()
        yield node
        match node:
            case Pipeline(commands=commands):
                pending += [operand for command in commands for operand in command.operands][::-1]
            case Action(pipeline=inner) | TemplateCall(pipeline=Pipeline() as inner) | Chain(operand=inner):
                pending.append(inner)
            case If() | Range() | With():
                pending += [node.pipeline, *node.body, *node.orelse][::-1]
            case Block():
                pending += [node.pipeline, *node.body][::-1]
            case Define():
                pending += node.body[::-1]
            case _:
                pass


class _Variables:
    """The variables at a node and the types of their values; the end of a branch drops those that it declared."""

    def __init__(self, dot: str) -> None:
        self._declared = ["$"]
        self._kinds = {"$": [dot]}

    def declare(self, name: str, kind: str) -> None:
        self._declared.append(name)
        self._kinds.setdefault(name, []).append(kind)

    def kind(self, name: str) -> str:
        kinds = self._kinds.get(name)
        return kinds[-1] if kinds else ""

    @property
    def count(self) -> int:
        return len(self._declared)

    def drop(self, count: int) -> None:
        """Drop all but the first `count` variables."""
        while len(self._declared) > count:
            self._kinds[self._declared.pop()].pop()


def find_fields(nodes: Iterable[Node]) -> Iterator[FieldUse]:
    """Yield the fields of known types: of the values passed to the template, and of items in a `range` over them."""
    variables = _Variables("template")
    pending: list[tuple[Node | int, str, _Variables, bool]] = []
    pending += [(node, "template", variables, True) for node in nodes][::-1]
    while pending:
        node, dot, variables, always = pending.pop()
        match node:
            case int():
                variables.drop(node)
            case Action(pipeline=pipeline) | TemplateCall(pipeline=Pipeline() as pipeline):
                yield from _reads(pipeline, dot, variables, printed=isinstance(node, Action), always=always)
                for variable in pipeline.variables:
                    variables.declare(variable.name, "")
            case If() | Range() | With():
                yield from _reads(node.pipeline, dot, variables, printed=False, always=always)
                kind = dot if isinstance(node, If) else _kind(node.pipeline, dot, variables)
                end = (variables.count, dot, variables, False)
                for variable in node.pipeline.variables:
                    is_item = isinstance(node, Range) and variable is node.pipeline.variables[-1]
                    variables.declare(variable.name, kind if is_item else "")
                pending.append(end)
                pending += [(each, dot, variables, False) for each in node.orelse][::-1]
                pending.append(end)
                pending += [(each, kind, variables, False) for each in node.body][::-1]
            case Block(pipeline=pipeline, body=body):
                yield from _reads(pipeline, dot, variables, printed=False, always=always)
                kind = _kind(pipeline, dot, variables)
                own = _Variables(kind)
                pending += [(each, kind, own, False) for each in body][::-1]
            case _:  # the argument of a `define` is known only to its callers
                pass


def _kind(pipeline: Pipeline, dot: str, variables: _Variables) -> str:
    """Return the type of a pipeline's value, or of its items."""
    match pipeline.commands:
        case (command,) if len(command.operands) == 1:
            names, kind, _ = _read(command.operands[0], dot, variables)
        case _:
            return ""
    for name in names:
        kind = FIELDS.get(kind, {}).get(name, "")
    return kind


def _reads(pipeline: Pipeline, dot: str, variables: _Variables, *, printed: bool, always: bool) -> Iterator[FieldUse]:
    is_printed = (
        printed and not pipeline.variables and len(pipeline.commands) == len(pipeline.commands[0].operands) == 1
    )
    operands: Iterable[Node | Operand] = [operand for command in pipeline.commands for operand in command.operands]
    if any(isinstance(operand, Pipeline | Chain) for operand in operands):
        operands = walk(operands)
    for operand in operands:
        names, kind, start = _read(operand, dot, variables)
        for index, name in enumerate(names):
            if not kind:
                break
            span = Span(start, start + len(name) + 1)
            last = index == len(names) - 1
            yield FieldUse(name=name, of=kind, span=span, printed=is_printed and last, always=always)
            kind, start = FIELDS[kind].get(name, ""), span.end


def _read(operand: Node | Operand, dot: str, variables: _Variables) -> tuple[tuple[str, ...], str, int]:
    """Return the field names in an operand, the type of the first one's owner, and their offset."""
    match operand:
        case Dot():
            return (), dot, operand.span.end
        case Field():
            return operand.names, dot, operand.span.start
        case Variable():
            return operand.fields, variables.kind(operand.name), operand.span.start + len(operand.name)
        case _:
            return (), "", 0
