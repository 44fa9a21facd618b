"""Prompts as Ollama renders them from a template (template/template.go, server/prompt.go)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from modelfile.catalog.templates import FUNCTIONS
from modelfile.catalog.versions import NEWEST, Version
from modelfile.errors import TemplateError, UsageError
from modelfile.gotemplate.evaluation import Budget, Program
from modelfile.gotemplate.execution import ExecutionError, execute
from modelfile.gotemplate.functions import ollama_functions
from modelfile.gotemplate.govalues import BOOL, OBJECT, GoError, GoValue, Reference, Window, string, to_bytes, to_text
from modelfile.gotemplate.literals import to_lower
from modelfile.gotemplate.nodes import Identifier, Node
from modelfile.gotemplate.parser import ParsedTemplate, parse_template
from modelfile.gotemplate.schema import OLDEST, TEMPLATE_TYPES, decode, messages_type, tools_type
from modelfile.gotemplate.trees import append_response, cut_after_response, find_templates
from modelfile.source import Source, Span

if TYPE_CHECKING:
    from datetime import date

_LEVELS: Final[Mapping[str, Version]] = {
    **dict.fromkeys(("low", "medium", "high"), Version(0, 11, 0, 0)),
    "max": Version(0, 21, 3, 0),
}
"""The levels of thinking, each with its first release (api/types.go)."""
_DEFAULT_LEVEL: Final = "medium"
_THINKING: Final = Version(0, 9, 0, 0)
_THINK_LEVELS: Final = Version(0, 11, 0, 0)
_SEPARATE_TOOL_MESSAGES: Final = Version(0, 9, 6, 0)
_ROLE, _CONTENT, _TOOL_CALLS = 0, 1, 4
"""The offsets of these fields in a message."""


def render(  # noqa: PLR0913  # the fields of a request
    template: str | ParsedTemplate,
    *,
    messages: Sequence[Mapping[str, Any]] | None = None,
    tools: Sequence[Mapping[str, Any]] | None = None,
    prompt: str | None = None,
    suffix: str | None = None,
    system: str | None = None,
    think: bool | str | None = None,
    ollama: Version | str | None = None,
    today: date | None = None,
) -> str:
    """Return the prompt that Ollama renders from a template; nothing is approximated.

    Go's text/template and Ollama's use of it are executed as in `ollama` (default: the newest version known here),
    in one of Ollama's three modes: with `suffix`; with messages if the template names `.Messages`; else turn by turn.
    Images get no `[img-0]`, and earlier answers keep their thoughts: that is what Ollama's server changes in some chats
    before it renders, and so does `mf show --messages`.

    Args:
        template: The text of a TEMPLATE, or what `parse_template` made of it.
        messages: The conversation, as in /api/chat.
        tools: The tools, as in /api/chat.
        prompt: The prompt, as in /api/generate; the only message if there is no suffix.
        suffix: The text after the insertion, as in /api/generate.
        system: The system prompt; unused if the first message is a system message, or with a suffix.
        think: True, False or a level (low, medium, high, max), as in both; None if the request does not set it.
        ollama: The version of Ollama, 0.6.6 or later.
        today: The date of the server, for `currentDate` (default: today).

    Raises:
        TemplateError: Ollama rejects the template, its execution fails or takes more than `MOST_STEPS` or `MOST_BYTES`,
            or it prints an address of memory.
        InputError: Ollama rejects the messages or the tools.
        UsageError: The arguments contradict each other.

    >>> import modelfile
    >>> template = "{{ if .System }}<s>{{ .System }}</s>{{ end }}<u>{{ .Prompt }}</u>{{ .Response }}"
    >>> modelfile.render(template, prompt="Why?", system="Be brief.")
    '<s>Be brief.</s><u>Why?</u>'
    >>> messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}]
    >>> modelfile.render("{{ range .Messages }}{{ .Role }}: {{ .Content }};{{ end }}", messages=messages)
    'user: Hi;assistant: Hello!;'
    >>> modelfile.render("{{ .Prompt.Text }}", prompt="Why?")
    Traceback (most recent call last):
    modelfile.errors.TemplateError: line 1, column 4 of the template: can't evaluate field Text in type interface {}
    """
    version = _resolve_version(ollama)
    if messages is not None and (prompt is not None or suffix is not None):
        raise UsageError("messages cannot be used with a prompt or a suffix")
    if messages is None and prompt is None and suffix is None:
        raise UsageError("messages or a prompt is needed")
    parsed = parse_template(template) if isinstance(template, str) else template
    _check(parsed, version)
    rendering = _Rendering(parsed, version, thinking_variables(think, version), Budget(), today)
    if prompt and suffix:
        values = {"Prompt": string(prompt), "Suffix": string(suffix), "Response": string("")}
        return to_text(rendering.run(values))
    if messages is None and not suffix:
        messages = [{"role": "user", "content": prompt or ""}]
    return to_text(
        rendering.chat(_decode_messages(messages, system, version), decode(tools_type(version), tools, "tools"))
    )


def render_within(
    budget: Budget,
    parsed: ParsedTemplate,
    messages: Sequence[Mapping[str, Any]],
    tools: Sequence[Mapping[str, Any]] | None,
    ollama: Version,
) -> str:
    """Return the prompt of a conversation as `render` does, but within another budget, whose remainder tells the cost.

    Raises:
        TemplateError: As in `render`; `exceeded` of the budget is True if that is the reason.
        InputError: As in `render`.
        UsageError: The version is too old.
    """
    version = _resolve_version(ollama)
    _check(parsed, version)
    rendering = _Rendering(parsed, version, thinking_variables(None, version), budget)
    return to_text(
        rendering.chat(_decode_messages(messages, None, version), decode(tools_type(version), tools, "tools"))
    )


def _resolve_version(ollama: Version | str | None) -> Version:
    if isinstance(ollama, str):
        try:
            ollama = Version.parse(ollama)
        except ValueError as error:
            raise UsageError(str(error)) from None
    version = NEWEST if ollama is None else ollama
    if version < OLDEST:
        raise UsageError(
            f"cannot render as Ollama {version} does: its templates are known since 0.6.6", hint="use a later version"
        )
    return version


def thinking_variables(
    think: bool | str | None,  # noqa: FBT001  # as in a request
    version: Version,
) -> dict[str, GoValue]:
    """Return the variables about thinking, by name.

    Raises:
        UsageError: Ollama does not know the level.
    """
    if version < _THINKING:
        return {}
    if isinstance(think, str):
        if think not in _LEVELS:
            raise UsageError(f"unknown level of thinking `{think}`", hint=f"use one of {', '.join(_LEVELS)}")
        if version < _LEVELS[think]:
            raise UsageError(f"Ollama {version} does not know the level of thinking `{think}`")
    values = {"Think": GoValue(BOOL, bool(think)), "IsThinkSet": GoValue(BOOL, think is not None)}
    if version >= _THINK_LEVELS:
        level = think if isinstance(think, str) else _DEFAULT_LEVEL if think else ""
        values["ThinkLevel"] = string(level)
    return values


def _check(parsed: ParsedTemplate, version: Version) -> None:
    """Reject a template that the parser of a version rejects."""
    for diagnostic in parsed.diagnostics:
        raise _error(parsed.text, diagnostic.message, diagnostic.span, diagnostic.hint)
    for node in parsed.of_type(Identifier):
        if FUNCTIONS.get(node.name, version) > version:
            raise _error(parsed.text, f"function `{node.name}` is known since Ollama {FUNCTIONS[node.name]}", node.span)


def _error(text: str, reason: str, span: Span, hint: str | None = None) -> TemplateError:
    position = Source(text=text).position(span.start)
    where = f"line {position.line}, column {position.column} of the template"
    return TemplateError(reason, where=where, span=span, hint=hint)


def _decode_messages(
    messages: Sequence[Mapping[str, Any]] | None, system: str | None, version: Version
) -> list[list[Any]]:
    """Return the messages with the system prompt in front, unless the first of them is one."""
    of = messages_type(version)
    decoded: list[list[Any]] = []
    for reference in decode(of, messages, "messages") or ():
        message: list[Any] = decode(of.item.item, {}, "messages") if reference is None else reference.data
        message[_ROLE] = to_bytes(to_lower(to_text(message[_ROLE])))
        if version >= TEMPLATE_TYPES:  # it copies the calls one by one, so that an empty list becomes nil
            message[_TOOL_CALLS] = message[_TOOL_CALLS] or None
        decoded.append(message)
    if system and messages is not None and not (decoded and decoded[0][_ROLE] == b"system"):
        decoded.insert(0, decode(of.item.item, {"role": "system", "content": system}, "system"))
    return decoded


class _Rendering:
    """A template with what all its executions share."""

    def __init__(
        self,
        parsed: ParsedTemplate,
        version: Version,
        thinking: dict[str, GoValue],
        budget: Budget,
        today: date | None = None,
    ) -> None:
        self._parsed = parsed
        self._version = version
        self._thinking = thinking
        self._budget = budget
        templates = find_templates(parsed.nodes)
        self._nodes: Sequence[Node] = templates[""]
        if parsed.appends_response:
            self._nodes = append_response(self._nodes, len(parsed.text))
        self._program = Program(
            text=parsed.text,
            nodes=self._nodes,
            templates={**templates, "": self._nodes},
            functions=ollama_functions(version, today),
        )

    def run(self, values: Mapping[str, GoValue], program: Program | None = None) -> bytes:
        """Execute the template once."""
        data = {name.encode(): value for name, value in (self._thinking | dict(values)).items()}
        try:
            return execute(program or self._program, GoValue(OBJECT, data), self._budget)
        except ExecutionError as failure:
            raise _error(self._parsed.text, failure.reason, failure.span) from None

    def chat(self, messages: list[list[Any]], tools: Window | None) -> bytes:
        """Execute the template for a conversation."""
        system, turns = self._collate(messages)
        if "messages" not in self._parsed.variables:
            return self._turn_by_turn(turns)
        of = messages_type(self._version)
        return self.run(
            {
                "System": string(system),
                "Messages": GoValue(of, Window.of([Reference(turn) for turn in turns]) if turns else None),
                "Tools": GoValue(tools_type(self._version), tools),
                "Response": string(""),
            }
        )

    def _collate(self, messages: list[list[Any]]) -> tuple[bytes, list[list[Any]]]:
        """Return all system messages, and the messages with neighbors of one role joined."""
        system = b"\n\n".join(message[_CONTENT] for message in messages if message[_ROLE] == b"system")
        turns: list[list[Any]] = []
        joined: list[list[bytes]] = []
        for message in messages:
            role = message[_ROLE]
            if turns and turns[-1][_ROLE] == role and (role != b"tool" or self._version < _SEPARATE_TOOL_MESSAGES):
                joined[-1].append(message[_CONTENT])
            else:
                turns.append(message)
                joined.append([message[_CONTENT]])
        for turn, contents in zip(turns, joined, strict=True):
            turn[_CONTENT] = b"\n\n".join(contents)
        return system, turns

    def _turn_by_turn(self, turns: list[list[Any]]) -> bytes:
        """Execute the template for each turn, and a last time up to the first `.Response`, as for old templates."""
        out = []
        system = prompt = response = b""
        for role, content, *_ in turns:
            if (role == b"user" and response) or (role == b"system" and (prompt or response)):
                out.append(self._turn(system, prompt, response))
                system = prompt = response = b""
            match role:
                case b"system":
                    system = content
                case b"user":
                    prompt = content
                case b"assistant":
                    response = content
                case _:
                    pass
        try:
            nodes = cut_after_response(self._nodes, self._parsed.text)
        except GoError as error:
            raise _error(self._parsed.text, str(error), Span(0, 0)) from None
        last = Program(text=self._parsed.text, nodes=nodes, templates={"": nodes}, functions={}, missing_is_zero=False)
        out.append(self._turn(system, prompt, response, last))
        return b"".join(out)

    def _turn(self, system: bytes, prompt: bytes, response: bytes, program: Program | None = None) -> bytes:
        return self.run({"System": string(system), "Prompt": string(prompt), "Response": string(response)}, program)
