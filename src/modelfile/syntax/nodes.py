"""The tree of a Modelfile. Every leaf has its span; between the leaves there is only whitespace."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

from modelfile.immutable import record
from modelfile.source import Span


class Quoting(StrEnum):
    """The quotes around a value."""

    NONE = ""
    DOUBLE = '"'
    TRIPLE = '"""'


@record()
class Word:
    """An instruction word, the name of a parameter or the role of a message, as written."""

    text: str
    span: Span


@record(kw_only=True)
class Value:
    """The argument of an instruction."""

    text: str
    """The value as Ollama reads it: without quotes, surrounding whitespace and unprintable characters."""
    span: Span
    """The span with the quotes, without surrounding whitespace; empty if there is no value."""
    content: Span
    """The span inside the quotes."""
    quoting: Quoting = Quoting.NONE
    closed: bool = True
    """False if the quotes are never closed; `text` then extends to the next instruction."""


@record(kw_only=True)
class Comment:
    """A line that starts with `#`, apart from whitespace."""

    text: str
    """The text without the `#` and surrounding whitespace."""
    span: Span


@record(kw_only=True)
class Unknown:
    """A line that does not start with an instruction word and whitespace."""

    word: Word
    """The name at its start, or its first character if there is none."""
    span: Span


@record(kw_only=True)
class Incomplete:
    """A PARAMETER or MESSAGE without a name or role that whitespace follows; Ollama stops here."""

    keyword: Word
    rest: Word
    span: Span


@record(kw_only=True)
class Instruction:
    """An instruction word and its value."""

    keyword: Word
    value: Value
    span: Span


class From(Instruction):
    """FROM: the base, as the name of a model or a path to weights."""

    __slots__ = ()


class Adapter(Instruction):
    """ADAPTER: a path to a LoRA adapter."""

    __slots__ = ()


class Draft(Instruction):
    """DRAFT: a path to the weights of a draft model."""

    __slots__ = ()


class Template(Instruction):
    """TEMPLATE: the prompt template, in Go's text/template."""

    __slots__ = ()


class System(Instruction):
    """SYSTEM: the system prompt."""

    __slots__ = ()


class License(Instruction):
    """LICENSE: the text of a license; several add up."""

    __slots__ = ()


class Renderer(Instruction):
    """RENDERER: the built-in renderer that replaces the template."""

    __slots__ = ()


class Parser(Instruction):
    """PARSER: the built-in parser of the model's output."""

    __slots__ = ()


class Requires(Instruction):
    """REQUIRES: the oldest Ollama version that can run the model."""

    __slots__ = ()


@record(kw_only=True)
class Parameter(Instruction):
    """PARAMETER: the name and value of a parameter."""

    name: Word


@record(kw_only=True)
class Message(Instruction):
    """MESSAGE: a message at the start of every conversation."""

    role: Word


Node: TypeAlias = Comment | Unknown | Incomplete | Instruction

WORDS: dict[str, type[Instruction]] = {
    node.__name__.upper(): node
    for node in (From, Parameter, Template, System, Adapter, License, Message, Renderer, Parser, Requires, Draft)
}
"""The instruction words, in the order of Ollama's documentation, and their classes."""


def command_name(node: Instruction) -> str:
    """Return the name of an instruction in Ollama's parser."""
    match node:
        case Parameter():
            return node.name.text
        case From():
            return "model"
        case _:
            return type(node).__name__.lower()


def command_value(node: Instruction) -> str:
    """Return the value of an instruction in Ollama's parser."""
    return f"{node.role.text}: {node.value.text}" if isinstance(node, Message) else node.value.text
