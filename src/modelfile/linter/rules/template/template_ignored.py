"""Rule MF426."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from modelfile.catalog.behaviors import PREFERS_CHAT_TEMPLATES
from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, last_template, model_header, no_folder, once_per_file, rule
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Parser, Renderer, Template

if TYPE_CHECKING:
    from modelfile.gotemplate.parser import ParsedTemplate

_CALLS: Final = ("tool_calls", "assistant_tool_call")
_RESULTS: Final = (
    *("tool_response", "tool_results", "ipython", "message.role == 'tool'", 'message.role == "tool"'),
    *("role'] == 'tool'", 'role\'] == "tool"', "role\"] == 'tool'", 'role"] == "tool"'),
)
"""Texts by which Ollama sees that a chat template prints tool calls and their results (server/images.go, 0.33)."""


@rule("MF426", "template-ignored", on=Modelfile, severity=Severity.WARNING, cannot_decide=no_folder)
def template_ignored(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r'''Ollama uses the chat template inside the weights instead of the TEMPLATE.

    Since 0.30, Ollama compares the TEMPLATE with the chat template inside a GGUF file. If that one supports tools or
    thinking and the TEMPLATE does not, Ollama uses the one inside the weights: nothing that the TEMPLATE says is ever
    sent. `.Tools` and tags around `.Thinking` in the TEMPLATE make it count again, and so does the environment
    variable OLLAMA_GO_TEMPLATE of the server.

    The rule reads the header of local GGUF files. The same holds for weights behind a name, which it does not see.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./tools.gguf
    TEMPLATE """<|im_start|>user
    {{ .Prompt }}<|im_end|>
    <|im_start|>assistant
    {{ .Response }}<|im_end|>
    """
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./tools.gguf
    ```
    '''
    if (lost := find_preferred(modelfile, context)) and (template := modelfile.last(Template)):
        message = (
            f"Ollama 0.30 and later ignore this TEMPLATE: the chat template inside the weights supports {lost},"
            " and this one does not"
        )
        yield Finding(template.keyword.span, message, f"delete TEMPLATE, or let it print {lost} too")


@once_per_file
def find_preferred(modelfile: Modelfile, context: Context) -> str | None:
    """Return what the chat template inside the weights supports in addition, if Ollama prefers it; None otherwise."""
    if context.ollama.version < PREFERS_CHAT_TEMPLATES:
        return None
    if modelfile.last(Parser) or modelfile.last(Renderer) or not (found := last_template(modelfile)):
        return None
    header = model_header(modelfile, context)
    return _preferred_for(header.chat_template, found[1]) if header and header.chat_template else None


def _preferred_for(chat: str, parsed: ParsedTemplate) -> str | None:
    """Return what makes Ollama prefer a chat template (`shouldPreferChatTemplate` in server/images.go, 0.33)."""
    from modelfile.gotemplate.capabilities import template_capabilities  # imported with the parser

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
