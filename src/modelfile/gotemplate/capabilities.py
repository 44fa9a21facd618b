"""The capabilities that a template gives a model (server/images.go and thinking/template.go, 0.9.3 to 0.33)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from modelfile.gotemplate.fields import walk
from modelfile.gotemplate.nodes import Action, Field, If, Node, Range, TemplateCall, TemplateComment, Text, With

if TYPE_CHECKING:
    from modelfile.gotemplate.parser import ParsedTemplate

FIELDS_OF_CAPABILITIES: Final = {"tools": "Tools", "thinking": "Thinking", "insert": "Suffix"}
"""The capabilities that depend on the template, and the variable that each needs."""


def template_capabilities(parsed: ParsedTemplate) -> frozenset[str]:
    """Return the capabilities that a template gives: `tools`, `insert` and `thinking`.

    >>> import modelfile
    >>> sorted(template_capabilities(modelfile.parse_template("{{ .Tools }}{{ .Prompt }}{{ .Suffix }}")))
    ['insert', 'tools']
    """
    found = {name for name, field in FIELDS_OF_CAPABILITIES.items() if field.lower() in parsed.variables}
    return frozenset(found - ({"thinking"} if not all(thinking_tags(parsed.nodes)) else set()))


def thinking_tags(nodes: Iterable[Node]) -> tuple[str, str]:
    """Return the tags that Ollama finds (thinking.InferTags)."""

    def reads(node: Node, name: str) -> bool:
        match node:
            case If() | Range() | With() | Action() | TemplateCall():
                operands = walk([node.pipeline] if node.pipeline else [])
                return any(isinstance(operand, Field) and operand.names[0] == name for operand in operands)
            case _:
                return False

    opening = closing = ""
    left = _members(nodes, in_messages=False)
    while left:
        node, siblings, in_messages = left.pop()
        if in_messages and reads(node, "Thinking"):
            opening = siblings[0].text if isinstance(siblings[0], Text) else opening
            closing = siblings[-1].text if isinstance(siblings[-1], Text) else closing
        if isinstance(node, If | Range | With):
            within = reads(node, "Messages") if isinstance(node, Range) else in_messages
            left += _members(node.orelse, in_messages=within) + _members(node.body, in_messages=within)
    return opening.strip(), closing.strip()


def _members(nodes: Iterable[Node], *, in_messages: bool) -> list[tuple[Node, tuple[Node, ...], bool]]:
    """Return nodes with all their siblings, the last first, and without comments, which are no nodes to Go."""
    siblings: tuple[Node, ...] = tuple(node for node in nodes if not isinstance(node, TemplateComment))
    return [(node, siblings, in_messages) for node in siblings][::-1]
