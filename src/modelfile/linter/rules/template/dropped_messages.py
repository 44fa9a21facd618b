"""Rule MF430."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.prompts import CALLED, render_conversation
from modelfile.linter.rule import Context, last_from, rule
from modelfile.linter.rules.template import effective_template, locate_span
from modelfile.linter.rules.template.unknown_role import compared_role
from modelfile.source import Span
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import System, Template

if TYPE_CHECKING:
    from modelfile.catalog.versions import Version
    from modelfile.gotemplate.parser import ParsedTemplate

_PRINTED: Final = r"\{\{-?\s*\$?\.Messages\s*-?\}\}"
_ANSWER: Final = r"\.Role\s+\"assistant\"(?s:.*?)(\.Content\b)"
_BRANCH: Final = (
    r"eq\s+\$?\w*\.Role\s+\"\w+\"[^{}]*\}\}[^{}]*"
    r"(?:\{\{[^{}]*\.Content\b[^{}]*\}\})[^{}]*(?:\{\{[^{}]*\.ToolCalls[^{}]*\}\}[^{}]*)?(\{\{-?\s*end\b)"
)
"""A branch for a role that prints a message and is the last one: no other follows."""
_GUARDS: Final = ("guard", "shield")
"""Parts of the names of models that judge the last exchange and print no other message, such as `llama-guard3`."""


@rule("MF430", "dropped-messages", on=Modelfile, severity=Severity.WARNING)
def dropped_messages(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r'''The TEMPLATE leaves messages of the conversation out.

    A template with `.Messages` has to print them all. If it prints the user's turns only, the model never sees what it
    answered; if it prints only the last message, it forgets the conversation; if it prints no results of tools, or no
    calls (`.ToolCalls`), it calls the tool again and again.

    The rule renders small conversations and looks for each message. It looks for the system prompt only if the
    Modelfile has one, and for calls and results of tools only if the TEMPLATE uses `.Tools`.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE """{{ range .Messages }}{{ if eq .Role "user" }}User: {{ .Content }}
    {{ end }}{{ end }}AI:"""
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    TEMPLATE """{{ range .Messages }}{{ if eq .Role "user" }}User: {{ .Content }}
    {{ else if eq .Role "assistant" }}AI: {{ .Content }}
    {{ end }}{{ end }}AI:"""
    ```
    '''
    if not (found := effective_template(modelfile, context)) or "messages" not in found[1].variables:
        return
    base = last_from(modelfile)
    if base and any(each in base.value.text.lower() for each in _GUARDS):
        return
    template, parsed = found
    if compared_role(parsed):  # unknown-role
        return
    version, use = context.ollama.version, next((use for use in parsed.fields if use.name == "Messages"), None)
    place = locate_span(use.span, template, modelfile) if use else template.keyword.span
    if re.search(_PRINTED, parsed.text):
        message = "the messages are never sent: `{{ .Messages }}` prints addresses in memory"
        yield Finding(place, message, "write `{{ range .Messages }}{{ .Role }}: {{ .Content }}{{ end }}`")
        return
    if dropped := _dropped(parsed, version):
        yield Finding(place, f"{dropped[0]} never sent: this TEMPLATE leaves them out", dropped[1])
        return
    yield from _dropped_tools(template, parsed, place, context)
    system = modelfile.last(System)
    prompt = render_conversation(parsed.text, "SU", version) if system and system.value.text else None
    if system and prompt and not prompt.sends(0):
        line = modelfile.source.line_of(template.span.start)
        message = f"SYSTEM is never sent: the TEMPLATE in line {line} leaves out messages of the role `system`"
        yield Finding(system.keyword.span, message, 'print `.System`, or `.Content` of the role "system" too')


def _dropped(parsed: ParsedTemplate, version: Version) -> tuple[str, str] | None:
    """Return the messages that are left out, and the hint."""
    prompt = render_conversation(parsed.text, "UAU", version)
    if prompt and not prompt.sends(2):
        return "the user's messages are", 'print `.Content` of the role "user"'
    if prompt and not prompt.sends(1):
        return "the model's earlier answers are", 'print `.Content` of the role "assistant" too'
    if prompt and not prompt.sends(0):
        return "earlier messages are", "print all of `.Messages`, not only the last one"
    return None


def _dropped_tools(template: Template, parsed: ParsedTemplate, place: Span, context: Context) -> Iterator[Finding]:
    """Yield findings on calls of tools, and on their results, that are left out."""
    if "tools" not in parsed.variables:
        return
    prompt, modelfile = render_conversation(parsed.text, "UAT", context.ollama.version), context.modelfile
    if prompt is None:
        return
    if CALLED not in prompt.text and "toolcalls" not in parsed.variables:
        answer = re.search(_ANSWER, parsed.text)
        at = modelfile.locate_span(template.value, *answer.span(1)) if answer else place
        message = "the model's earlier calls of tools are never sent: this TEMPLATE has no `.ToolCalls`"
        yield Finding(at, message, 'print `.ToolCalls` of the role "assistant" as the model writes its calls')
    if not prompt.sends(2):
        branches = [*re.finditer(_BRANCH, parsed.text)]
        at = modelfile.locate_span(template.value, *branches[-1].span(1)) if branches else place
        message = "the results of tools are never sent: this TEMPLATE leaves them out"
        yield Finding(at, message, 'print `.Content` of the role "tool" too')
