"""The tree of a template.

Every node has its span; between the leaves there are only delimiters, keywords and whitespace.
"""

from __future__ import annotations

from typing import TypeAlias

from modelfile.immutable import record
from modelfile.source import Span


@record(kw_only=True)
class Text:
    """Text that is printed verbatim, without the whitespace that a trim marker removes."""

    text: str
    span: Span


@record(kw_only=True)
class TemplateComment:
    """`{{/* … */}}`: a comment."""

    text: str
    """The text between `/*` and `*/`."""
    span: Span


@record(kw_only=True)
class Dot:
    """`.`: the cursor, called dot."""

    span: Span


@record(kw_only=True)
class Nil:
    """The constant `nil`."""

    span: Span


@record(kw_only=True)
class Bool:
    """The constant `true` or `false`."""

    value: bool
    span: Span


@record(kw_only=True)
class Number:
    """A number in any of Go's notations."""

    value: complex
    span: Span


@record(kw_only=True)
class Char:
    """A character constant, `'x'`, which Go reads as a number."""

    value: str
    span: Span


@record(kw_only=True)
class String:
    """A string in double quotes."""

    value: str
    """Its value, with escapes decoded."""
    span: Span


@record(kw_only=True)
class RawString:
    """A string in backquotes."""

    value: str
    span: Span


@record(kw_only=True)
class Identifier:
    """The name of a function."""

    name: str
    span: Span


@record(kw_only=True)
class Field:
    """`.A.B`: fields of dot."""

    names: tuple[str, ...]
    span: Span


@record(kw_only=True)
class Variable:
    """`$x` or `$x.A.B`: a variable and fields of it."""

    name: str
    """Its name, with the `$`."""
    fields: tuple[str, ...] = ()
    span: Span


@record(kw_only=True)
class Chain:
    """`(…).A.B` or `f.A.B`: fields of the value of an operand."""

    operand: Identifier | Pipeline
    fields: tuple[str, ...]
    span: Span


@record(kw_only=True)
class Command:
    """Operands separated by whitespace: a value, or a function with its arguments."""

    operands: tuple[Operand, ...]
    span: Span


@record(kw_only=True)
class Pipeline:
    """Commands separated by `|`, and the variables that the result is assigned to."""

    variables: tuple[Variable, ...] = ()
    assigns: bool = False
    """True if the variables are assigned with `=`, not declared with `:=`."""
    commands: tuple[Command, ...]
    span: Span
    """Its span; with the parentheses if it is an operand."""


@record(kw_only=True)
class Action:
    """`{{ pipeline }}`: an action that prints, declares or assigns."""

    pipeline: Pipeline
    span: Span


@record(kw_only=True)
class If:
    """`{{ if }}`; an `{{ else if }}` is the only node of `orelse` and ends with the whole."""

    pipeline: Pipeline
    body: tuple[Node, ...]
    orelse: tuple[Node, ...] = ()
    span: Span


@record(kw_only=True)
class With:
    """`{{ with }}`; an `{{ else with }}` is the only node of `orelse` and ends with the whole."""

    pipeline: Pipeline
    body: tuple[Node, ...]
    orelse: tuple[Node, ...] = ()
    span: Span


@record(kw_only=True)
class Range:
    """`{{ range }}`: a loop."""

    pipeline: Pipeline
    body: tuple[Node, ...]
    orelse: tuple[Node, ...] = ()
    span: Span


@record(kw_only=True)
class Break:
    """`{{ break }}`: the end of a loop."""

    span: Span


@record(kw_only=True)
class Continue:
    """`{{ continue }}`: the next pass of a loop."""

    span: Span


@record(kw_only=True)
class TemplateCall:
    """`{{ template "name" pipeline }}`: a call of a template."""

    name: String | RawString
    pipeline: Pipeline | None = None
    span: Span


@record(kw_only=True)
class Block:
    """`{{ block "name" pipeline }}`: a template that is defined and called."""

    name: String | RawString
    pipeline: Pipeline
    body: tuple[Node, ...]
    span: Span


@record(kw_only=True)
class Define:
    """`{{ define "name" }}`: a template that is defined."""

    name: String | RawString
    body: tuple[Node, ...]
    span: Span


Operand: TypeAlias = (
    Field | Variable | Chain | Identifier | Dot | Nil | Bool | Number | Char | String | RawString | Pipeline
)
Node: TypeAlias = Text | TemplateComment | Action | If | With | Range | Break | Continue | TemplateCall | Block | Define
