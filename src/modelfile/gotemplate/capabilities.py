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

_CALLS: Final = ("tool_calls", "assistant_tool_call")
_RESULTS: Final = (
    *("tool_response", "tool_results", "ipython", "message.role == 'tool'", 'message.role == "tool"'),
    *("role'] == 'tool'", 'role\'] == "tool"', "role\"] == 'tool'", 'role"] == "tool"'),
)
"""Texts by which Ollama sees that a chat template prints tool calls and their results (server/images.go, 0.33)."""


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


def preferred_over(chat: str, parsed: ParsedTemplate) -> str | None:
    """Return what makes Ollama prefer a chat template; None if it does not.

    Source: `shouldPreferChatTemplate` in server/images.go, 0.33.

    Args:
        chat: The chat template of the weights, in Jinja.
        parsed: The template of the model.
    """
    theirs = {name for name, has in (("tools", _has_tools(chat)), ("thinking", _has_thinking(chat))) if has}
    ours = template_capabilities(parsed)
    returns = _has_tools(chat) and any(each in chat for each in _CALLS) and any(each in chat for each in _RESULTS)
    we_return = {"tools", "toolcalls"} <= {*parsed.variables} and any(
        each in parsed.text for each in ('eq .Role "tool"', "tool_response", "TOOL_RESULTS")
    )
    if len(theirs) > len(ours):
        return " and ".join(sorted(theirs - ours, reverse=True)) if returns or not we_return else None
    return "results of tools" if theirs == ours and "tools" in ours and returns and not we_return else None


def _has_tools(chat: str) -> bool:
    return "tools" in chat or "tool_call" in chat


def _has_thinking(chat: str) -> bool:
    if "<think>" in chat and "</think>" in chat:
        return True
    splits = "content.split('</think>')" in chat or 'content.split("</think>")' in chat
    return splits and "reasoning_content" not in chat and "<SPECIAL_12>" not in chat
