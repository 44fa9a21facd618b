"""The trees that Ollama executes: the templates of a text, and the part of one up to its `.Response`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from modelfile.characters import SPACES
from modelfile.gotemplate.govalues import GoError
from modelfile.gotemplate.nodes import (
    Action,
    Block,
    Command,
    Define,
    Field,
    If,
    Node,
    Number,
    Operand,
    Pipeline,
    Range,
    TemplateComment,
    Text,
    With,
)
from modelfile.immutable import field_names, record, replace
from modelfile.source import Span

_RESPONSE: Final = "Response"
_START: Final = object()
_END: Final = object()
"""Marks of a list of nodes in a shape."""
_DEEPEST: Final = 100
"""Number of pipelines in parentheses within each other."""


def find_templates(nodes: Sequence[Node]) -> dict[str, Sequence[Node]]:
    """Return the templates that a text defines; its own is named "".

    A template that prints nothing is replaced by a later one of its name, as in Go.
    """
    templates: dict[str, Sequence[Node]] = {}
    for name, body in [*_bodies(nodes), ("", nodes)]:
        if _is_empty(templates.get(name, ())):
            templates[name] = body
    return templates


def _bodies(nodes: Iterable[Node]) -> Iterator[tuple[str, Sequence[Node]]]:
    """Yield the definitions and blocks in the order in which they end."""
    pending: list[tuple[Node, bool]] = [(node, False) for node in nodes][::-1]
    while pending:
        node, is_visited = pending.pop()
        match node:
            case Define() | Block() if is_visited:
                yield node.name.value, node.body
            case Define() | Block():
                pending.append((node, True))
                pending += [(each, False) for each in node.body][::-1]
            case If() | With() | Range():
                pending += [(each, False) for each in (*node.body, *node.orelse)][::-1]
            case _:
                pass


def _is_empty(nodes: Iterable[Node]) -> bool:
    return all(
        isinstance(node, TemplateComment | Define) or (isinstance(node, Text) and not node.text.strip(SPACES))
        for node in nodes
    )


def shape(nodes: Sequence[Node], text: str) -> object:
    """Return the nodes of a text without spans and comments: equal for templates that are only written otherwise."""
    parts: list[object] = []
    pending: list[object] = []
    pending += [*nodes][::-1]
    while pending:
        match pending.pop():
            case TemplateComment():
                pass
            case Text(text=printed) if parts and isinstance(parts[-1], str):
                parts[-1] += printed
            case Text(text=printed):
                parts.append(printed)
            case Number(value=value, span=span):  # 1 and 1.0 are of two types
                parts.append((value, text[span.start : span.end]))
            case tuple() as items:
                parts.append(_START)
                pending += [*items, _END][::-1]
            case node if hasattr(node, "span"):
                parts.append(type(node))
                pending += [getattr(node, name) for name in field_names(type(node)) if name != "span"][::-1]
            case value:
                parts.append((type(value), value))
    return parts


def append_response(nodes: Sequence[Node], end: int) -> Sequence[Node]:
    """Return nodes with `{{ .Response }}` after them."""
    span = Span(end, end)
    field = Field(names=(_RESPONSE,), span=span)
    pipeline = Pipeline(commands=(Command(operands=(field,), span=span),), span=span)
    return (*nodes, Action(pipeline=pipeline, span=span))


@record()
class _Location:
    """A node in its list, and the branch that the list belongs to."""

    nodes: Sequence[Node]
    index: int
    owner: _Location | None = None
    branch: If | With | Range | None = None
    """The node of the owner, which has the list as its body or its `else`."""
    is_else: bool = False


def cut_after_response(nodes: Sequence[Node], text: str) -> Sequence[Node]:
    """Return the nodes up to the first `.Response` that an action reads; all nodes if there is none.

    Raises:
        GoError: It is in a branch that has an `else`: Ollama panics.
    """
    pending = [_Location(nodes, index) for index in range(len(nodes))][::-1]
    while pending:
        location = pending.pop()
        node = location.nodes[location.index]
        match node:
            case Action(pipeline=pipeline) if _finds_response(pipeline):
                cut = _cut_pipeline(pipeline, 0)
                return _rebuild(location, () if cut is None else (replace(node, pipeline=cut),), text)
            case If() | With() | Range():
                pending += [
                    _Location(node.orelse, index, location, node, is_else=True) for index in range(len(node.orelse))
                ][::-1]
                pending += [_Location(node.body, index, location, node) for index in range(len(node.body))][::-1]
            case _:
                pass
    return nodes


def _rebuild(location: _Location, last: tuple[Node, ...], text: str) -> Sequence[Node]:
    """Return the nodes of the root with everything after a node removed, and the node replaced."""
    while True:
        kept = (*location.nodes[: location.index], *last)
        branch = location.branch
        if location.owner is None or branch is None:
            return kept
        if location.is_else:
            last = (replace(branch, orelse=kept),)
        elif branch.orelse or "else" in text[max(location.nodes[-1].span.end, 0) : branch.span.end]:
            raise GoError("Ollama panics at a `.Response` in a branch that has an `else`, and answers with an error")
        else:
            last = (replace(branch, body=kept),)
        location = location.owner


def _finds_response(pipeline: Pipeline) -> bool:
    return any(_RESPONSE in names for names in _fields_in(pipeline))


def _fields_in(pipeline: Pipeline) -> Iterator[tuple[str, ...]]:
    """Yield the names of each field that a pipeline reads."""
    pending: list[Operand] = [pipeline]
    while pending:
        match pending.pop():
            case Field(names=names):
                yield names
            case Pipeline(commands=commands):
                pending += (operand for command in commands for operand in command.operands)
            case _:
                pass


def _cut_pipeline(pipeline: Pipeline, depth: int) -> Pipeline | None:
    """Return a pipeline with nothing but `.Response` after its first; None if that leaves a command empty."""
    if depth > _DEEPEST:
        raise GoError(f"more than {_DEEPEST} pipelines in parentheses within each other")
    commands: list[Command] = []
    is_cut = False
    for command in pipeline.commands:
        kept: list[Operand] = []
        for operand in command.operands:
            if isinstance(operand, Field) and _RESPONSE in operand.names:
                kept.append(operand)
                is_cut = True
            elif is_cut:
                continue
            elif isinstance(operand, Pipeline) and _finds_response(operand):
                inner = _cut_pipeline(operand, depth + 1)
                kept += () if inner is None else (inner,)
                is_cut = True
            else:
                kept.append(operand)
        if not kept:
            return None
        commands.append(replace(command, operands=tuple(kept)))
    return replace(pipeline, commands=tuple(commands))


def thinking_tags(nodes: Sequence[Node]) -> tuple[str, str]:
    """Return the tags around the thoughts in a template, empty if there are none (thinking/template.go).

    Ollama takes a model whose template has both for one that can think: the texts at the start and at the end of the
    list in which a loop over `.Messages` reads `.Thinking`.
    """
    opening = closing = ""
    pending: list[tuple[Node, Sequence[Node], bool]] = [(node, nodes, False) for node in nodes][::-1]
    while pending:
        node, siblings, is_in_loop = pending.pop()
        pipeline = getattr(node, "pipeline", None)
        names = {first for first, *_ in _fields_in(pipeline)} if isinstance(pipeline, Pipeline) else set()
        if isinstance(node, Range):
            is_in_loop = "Messages" in names
        if is_in_loop and "Thinking" in names:
            texts = [each for each in siblings if not isinstance(each, TemplateComment | Define)]
            opening = texts[0].text.strip(SPACES) if isinstance(texts[0], Text) else opening
            closing = texts[-1].text.strip(SPACES) if isinstance(texts[-1], Text) else closing
        if isinstance(node, If | With | Range):
            for children in (node.orelse, node.body):
                pending += [(each, children, is_in_loop) for each in children][::-1]
    return opening, closing
