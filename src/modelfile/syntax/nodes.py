"""The tree of a Modelfile. Every leaf has its span; what stands between the leaves is blanks and line ends."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from modelfile.source import Span


class Quoting(StrEnum):
    """How a value is written."""

    NONE = ""
    DOUBLE = '"'
    TRIPLE = '"""'


@dataclass(frozen=True, slots=True)
class Word:
    """An instruction word, a parameter's name or a message's role, as written."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """The argument of an instruction."""

    text: str
    """As Ollama reads it: unquoted, trimmed, without the characters it drops."""
    span: Span
    """With its quotes, without the blanks around them; empty where nothing is written."""
    content: Span
    """Inside the quotes."""
    quoting: Quoting = Quoting.NONE
    closed: bool = True
    """Whether its quotes end; else `text` is what follows them, up to the next instruction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """A line whose first non-blank character is `#`."""

    text: str
    """Without the `#` and the blanks around."""
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A line that begins with no instruction of Ollama's followed by a blank."""

    word: Word
    rest: Word
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Headless:
    """A PARAMETER or MESSAGE without a name or role that ends in a blank; Ollama gives up here."""

    keyword: Word
    rest: Word
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """An instruction word and its value."""

    keyword: Word
    value: Value
    span: Span


class From(Instruction):
    """FROM: the base, a model's name or a path to weights."""

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
    """LICENSE: a licence's text; several add up."""

    __slots__ = ()


class Renderer(Instruction):
    """RENDERER: the built-in renderer that takes the template's place."""

    __slots__ = ()


class Parser(Instruction):
    """PARSER: the built-in parser of the model's output."""

    __slots__ = ()


class Requires(Instruction):
    """REQUIRES: the oldest Ollama version that can run the model."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter(Instruction):
    """PARAMETER: a runtime option."""

    name: Word


@dataclass(frozen=True, slots=True, kw_only=True)
class Message(Instruction):
    """MESSAGE: one turn of the conversation that is put before the user's."""

    role: Word


Node: TypeAlias = Comment | Unknown | Headless | Instruction

WORDS: dict[str, type[Instruction]] = {
    node.__name__.upper(): node
    for node in (From, Parameter, Template, System, Adapter, License, Message, Renderer, Parser, Requires, Draft)
}
"""The instruction words, in the order of Ollama's documentation, and their nodes."""


def command_name(node: Instruction) -> str:
    """The name of an instruction in Ollama's parser."""
    match node:
        case Parameter():
            return node.name.text
        case From():
            return "model"
        case _:
            return type(node).__name__.lower()


def command_value(node: Instruction) -> str:
    """The value of an instruction in Ollama's parser."""
    return f"{node.role.text}: {node.value.text}" if isinstance(node, Message) else node.value.text
