"""The execution of templates as Go 1.26 does it (text/template/exec.go)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

from modelfile.gotemplate.evaluation import Budget, Evaluator, Program
from modelfile.gotemplate.functions import MaybeValue
from modelfile.gotemplate.govalues import INT, GoError, GoKind, GoValue, LimitError, indirect, is_true, string, to_bytes
from modelfile.gotemplate.nodes import (
    Action,
    Block,
    Break,
    Continue,
    If,
    Node,
    Range,
    TemplateCall,
    Text,
    With,
)
from modelfile.gotemplate.printing import printable, sprint
from modelfile.immutable import record
from modelfile.source import Span

DEEPEST_CALL: Final = 100_000
"""Number of templates that can be executed within each other, as in Go."""

_SORTED_PER_STEP: Final = 4
"""Number of keys of a map that are sorted in the time of a step."""


@record(frozen=False)
class ExecutionError(Exception):
    """An error of the execution, with the node or operand at which Go stops."""

    reason: str
    span: Span


def execute(program: Program, data: GoValue, budget: Budget) -> bytes:
    """Execute a template and return what it prints.

    Raises:
        ExecutionError: Go reports an error, or a limit is reached.
    """
    execution = _Execution(program, budget, data)
    try:
        return execution.run()
    except GoError as error:
        budget.exceeded |= isinstance(error, LimitError)
        raise ExecutionError(str(error), execution.at) from error


@record(frozen=False)
class _Frame:
    """A list of nodes that is being executed: of a template, a branch or a loop."""

    nodes: Iterator[Node]
    dot: MaybeValue
    mark: int
    """The number of variables to keep at its end."""
    loop: _Loop | None = None
    ends_break: bool = False
    """True for the `else` of a loop: a `break` in it ends only that."""
    caller: list[tuple[str, MaybeValue]] | None = None
    """The variables of the calling template, at the root of a called one."""


@record(frozen=False)
class _Loop:
    """A loop: its node, and the items that are left."""

    node: Range
    items: Iterator[tuple[MaybeValue, MaybeValue]]
    mark: int
    """The number of variables to keep at the end of a pass."""


class _Execution(Evaluator):
    """The state of one execution: the stack of lists of nodes."""

    def __init__(self, program: Program, budget: Budget, data: GoValue) -> None:
        super().__init__(program, budget, data)
        self._out = bytearray()
        self._frames = [_Frame(iter(program.nodes), data, 0)]
        self._calls = 0

    def run(self) -> bytes:
        while self._frames:
            frame = self._frames[-1]
            node = next(frame.nodes, None)
            if node is None:
                self._finish(frame)
            else:
                self._walk(node, frame.dot)
        return bytes(self._out)

    def _push(self, nodes: Iterable[Node], dot: MaybeValue, mark: int) -> None:
        self._frames.append(_Frame(iter(nodes), dot, mark))

    def _finish(self, frame: _Frame) -> None:
        """Take the next pass of a loop, or leave a list of nodes."""
        if frame.loop is not None:
            self._next_pass(frame, frame.loop)
            return
        self._frames.pop()
        del self.variables[frame.mark :]
        if frame.caller is not None:
            self.variables, self._calls = frame.caller, self._calls - 1

    def _walk(self, node: Node, dot: MaybeValue) -> None:  # noqa: C901, PLR0912  # one case for each kind of node
        self._budget.spend()
        self.at = node.span
        match node:
            case Text():
                self._print(to_bytes(node.text))
            case Action():
                value = self.pipeline(node.pipeline, dot)
                if not node.pipeline.variables:
                    self.at = node.span
                    self._budget.read(value)
                    self._print(sprint([printable(value)]))
            case If() | With():
                mark = len(self.variables)
                value = self.pipeline(node.pipeline, dot)
                if is_true(value):
                    self._push(node.body, value if isinstance(node, With) else dot, mark)
                else:
                    self._push(node.orelse, dot, mark)
            case Range():
                self._range(node, dot)
            case TemplateCall() | Block():
                self._call_template(node, dot)
            case Break():
                while not ((frame := self._frames.pop()).loop or frame.ends_break):
                    pass
                del self.variables[frame.mark :]
            case Continue():
                while self._frames[-1].loop is None:
                    self._frames.pop()
                self._frames[-1].nodes = iter(())
            case _:  # a comment, or a definition
                pass

    def _print(self, text: bytes) -> None:
        self._budget.spend(len(text))
        self._out += text

    def _call_template(self, node: TemplateCall | Block, dot: MaybeValue) -> None:
        name = node.name.value
        nodes = self._program.templates.get(name)
        if nodes is None:
            raise GoError(f'template "{name}" not defined')
        if self._calls == DEEPEST_CALL:
            raise GoError(f"exceeded maximum template depth ({DEEPEST_CALL})")
        dot = None if node.pipeline is None else self.pipeline(node.pipeline, dot)
        self._calls += 1
        caller, self.variables = self.variables, [("$", dot)]
        self._frames.append(_Frame(iter(nodes), dot, 0, caller=caller))

    def _range(self, node: Range, dot: MaybeValue) -> None:
        mark = len(self.variables)
        value, _ = indirect(self.pipeline(node.pipeline, dot))
        self.at = node.span
        if value is not None and value.kind is GoKind.MAP:
            self._budget.spend(steps=len(value.data or ()) // _SORTED_PER_STEP)
        items = _items(value, len(node.pipeline.variables))
        first = next(items, None)
        if first is None:
            self._frames.append(_Frame(iter(node.orelse), dot, mark, ends_break=True))
            return
        loop = _Loop(node, chain([first], items), len(self.variables))
        frame = _Frame(iter(()), dot, mark, loop)
        self._frames.append(frame)
        self._next_pass(frame, loop)

    def _next_pass(self, frame: _Frame, loop: _Loop) -> None:
        del self.variables[loop.mark :]
        item = next(loop.items, None)
        if item is None:
            self._frames.pop()
            del self.variables[frame.mark :]
            return
        self._budget.spend()
        key, element = item
        pipeline = loop.node.pipeline
        names = [variable.name for variable in pipeline.variables]
        values = [key, element] if len(names) > 1 else [element]
        for offset, (name, value) in enumerate(zip(names, values, strict=False)):
            if pipeline.assigns:
                self.assign(name, value)
            else:
                self.variables[loop.mark - len(names) + offset] = (name, value)
        frame.dot, frame.nodes = element, iter(loop.node.body)


def _items(value: MaybeValue, variables: int) -> Iterator[tuple[MaybeValue, MaybeValue]]:  # noqa: C901  # one case for each kind
    """Yield the keys and elements that `range` iterates over."""
    if value is None:
        return
    of = value.type.item
    match value.kind:
        case GoKind.INT | GoKind.UINT8:
            if variables > 1:
                raise GoError("can't use an integer to iterate over more than one variable")
            for number in range(value.data):
                yield None, GoValue(value.type, number)
        case GoKind.SLICE:
            for index, data in enumerate(value.data or ()):
                yield GoValue(INT, index), GoValue(of, data, addressable=True)
        case GoKind.MAP:
            for key in sorted(value.data or ()):
                yield string(key), GoValue(of, value.data[key])
        case GoKind.FUNC:
            for key, element in value.data():
                yield (key, element) if variables > 1 else (None, key)
        case _:
            raise GoError(f"range can't iterate over a value of type {value.type.name}")
