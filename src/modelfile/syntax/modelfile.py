"""A parsed Modelfile: what it says, what is wrong with it, and edits that leave the rest of its text alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

from modelfile.characters import is_dropped
from modelfile.diagnostics import Diagnostic
from modelfile.errors import InputError
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
from modelfile.syntax.syntax_errors import ROLES, Refusal, diagnose, refusal


@dataclass(frozen=True, kw_only=True)
class Modelfile:
    """A Modelfile's source and its nodes in the order of the text."""

    source: Source
    nodes: tuple[Node, ...]

    @classmethod
    def parse(cls, source: Source) -> Self:
        """Parse a source. Nothing in a text makes this fail: what Ollama refuses is in `diagnostics`."""
        return cls(source=source, nodes=parse_nodes(source.text))

    @property
    def text(self) -> str:
        """The exact text that was parsed, without the byte order mark."""
        return self.source.text

    @cached_property
    def line_end(self) -> str:
        """The line end of the file, by its first."""
        head, newline, _ = self.text.partition("\n")
        return "\r\n" if newline and head.endswith("\r") else "\n"

    @cached_property
    def commands(self) -> tuple[tuple[str, str], ...]:
        """What Ollama's parser makes of it: (name, value) in order.

        FROM is named "model", a PARAMETER its own name, every other instruction itself in lower case; the value of a
        MESSAGE is "role: text". So `PARAMETER system x` is a SYSTEM to Ollama.
        """
        return tuple((command_name(node), command_value(node)) for node in self.nodes if isinstance(node, Instruction))

    @cached_property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Every fault that Ollama's parser would refuse, each at its place; empty exactly when it takes the file."""
        return diagnose(self.source, self.nodes)

    @cached_property
    def refusal(self) -> Refusal | None:
        """What Ollama's parser itself says of the first fault; None if it takes the file."""
        return refusal(self.source.text, self.nodes)

    def locate(self, value: Value, offset: int) -> int:
        """Where in the text the character at an offset of `value.text` stands, or where that ends."""
        content = self.text[value.content.start : value.content.end]
        if len(content) == len(value.text):
            return value.content.start + offset
        kept = [place for place, character in enumerate(content) if not is_dropped(character)]
        return value.content.start + (kept[offset] if offset < len(kept) else len(content))

    def with_from(self, base: str) -> Self:
        """The same with another base; every other FROM stays.

        Raises:
            InputError: No Modelfile can express it.
        """
        last = next((node for node in reversed(self.nodes) if isinstance(node, From)), None)
        if last is None:
            return self._edited(Span(0, 0), f"FROM {quote(base)}{self.line_end}")
        return self._edited(last.value.span, quote(base))

    def with_parameter(self, name: str, *values: str) -> Self:
        """The same with a parameter that has these values, in the place of those it had; none removes it.

        Raises:
            InputError: No Modelfile can express them.
        """
        if not (name.isascii() and name.replace("_", "a").isalnum()):
            raise InputError(f"`{name}` cannot be the name of a parameter", hint="it has letters, digits and _")
        lines = [f"PARAMETER {name} {quote(value)}" for value in values]
        present = [node for node in self.nodes if isinstance(node, Parameter) and node.name.text == name]
        if not present:
            return self._appended(lines, after=(Parameter, From)) if lines else self
        edited = self
        for node in reversed(present[1:] if lines else present):
            edited = edited._without(node)  # its own class
        return edited._edited(present[0].span, self.line_end.join(lines)) if lines else edited  # noqa: SLF001  # the same

    def with_message(self, role: str, content: str) -> Self:
        """The same with one more message behind the others.

        Raises:
            InputError: The role is none, or no Modelfile can express the content.
        """
        if role not in ROLES:
            raise InputError(f"`{role}` is not a role", hint=f"Ollama takes {', '.join(ROLES)}")
        return self._appended([f"MESSAGE {role} {quote(content)}"], after=(Message,))

    def _appended(self, lines: list[str], *, after: tuple[type[Instruction], ...]) -> Self:
        """With lines behind the last node of the first of these types that there is, else at the end."""
        for kind in after:
            if last := next((node for node in reversed(self.nodes) if isinstance(node, kind)), None):
                at = last.span.end
                return self._edited(Span(at, at), "".join(f"{self.line_end}{line}" for line in lines))
        text = self.text
        lead = "" if not text or text.endswith(("\n", "\r")) else self.line_end
        end = Span(len(text), len(text))
        return self._edited(end, lead + "".join(f"{line}{self.line_end}" for line in lines))

    def _without(self, node: Node) -> Self:
        """Without a node's whole line."""
        start = self.text.rfind("\n", 0, node.span.start) + 1
        end = self.text.find("\n", node.span.end)
        return self._edited(Span(start, len(self.text) if end < 0 else end + 1), "")

    def _edited(self, span: Span, text: str) -> Self:
        edited = self.text[: span.start] + text + self.text[span.end :]
        return self.parse(replace(self.source, text=edited))
