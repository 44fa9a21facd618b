"""Prompts that a TEMPLATE makes of small conversations, for the rules that judge it by what the model receives."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from modelfile.errors import ModelfileError
from modelfile.linter.rule import parsed_template

if TYPE_CHECKING:
    from modelfile.catalog.versions import Version

_LONGEST: Final = 1 << 16
"""Characters of the longest template that is rendered; real ones have some thousands."""
_ROLES: Final = {"S": "system", "U": "user", "A": "assistant", "T": "tool"}
_TOOLS: Final = (
    {
        "type": "function",
        "function": {
            "name": "get_bill",
            "description": "Get a bill.",
            "parameters": {"type": "object", "properties": {"number": {"type": "integer"}}},
        },
    },
)
_CALL: Final = {"function": {"name": "get_bill", "arguments": {"number": 1}}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """The prompt of a conversation."""

    text: str
    words: tuple[str, ...]
    """The contents of the messages, in order; each occurs nowhere else."""

    def sends(self, index: int) -> bool:
        """Return whether the content of a message is in the prompt."""
        return self.words[index] in self.text

    @property
    def gaps(self) -> tuple[str, ...] | None:
        """The texts before, between and after the contents; None if they are not all there once, and in order."""
        gaps, rest = [], self.text
        for word in self.words:
            gap, found, rest = rest.partition(word)
            if not found or word in rest:
                return None
            gaps.append(gap)
        return (*gaps, rest)


@lru_cache(maxsize=64)
def render_conversation(template: str, roles: str, version: Version) -> Prompt | None:
    """Return the prompt of a conversation; None if it cannot be rendered, or the template is very long.

    Args:
        template: The text of the template.
        roles: A letter for each message: S(ystem), U(ser), A(ssistant) and T(ool). With a T, the request has a tool,
            and the message before it calls the tool.
        version: The version of Ollama.
    """
    if len(template) > _LONGEST:
        return None
    from modelfile.gotemplate.render import render  # imported for templates only

    words = tuple(f"\ue000{role}{index}\ue001" for index, role in enumerate(roles))
    messages: list[dict[str, Any]] = [
        {"role": _ROLES[role], "content": word} for role, word in zip(roles, words, strict=True)
    ]
    for index in range(1, len(roles)):
        if roles[index] == "T":
            messages[index - 1]["tool_calls"] = [_CALL]
            messages[index]["tool_name"] = "get_bill"
    try:
        text = render(
            parsed_template(template), messages=messages, tools=_TOOLS if "T" in roles else None, ollama=version
        )
    except ModelfileError:
        return None
    return Prompt(text=text, words=words)
