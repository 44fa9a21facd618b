"""What a template reads: the fields of what Ollama hands to it, and the functions it calls (template/template.go)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
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
from modelfile.source import Span

FIELDS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "template": {"Messages": "message"}
        | dict.fromkeys(("System", "Prompt", "Response", "Suffix", "Tools", "Think", "ThinkLevel", "IsThinkSet"), ""),
        "message": {"ToolCalls": "tool call"}
        | dict.fromkeys(("Role", "Content", "Thinking", "Images", "ToolName", "ToolCallID"), ""),
        "tool call": {"Function": "function of a tool call", "ID": ""},
        "function of a tool call": dict.fromkeys(("Index", "Name", "Arguments"), ""),
    }
)
"""What has which fields, and what these are, or their items; "" is anything else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A field that is read of something known."""

    name: str
    of: str
    """What it is a field of, as in `FIELDS`."""
    span: Span
    """Of the name, with its dot."""
    printed: bool
    """Whether it stands alone in an action."""
    always: bool
    """Whether it stands outside of any `if`, `range` and `with`."""


def walk(nodes: Iterable[Node | Operand]) -> Iterator[Node | Operand]:
    """Nodes and operands with all that is in them, in the order of the text."""
    left = [*nodes][::-1]
    while left:
        node = left.pop()
        yield node
        match node:
            case Pipeline(commands=commands):
                left += [operand for command in commands for operand in command.operands][::-1]
            case Action(pipeline=inner) | TemplateCall(pipeline=Pipeline() as inner) | Chain(operand=inner):
                left.append(inner)
            case If() | Range() | With():
                left += [node.pipeline, *node.body, *node.orelse][::-1]
            case Block():
                left += [node.pipeline, *node.body][::-1]
            case Define():
                left += node.body[::-1]
            case _:
                pass


def uses(nodes: Iterable[Node]) -> Iterator[Use]:
    """The fields read of what is known: the template's own values, and messages where a `range` is over them."""
    root = {"$": "template"}
    left = [(node, "template", root, True) for node in nodes][::-1]
    while left:
        node, dot, variables, always = left.pop()
        match node:
            case Action(pipeline=pipeline) | TemplateCall(pipeline=Pipeline() as pipeline):
                yield from _reads(pipeline, dot, variables, printed=isinstance(node, Action), always=always)
                variables.update((variable.name, "") for variable in pipeline.variables)
            case If() | Range() | With():
                yield from _reads(node.pipeline, dot, variables, printed=False, always=always)
                outer, inner = dict(variables), dict(variables)
                inner.update((variable.name, "") for variable in node.pipeline.variables)
                kind = dot if isinstance(node, If) else _kind(node.pipeline, dot, variables)
                if isinstance(node, Range):
                    inner.update((variable.name, kind) for variable in node.pipeline.variables[-1:])
                left += [(each, dot, outer, False) for each in node.orelse][::-1]
                left += [(each, kind, inner, False) for each in node.body][::-1]
            case Block(pipeline=pipeline, body=body):
                yield from _reads(pipeline, dot, variables, printed=False, always=always)
                kind = _kind(pipeline, dot, variables)
                own = {"$": kind}
                left += [(each, kind, own, False) for each in body][::-1]
            case _:  # what a `define` is handed is known where it is called
                pass


def _kind(pipeline: Pipeline, dot: str, variables: Mapping[str, str]) -> str:
    """What a pipeline yields, or its items."""
    match pipeline.commands:
        case (command,) if len(command.operands) == 1:
            names, kind, _ = _read(command.operands[0], dot, variables)
        case _:
            return ""
    for name in names:
        kind = FIELDS.get(kind, {}).get(name, "")
    return kind


def _reads(pipeline: Pipeline, dot: str, variables: Mapping[str, str], *, printed: bool, always: bool) -> Iterator[Use]:
    name_lock = printed and not pipeline.variables and len(pipeline.commands) == len(pipeline.commands[0].operands) == 1
    for operand in walk([pipeline]):
        names, kind, start = _read(operand, dot, variables)
        for place, name in enumerate(names):
            if not kind:
                break
            span = Span(start, start + len(name) + 1)
            last = place == len(names) - 1
            yield Use(name=name, of=kind, span=span, printed=name_lock and last, always=always)
            kind, start = FIELDS[kind].get(name, ""), span.end


def _read(operand: Node | Operand, dot: str, variables: Mapping[str, str]) -> tuple[tuple[str, ...], str, int]:
    """The fields in an operand, of what, and from where."""
    match operand:
        case Dot():
            return (), dot, operand.span.end
        case Field():
            return operand.names, dot, operand.span.start
        case Variable():
            return operand.fields, variables.get(operand.name, ""), operand.span.start + len(operand.name)
        case _:
            return (), "", 0
