"""Rule MF419."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.prompts import render_conversation
from modelfile.linter.rule import Context, base_family, rule
from modelfile.linter.rules.template import effective_template, judged_turns, locate_span
from modelfile.source import Span
from modelfile.syntax.modelfile import Modelfile

if TYPE_CHECKING:
    from modelfile.catalog.families import TurnFormat
    from modelfile.gotemplate.parser import ParsedTemplate

_OTHER_NAMES: Final = {
    "human": "user",
    "prompter": "user",
    "ai": "assistant",
    "bot": "assistant",
    "chatbot": "assistant",
    "gpt": "assistant",
    "model": "assistant",
    "function": "tool",
    "observation": "tool",
    "tool_response": "tool",
}
"""Names of roles in other programs, and those that Ollama gives instead."""
_ROLES: Final = ("system", "user", "assistant", "tool")
_HEADERS: Final = {
    "chatml": "\n",
    "gemma": "\n",
    "gemma4": "\n",
    "llama3": "<|end_header_id|>",
    "llama4": "<|header_end|>",
}
"""Formats that write the role as a word, with the text after it."""
_CLOSED: Final = frozenset({"gemma", "gemma4", "llama3", "llama4"})
"""Formats whose weights, and those tuned from them, hardly ever know other roles."""


@rule("MF419", "unknown-role", on=Modelfile, severity=Severity.WARNING)
def unknown_role(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r'''The TEMPLATE has a role that Ollama or the model does not know.

    In `.Messages`, roles are `system`, `user`, `assistant` and `tool`. A comparison with another name, such as "human"
    or "model", is never true, so what depends on it is never sent.

    The model knows roles too, by the names in its training, and these may differ: Gemma calls the assistant `model`, so
    `{{ .Role }}` writes a name that it never saw.

    ## Bad

    ```
    # Answers questions on billing.
    FROM gemma2:9b
    TEMPLATE """{{ range .Messages }}<start_of_turn>{{ .Role }}
    {{ .Content }}<end_of_turn>
    {{ end }}<start_of_turn>model
    """
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM gemma2:9b
    TEMPLATE """{{ range .Messages }}<start_of_turn>{{ if eq .Role "assistant" }}model{{ else }}user{{ end }}
    {{ .Content }}<end_of_turn>
    {{ end }}<start_of_turn>model
    """
    ```
    '''
    if not (found := effective_template(modelfile, context)):
        return
    template, parsed = found
    if compared := compared_role(parsed):
        name, span = compared
        right = _OTHER_NAMES.get(name) or context.speller.closest(name, _ROLES)
        message = f"unknown role `{name}`: no message has it, so this is never true"
        yield Finding(locate_span(span, template, modelfile), message, f'write "{right}"')
    elif judged := judged_turns(modelfile, context):
        turns, family = judged[2], base_family(modelfile, context)
        wrong = _written(parsed, turns, context, is_known=family is not None) if turns.name in _HEADERS else ()
        places = {_place(parsed, turns, role): (role, right) for role, right in reversed([*wrong])}
        for place, (role, right) in reversed(places.items()):
            message = f"unknown role `{role}`: {turns.title} calls it `{right}`"
            if right == "":
                message = f"unknown role `{role}`: {turns.title} has only `{'`, `'.join(turns.roles)}`"
            hint = f"write `{turns.opens[0]}{right or 'user'}`"
            yield Finding(locate_span(place, template, modelfile) if place else template.keyword.span, message, hint)


def compared_role(parsed: ParsedTemplate) -> tuple[str, Span] | None:
    """Return the first name that a role is compared with and that Ollama never gives."""
    if "Role" not in parsed.text:
        return None
    from modelfile.gotemplate.fields import walk
    from modelfile.gotemplate.nodes import Command, Field, Identifier, If, Pipeline, String, Variable

    def commands(pipeline: Pipeline) -> Iterator[Command]:
        for each in walk([pipeline]):
            if isinstance(each, Pipeline):
                yield from each.commands

    for node in parsed.of_type(If):
        names: list[String] = []
        for command in commands(node.pipeline):
            function, *arguments = command.operands
            reads_role = any(
                (isinstance(each, Field) and each.names[-1:] == ("Role",))
                or (isinstance(each, Variable) and each.fields[-1:] == ("Role",))
                for each in arguments
            )
            if isinstance(function, Identifier) and function.name == "eq" and reads_role:
                names += [each for each in arguments if isinstance(each, String)]
        if names and not any(each.value in _ROLES for each in names):  # another name next to a right one does no harm
            wrong = next((each for each in names if each.value in _OTHER_NAMES or _misspells(each.value)), None)
            if wrong:
                return wrong.value, wrong.span
    return None


def _misspells(name: str) -> bool:
    from difflib import SequenceMatcher

    return len(name) > 2 and any(SequenceMatcher(None, name.lower(), role).ratio() > 0.75 for role in _ROLES)  # noqa: PLR2004  # like enough, measured on real names


def _written(
    parsed: ParsedTemplate, turns: TurnFormat, context: Context, *, is_known: bool
) -> Iterator[tuple[str, str]]:
    """Yield roles in headers that the model does not know, and their right names; "" if it has none."""
    answer = next((role for role in turns.roles if role in ("assistant", "model")), "assistant")
    for roles, rights in (("UAU", ("user", answer, "user", answer)), ("SU", ("system", "user", answer))):
        prompt = render_conversation(parsed.text, roles, context.ollama.version)
        gaps = prompt.gaps if prompt else None
        for gap, right in zip(gaps or (), rights, strict=False):
            role = _role(gap, turns, is_last=gaps is not None and gap is gaps[-1])
            if role is None or role == right:
                continue
            if role in _ROLES or role in turns.roles:
                is_wrong = {role, right} <= {"user", answer} or role not in turns.roles
            else:
                is_wrong = is_known or turns.name in _CLOSED or _misspells(role)
            if is_wrong:
                yield role, right if right in turns.roles else ""
            elif right == "system" and turns.name in _CLOSED and role not in turns.roles:
                yield role, ""
        system = _role(gaps[0], turns, is_last=False) if gaps and roles == "SU" else None
        if system and system not in turns.roles and turns.name in _CLOSED:
            yield system, ""


def _role(gap: str, turns: TurnFormat, *, is_last: bool) -> str | None:
    """Return the role in the last header of a text; None if there is none, or it is not a word."""
    _, found, head = gap.rpartition(turns.opens[0])
    role = head.partition(_HEADERS[turns.name])[0]
    return role.strip() if found and re.fullmatch(r"\s*[A-Za-z_]+\s*", role) else None


def _place(parsed: ParsedTemplate, turns: TurnFormat, role: str) -> Span | None:
    start = parsed.text.find(f"{turns.opens[0]}{role}")
    if start >= 0:
        return Span(start + len(turns.opens[0]), start + len(turns.opens[0]) + len(role))
    return next((use.span for use in parsed.fields if use.printed and use.name == "Role"), None)
