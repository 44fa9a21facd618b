"""Prompts that a TEMPLATE makes of small conversations, for the rules that judge it by what the model receives."""

from __future__ import annotations

from functools import lru_cache
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Final

from modelfile.errors import ModelfileError, TemplateError
from modelfile.immutable import record
from modelfile.linter.rule import parsed_template

if TYPE_CHECKING:
    from modelfile.catalog.versions import Version

_LONGEST: Final = 1 << 16
"""Characters of the longest template that is rendered; real ones have some thousands."""
_MOST_STEPS: Final = 10_000
"""Steps of a conversation; those of real templates take some hundreds."""
_MOST_BYTES: Final = 1 << 19
"""Bytes that a conversation prints; those of real templates print some thousands."""
_CONVERSATIONS: Final = ("SU", "UAU", "UAT")
"""The conversations that rules render, as `render_conversation` takes them; `slow-template` reports their excess."""
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
CALLED: Final = "\ue000C\ue001"
"""The argument of the model's call in a conversation with a tool; it occurs nowhere else."""
_CALL: Final = {"function": {"name": "get_bill", "arguments": {"number": CALLED}}}


@record(kw_only=True)
class Prompt:
    """The prompt of a conversation."""

    text: str
    words: tuple[str, ...]
    """The contents of the messages, in order; each occurs nowhere else."""
    gaps: tuple[str, ...] | None
    """The texts before, between and after the contents; None if they are not all there once, and in order."""

    def sends(self, index: int) -> bool:
        """Return whether the content of a message is in the prompt."""
        return self.words[index] in self.text


def _gaps(text: str, words: tuple[str, ...]) -> tuple[str, ...] | None:
    gaps, rest = [], text
    for word in words:
        gap, found, rest = rest.partition(word)
        if not found or word in rest:
            return None
        gaps.append(gap)
    return (*gaps, rest)


def render_conversation(template: str, roles: str, version: Version) -> Prompt | None:
    """Return the prompt of a conversation; None if it cannot be rendered, or `find_excess` finds a reason.

    Args:
        template: The text of the template.
        roles: A letter for each message: S(ystem), U(ser), A(ssistant) and T(ool). With a T, the request has a tool,
            and the message before it calls the tool.
        version: The version of Ollama.
    """
    prompt = None if len(template) > _LONGEST else _render(template, roles, version)
    return prompt if isinstance(prompt, Prompt) else None


def find_excess(template: str, version: Version) -> str | None:
    """Return why the rules do not judge what the model receives from a template; None if it takes little enough.

    Args:
        template: The text of the template.
        version: The version of Ollama.
    """
    if len(template) > _LONGEST:
        return f"the template has more than {_LONGEST:,} characters"
    excess = _render(template, _CONVERSATIONS[-1], version)
    return excess if isinstance(excess, str) else None


@lru_cache(maxsize=64)
def _render(template: str, roles: str, version: Version) -> Prompt | str | None:
    """Return the prompt of a conversation, or the limit that it exceeds; None if it cannot be rendered.

    If an earlier one of `_CONVERSATIONS` exceeds a limit, none is spent on the others.
    """
    for earlier in takewhile(lambda each: each != roles, _CONVERSATIONS):
        if isinstance(excess := _render(template, earlier, version), str):
            return excess
    from modelfile.gotemplate.evaluation import Budget
    from modelfile.gotemplate.render import render_within  # imported for templates only

    words = tuple(f"\ue000{role}{index}\ue001" for index, role in enumerate(roles))
    messages: list[dict[str, Any]] = [
        {"role": _ROLES[role], "content": word} for role, word in zip(roles, words, strict=True)
    ]
    for index in range(1, len(roles)):
        if roles[index] == "T":
            messages[index - 1]["tool_calls"] = [_CALL]
            messages[index]["tool_name"] = "get_bill"
    budget = Budget(_MOST_STEPS, _MOST_BYTES)
    try:
        text = render_within(
            budget, parsed_template(template), messages, tools=_TOOLS if "T" in roles else None, ollama=version
        )
    except TemplateError as error:
        return error.reason if budget.exceeded else None
    except ModelfileError:
        return None
    return Prompt(text=text, words=words, gaps=_gaps(text, words))
