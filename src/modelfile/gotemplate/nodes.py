"""The tree of a template. Every node has its span; between the leaves stand delimiters, keywords and blanks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from modelfile.source import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """What is printed as it stands, without the blanks that a trim marker beside it takes away."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """`{{/* … */}}`."""

    text: str
    """Between `/*` and `*/`."""
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """`.`: the cursor."""

    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Nil:
    """`nil`."""

    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Bool:
    """`true` or `false`."""

    value: bool
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A number in any of Go's spellings."""

    value: complex
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Char:
    """A character constant, `'x'`: a number to Go."""

    value: str
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class String:
    """A string in double quotes."""

    value: str
    """With its escapes undone."""
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class RawString:
    """A string in backquotes."""

    value: str
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Identifier:
    """A function's name."""

    name: str
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """`.A.B`: fields of the cursor."""

    names: tuple[str, ...]
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """`$x`, or `$x.A.B`: a variable and fields of it."""

    name: str
    """With its `$`."""
    fields: tuple[str, ...] = ()
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """`(…).A.B` or `f.A.B`: fields of what an operand yields."""

    operand: Identifier | Pipeline
    fields: tuple[str, ...]
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """Operands with blanks between them: a value, or a function with its arguments."""

    operands: tuple[Operand, ...]
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """Commands with `|` between them, and the variables that take the outcome."""

    variables: tuple[Variable, ...] = ()
    assigns: bool = False
    """Whether the variables are set, with `=`, and not made, with `:=`."""
    commands: tuple[Command, ...]
    span: Span
    """With its parentheses, where it is an operand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """`{{ pipeline }}`."""

    pipeline: Pipeline
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class If:
    """`{{ if }}`; an `{{ else if }}` is the one node of `orelse`, and ends where the whole ends."""

    pipeline: Pipeline
    body: tuple[Node, ...]
    orelse: tuple[Node, ...] = ()
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class With:
    """`{{ with }}`; an `{{ else with }}` is the one node of `orelse`, and ends where the whole ends."""

    pipeline: Pipeline
    body: tuple[Node, ...]
    orelse: tuple[Node, ...] = ()
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """`{{ range }}`."""

    pipeline: Pipeline
    body: tuple[Node, ...]
    orelse: tuple[Node, ...] = ()
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """`{{ break }}`."""

    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Continue:
    """`{{ continue }}`."""

    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateCall:
    """`{{ template "name" pipeline }}`."""

    name: String | RawString
    pipeline: Pipeline | None = None
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """`{{ block "name" pipeline }}`: a template, defined and called."""

    name: String | RawString
    pipeline: Pipeline
    body: tuple[Node, ...]
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Define:
    """`{{ define "name" }}`."""

    name: String | RawString
    body: tuple[Node, ...]
    span: Span


Operand: TypeAlias = (
    Field | Variable | Chain | Identifier | Dot | Nil | Bool | Number | Char | String | RawString | Pipeline
)
Node: TypeAlias = Text | Comment | Action | If | With | Range | Break | Continue | TemplateCall | Block | Define
