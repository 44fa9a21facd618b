"""A parsed Modelfile: its commands, its syntax errors, and edits that keep the rest of the text."""

from __future__ import annotations

from bisect import bisect_right
from functools import cache, cached_property
from itertools import islice
from typing import Any, Self, TypeVar

from modelfile.characters import find_unprintable
from modelfile.diagnostics import MOST_FINDINGS, Diagnostic
from modelfile.errors import InputError
from modelfile.immutable import record, replace
from modelfile.source import Source, Span
from modelfile.syntax.nodes import (
    From,
    Instruction,
    Message,
    Node,
    Parameter,
    Value,
    command_name,
    command_value,
)
from modelfile.syntax.parser import parse_nodes
from modelfile.syntax.quoting import quote
from modelfile.syntax.syntax_errors import ROLES, Rejection, find_errors, find_rejection

AnyNode = TypeVar("AnyNode", bound=Node)


@cache
def _classes_of(kind: Any, among: frozenset[type]) -> frozenset[type]:
    """Return the classes among others that are of a type, or of one of several."""
    return frozenset(each for each in among if issubclass(each, kind))


@record(kw_only=True, slots=False)
class Modelfile:
    """A Modelfile: its source, and its nodes in the order of the text."""

    source: Source
    nodes: tuple[Node, ...]

    @classmethod
    def parse(cls, source: Source) -> Self:
        """Parse a source. Never fails: syntax errors are in `diagnostics`."""
        return cls(source=source, nodes=parse_nodes(source.text))

    @property
    def text(self) -> str:
        """The text that was parsed, without the byte order mark."""
        return self.source.text

    @cached_property
    def newline(self) -> str:
        """The newline of the file's first line."""
        head, newline, _ = self.text.partition("\n")
        return "\r\n" if newline and head.endswith("\r") else "\n"

    @cached_property
    def commands(self) -> tuple[tuple[str, str], ...]:
        """The commands that Ollama's parser reads: (name, value) in order.

        FROM has the name "model", a PARAMETER the name of the parameter, every other instruction its word in lower
        case; the value of a MESSAGE is "role: text". So `PARAMETER system x` is a SYSTEM to Ollama.
        """
        return tuple((command_name(node), command_value(node)) for node in self.of_type(Instruction))

    def of_type(self, kind: type[AnyNode] | tuple[type[AnyNode], ...]) -> tuple[AnyNode, ...]:
        """Return the nodes of one type, or of several, in the order of the text."""
        found: tuple[AnyNode, ...] | None = self._by_type.get(kind)
        if found is None:
            asked: Any = kind
            classes = _classes_of(asked, self._classes)
            nodes: Any = [node for node in self.nodes if type(node) in classes] if classes else ()
            found = self._by_type[kind] = tuple(nodes)
        return found

    def last(self, kind: type[AnyNode]) -> AnyNode | None:
        """Return the last node of a type, which often is the one that counts; None if there is none."""
        found = self.of_type(kind)
        return found[-1] if found else None

    @cached_property
    def _classes(self) -> frozenset[type]:
        """The classes of all nodes: most types that are asked for are not among them."""
        return frozenset(map(type, self.nodes))

    @cached_property
    def _by_type(self) -> dict[type | tuple[type, ...], tuple[Any, ...]]:
        """The nodes by class, none of which is a base of another, and by the other types that were asked for."""
        found: dict[type | tuple[type, ...], list[Any]] = {}
        for node in self.nodes:
            found.setdefault(type(node), []).append(node)
        return {kind: tuple(nodes) for kind, nodes in found.items()}

    @cached_property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """The syntax errors, with their spans; empty if and only if Ollama's parser accepts the file.

        All of them, or the first `MOST_FINDINGS`.
        """
        return tuple(sorted(islice(find_errors(self.source, self.nodes), MOST_FINDINGS), key=_start_of))

    @cached_property
    def first_error(self) -> Diagnostic | None:
        """The first of `diagnostics`, found without a list of all; None if there is none."""
        return min(find_errors(self.source, self.nodes), key=_start_of, default=None)

    @cached_property
    def rejection(self) -> Rejection | None:
        """The error that Ollama's parser reports; None if it accepts the file."""
        return find_rejection(self.source.text, self.nodes)

    def locate(self, value: Value, offset: int) -> int:
        """Return the offset in the text of the character at an offset of `value.text`, or of its end."""
        start, length = value.content.start, value.content.end - value.content.start
        if length == len(value.text):
            return start + offset
        if start not in self._dropped:
            dropped = find_unprintable(self.text[start : start + length])
            self._dropped[start] = [index - before for before, index in enumerate(dropped)]
        return start + min(offset + bisect_right(self._dropped[start], offset), length)

    def locate_span(self, value: Value, start: int, end: int) -> Span:
        """Return the span in the text of the characters from `start` to `end` of `value.text`."""
        return Span(self.locate(value, start), self.locate(value, end))

    @cached_property
    def _dropped(self) -> dict[int, list[int]]:
        """The number of printable characters before each unprintable one, by the start of a value; see `locate`."""
        return {}

    def with_from(self, base: str) -> Self:
        """Return a copy with another base, in the last FROM.

        Raises:
            InputError: No Modelfile can express it.
        """
        last = self.last(From)
        if last is None:
            return self._edited(Span(0, 0), f"FROM {quote(base)}{self.newline}")
        return self._edited(last.value.span, quote(base))

    def with_parameter(self, name: str, *values: str) -> Self:
        """Return a copy in which a parameter has these values, or is removed if there are none.

        Raises:
            InputError: No Modelfile can express them.
        """
        if not (name.isascii() and name.replace("_", "a").isalnum()):
            raise InputError(f"invalid parameter name `{name}`", hint="use letters, digits and _")
        lines = [f"PARAMETER {name} {quote(value)}" for value in values]
        present = [node for node in self.of_type(Parameter) if node.name.text == name]
        if not present:
            return self._appended(lines, after=(Parameter, From)) if lines else self
        edited = self
        for node in reversed(present[1:] if lines else present):
            edited = edited._without(node)
        return edited._edited(present[0].span, self.newline.join(lines)) if lines else edited  # noqa: SLF001  # of the same class

    def with_message(self, role: str, content: str) -> Self:
        """Return a copy with one more message, after the others.

        Raises:
            InputError: The role is invalid, or no Modelfile can express the content.
        """
        if role not in ROLES:
            raise InputError(f"invalid role `{role}`", hint=f"use {', '.join(ROLES[:-1])} or {ROLES[-1]}")
        return self._appended([f"MESSAGE {role} {quote(content)}"], after=(Message,))

    def _appended(self, lines: list[str], *, after: tuple[type[Instruction], ...]) -> Self:
        """Return a copy with more lines: after the last node of the first type that occurs, or at the end."""
        for kind in after:
            if last := self.last(kind):
                at = last.span.end
                return self._edited(Span(at, at), "".join(f"{self.newline}{line}" for line in lines))
        text = self.text
        lead = "" if not text or text.endswith(("\n", "\r")) else self.newline
        end = Span(len(text), len(text))
        return self._edited(end, lead + "".join(f"{line}{self.newline}" for line in lines))

    def _without(self, node: Node) -> Self:
        """Return a copy without the line of a node."""
        start = self.text.rfind("\n", 0, node.span.start) + 1
        end = self.text.find("\n", node.span.end)
        return self._edited(Span(start, len(self.text) if end < 0 else end + 1), "")

    def _edited(self, span: Span, text: str) -> Self:
        edited = self.text[: span.start] + text + self.text[span.end :]
        return self.parse(replace(self.source, text=edited))


def _start_of(error: Diagnostic) -> int:
    return error.span.start


def parse(text: str | bytes) -> Modelfile:
    r"""Parse a Modelfile. No text makes this fail: what Ollama would reject is in `.diagnostics`.

    >>> import modelfile
    >>> bot = modelfile.parse('FROM llama3.2:3b\nPARAMETER temperature 0.2\nSYSTEM "Be brief."\n')
    >>> bot.commands
    (('model', 'llama3.2:3b'), ('temperature', '0.2'), ('system', 'Be brief.'))
    >>> print(bot.with_parameter("temperature", "0.7").with_message("user", "Hi!").text, end="")
    FROM llama3.2:3b
    PARAMETER temperature 0.7
    SYSTEM "Be brief."
    MESSAGE user Hi!
    >>> [(found.name, found.message) for found in modelfile.parse("FORMAT json").diagnostics]
    [('missing-from', 'missing FROM'), ('unknown-instruction', 'unknown instruction `FORMAT`')]

    Args:
        text: A text, or the bytes of a file: a byte order mark is honored, and bytes that are not UTF-8 become U+FFFD,
            as in Ollama.
    """
    return Modelfile.parse(Source.decode(text) if isinstance(text, bytes) else Source(text=text))
