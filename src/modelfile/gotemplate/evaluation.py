"""Pipelines of templates as Go 1.26 evaluates them (text/template/exec.go)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from modelfile.gotemplate.functions import BUILTINS, REFLECT, GoFunction, MaybeValue
from modelfile.gotemplate.govalues import (
    ANY,
    BOOL,
    BYTES,
    COMPLEX,
    FLOAT,
    INT,
    STRING,
    GoError,
    GoKind,
    GoType,
    GoValue,
    LimitError,
    find_method,
    indirect,
    is_true,
    string,
    to_bytes,
    weigh,
    zero,
)
from modelfile.gotemplate.literals import read_bytes
from modelfile.gotemplate.nodes import (
    Bool,
    Chain,
    Char,
    Command,
    Dot,
    Field,
    Identifier,
    Nil,
    Node,
    Number,
    Operand,
    Pipeline,
    RawString,
    String,
    Variable,
)
from modelfile.gotemplate.printing import MOST_BYTES
from modelfile.immutable import field, record
from modelfile.source import Span

MOST_STEPS: Final = 1_000_000
"""Number of nodes, operands and passes of loops that one rendering may take; Go has no limit."""
DEEPEST_PIPELINE: Final = 100
"""Number of pipelines in parentheses within each other; Go allows 10,000."""
_VARIABLES_PER_STEP: Final = 8
"""Number of variables that a search for one passes in the time of a step."""
_READ_PER_STEP: Final = 512
"""Number of bytes that a function reads in the time of a step."""
_MADE_PER_STEP: Final = 32
"""Number of bytes that the slowest functions print in the time of a step."""
_STEPS_PER_VERB: Final = 2
"""Number of steps that a verb of a format takes, also if it prints nothing."""
_MADE: Final = (STRING, BYTES)
"""The types whose values a function or method makes; others only refer to what there is."""
_LARGEST_INT: Final = 2**63 - 1


class _Missing:
    """The value that no earlier command of the pipeline has passed on."""


_MISSING: Final = _Missing()
_Final: TypeAlias = GoValue | _Missing | None


@record(frozen=False)
class Budget:
    """The steps and bytes that a rendering may take, and those that it has left."""

    most_steps: int = MOST_STEPS
    most_bytes: int = MOST_BYTES
    steps: int = field(init=False)
    bytes: int = field(init=False)
    exceeded: bool = False
    """True once a rendering has failed because of a limit."""

    def __post_init__(self) -> None:
        """Start with everything."""
        self.steps, self.bytes = self.most_steps, self.most_bytes

    def spend(self, printed: int = 0, *, steps: int = 1) -> None:
        """Spend a step, or several, and the bytes that it printed.

        Raises:
            LimitError: Nothing is left.
        """
        self.steps -= steps
        self.bytes -= printed
        if self.steps < 0:
            raise LimitError(f"the template takes more than {self.most_steps:,} steps")
        if self.bytes < 0:
            raise LimitError(f"the template prints more than {self.most_bytes:,} bytes")

    def read(self, value: MaybeValue, *, whole: bool = True) -> None:
        """Spend the steps that a value takes: one for each field and element; if not `whole`, for strings only.

        Raises:
            LimitError: Too few are left, or the value is longer than what may still be printed.
        """
        if value is None or not (whole or value.kind is GoKind.STRING):
            return
        length, count = weigh(value.data, max(self.steps, self.bytes))
        self.spend(steps=length // _READ_PER_STEP + count)
        if whole and length > self.bytes:
            self.spend(length)

    def made(self, value: MaybeValue) -> MaybeValue:
        """Spend what it took to make a value, and return it."""
        length = len(value.data) if value is not None and value.type in _MADE else 0
        self.spend(length, steps=1 + length // _MADE_PER_STEP)
        return value


@record(kw_only=True)
class Program:
    """A template that can be executed: its nodes, the templates it can call, and its functions."""

    text: str
    nodes: Sequence[Node]
    templates: Mapping[str, Sequence[Node]]
    functions: Mapping[str, GoFunction]
    constants: dict[Span, GoValue] = field(default_factory=dict)
    """The strings of the template that were read already."""
    missing_is_zero: bool = True
    """True if a missing key of a map has the zero value of the map's type; False if it has no value at all."""


class Evaluator:
    """The variables of the current template, and the values of its pipelines."""

    def __init__(self, program: Program, budget: Budget, data: GoValue) -> None:
        self._program = program
        self._budget = budget
        self.variables: list[tuple[str, MaybeValue]] = [("$", data)]
        """The variables in scope, innermost last."""
        self.at = Span(0, 0)
        """The node or operand that is being executed."""
        self._depth = 0

    def assign(self, name: str, value: MaybeValue) -> None:
        """Assign to the innermost variable of a name."""
        self.variables[self._find(name)] = (name, value)

    def _find(self, name: str) -> int:
        for distance, (declared, _) in enumerate(reversed(self.variables)):
            if declared == name:
                self._budget.spend(steps=distance // _VARIABLES_PER_STEP)
                return len(self.variables) - 1 - distance
        raise GoError(f"undefined variable: {name}")

    def pipeline(self, pipeline: Pipeline, dot: MaybeValue) -> MaybeValue:
        """Evaluate a pipeline, and declare or assign its variables."""
        self._depth += 1
        if self._depth > DEEPEST_PIPELINE:
            raise LimitError(f"more than {DEEPEST_PIPELINE} pipelines in parentheses within each other")
        value: _Final = _MISSING
        for command in pipeline.commands:
            value = self._command(command, dot, value)
            if value is not None and value.type is ANY:
                value = value.data
        self._depth -= 1
        result = None if isinstance(value, _Missing) else value
        for variable in pipeline.variables:
            if pipeline.assigns:
                self.assign(variable.name, result)
            else:
                self.variables.append((variable.name, result))
        return result

    def _command(  # noqa: PLR0911  # one for each kind of operand
        self, command: Command, dot: MaybeValue, final: _Final
    ) -> MaybeValue:
        self._budget.spend()
        first, *arguments = command.operands
        self.at = first.span
        match first:
            case Field():
                return self._fields(dot, first.names, arguments, final)
            case Chain():
                return self._fields(self._argument(first.operand, dot, None), first.fields, arguments, final)
            case Identifier():
                return self._function(first, arguments, dot, final)
            case Variable():
                return self._variable(first, arguments, final)
            case _:
                pass
        self._reject_arguments(arguments, final)
        if isinstance(first, Pipeline):
            return self.pipeline(first, dot)
        if isinstance(first, Dot):
            return dot
        if isinstance(first, Nil):
            raise GoError("nil is not a command")
        return self._constant(first)

    def _reject_arguments(self, arguments: Sequence[Operand], final: _Final) -> None:
        if arguments or not isinstance(final, _Missing):
            raise GoError("can't give an argument to something that is no function")

    def _constant(self, operand: Bool | Number | Char | String | RawString) -> GoValue:
        match operand:
            case Bool():
                return GoValue(BOOL, operand.value)
            case Char():
                return GoValue(INT, ord(operand.value))
            case String() | RawString():
                constants = self._program.constants
                if operand.span not in constants:
                    text = self._program.text[operand.span.start : operand.span.end]
                    constants[operand.span] = string(read_bytes(text))
                return constants[operand.span]
            case Number(value=int() as number):
                if number > _LARGEST_INT:
                    raise GoError(f"{number} overflows int")
                return GoValue(INT, number)
            case Number(value=float() as number):
                return GoValue(FLOAT, number)
            case _:
                return GoValue(COMPLEX, operand.value)

    def _variable(self, variable: Variable, arguments: Sequence[Operand], final: _Final) -> MaybeValue:
        value = self.variables[self._find(variable.name)][1]
        if variable.fields:
            return self._fields(value, variable.fields, arguments, final)
        self._reject_arguments(arguments, final)
        return value

    def _fields(
        self, receiver: MaybeValue, names: Sequence[str], arguments: Sequence[Operand], final: _Final
    ) -> MaybeValue:
        *inner, last = names
        for name in inner:
            receiver = self._field(receiver, name, has_arguments=False)
        return self._field(receiver, last, has_arguments=bool(arguments) or not isinstance(final, _Missing))

    def _field(self, receiver: MaybeValue, name: str, *, has_arguments: bool) -> MaybeValue:
        self._budget.spend()
        if receiver is None:
            return None
        target, is_nil = indirect(receiver)
        if target is None or (is_nil and target.kind is GoKind.INTERFACE):
            raise GoError(f"nil pointer evaluating {receiver.type.name}.{name}")
        if method := find_method(target, name):
            if has_arguments:
                raise GoError(f"wrong number of args for {name}")
            return self._budget.made(method())
        if target.kind is GoKind.STRUCT and (index := target.type.field(name)) is not None:
            if has_arguments:
                raise GoError(f"{name} has arguments but cannot be invoked as function")
            return GoValue(target.type.fields[index].type, target.data[index], addressable=target.addressable)
        if target.kind is GoKind.MAP:
            if has_arguments:
                raise GoError(f"{name} is not a method but has arguments")
            return self._entry(target, to_bytes(name))
        if is_nil:
            raise GoError(f"nil pointer evaluating {receiver.type.name}.{name}")
        raise GoError(f"can't evaluate field {name} in type {receiver.type.name}")

    def _entry(self, target: GoValue, key: bytes) -> MaybeValue:
        of = target.type.item
        if target.data and key in target.data:
            return GoValue(of, target.data[key])
        return GoValue(of, zero(of)) if self._program.missing_is_zero else None

    def _function(
        self, identifier: Identifier, arguments: Sequence[Operand], dot: MaybeValue, final: _Final
    ) -> MaybeValue:
        name = identifier.name
        function = self._program.functions.get(name) or BUILTINS.get(name)
        if function is None:
            raise GoError(f'"{name}" is not a defined function')
        count = len(arguments) + (not isinstance(final, _Missing))
        fixed = len(function.parameters)
        if count < fixed or (count > fixed and function.rest is None):
            raise GoError(
                f"wrong number of args for {name}: want {'at least ' if function.rest else ''}{fixed} got {count}"
            )
        if name in {"and", "or"}:
            return self._and_or(name, arguments, dot, final)
        types = [*function.parameters, *[function.rest or ANY] * (count - fixed)]
        values = [self._argument(each, dot, of) for each, of in zip(arguments, types, strict=False)]
        if not isinstance(final, _Missing):
            values.append(_check(final, types[-1]))
        self.at = identifier.span
        for value, of in zip(values, types, strict=True):
            self._budget.read(value, whole=of is not REFLECT)
        if name == "printf" and values[0] is not None:
            self._budget.spend(steps=_STEPS_PER_VERB * values[0].data.count(b"%"))
        return self._budget.made(function.call(*values))

    def _and_or(self, name: str, arguments: Sequence[Operand], dot: MaybeValue, final: _Final) -> MaybeValue:
        value: MaybeValue = None
        for argument in arguments:
            value = self._argument(argument, dot, REFLECT)
            if is_true(value) == (name == "or"):
                return value
        return value if isinstance(final, _Missing) else final

    def _argument(  # noqa: C901  # one case for each kind of operand
        self, operand: Operand, dot: MaybeValue, of: GoType | None
    ) -> MaybeValue:
        """Evaluate an argument for a parameter of a type; None for the operand of a chain, which may have any."""
        self._budget.spend()
        self.at = operand.span
        match operand:
            case Nil():
                if of is STRING:
                    raise GoError("cannot assign nil to string")
                return None
            case Dot():
                value = dot
            case Field():
                value = self._fields(dot, operand.names, (), _MISSING)
            case Variable():
                value = self._variable(operand, (), _MISSING)
            case Pipeline():
                value = self.pipeline(operand, dot)
            case Identifier():
                value = self._function(operand, (), dot, _MISSING)
            case Chain():
                value = self._fields(self._argument(operand.operand, dot, None), operand.fields, (), _MISSING)
            case String() | RawString():
                return self._constant(operand)
            case _:
                if of is STRING:
                    raise GoError(f"expected string; found {self._program.text[operand.span.start : operand.span.end]}")
                return self._constant(operand)
        return value if of is None else _check(value, of)


def _check(value: MaybeValue, of: GoType) -> MaybeValue:
    """Return a value as an argument for a parameter of a type; None is nil."""
    if of is REFLECT:
        return value
    if of is ANY:
        return value.data if value is not None and value.type is ANY else value
    if value is not None and value.type is ANY and value.data is not None:
        value = value.data
    if value is None or value.type is not STRING:
        raise GoError(f"wrong type for value; expected string; got {value.type.name if value else 'nil'}")
    return value
