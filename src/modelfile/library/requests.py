"""The prompts that Ollama's server makes of a model and a request (server/routes.go, server/prompt.go)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from string import digits
from typing import Any, BinaryIO, Final

from modelfile.catalog.behaviors import (
    HARMONY_HAS_NO_MAX,
    HARMONY_IS_PARSER,
    KEEPS_BUILT_IN_TOOLS,
    PREFERS_CHAT_TEMPLATES,
    REMOVES_THOUGHTS,
    RENAMES_TOOLS,
    THINKS_BY_DEFAULT,
)
from modelfile.catalog.versions import NEWEST, Version
from modelfile.characters import SPACES
from modelfile.errors import InputError, UsageError
from modelfile.filesystem import MAX_TEXT, read_up_to, reading
from modelfile.gotemplate.parser import parse_template
from modelfile.gotemplate.render import render, thinking_variables
from modelfile.gotemplate.schema import decode, messages_type, tools_type
from modelfile.gotemplate.trees import thinking_tags
from modelfile.immutable import record
from modelfile.project.discovery import open_input
from modelfile.recipe.model import Model

_DEBUG: Final = 'send the request to the server with "_debug_render_only": true, and it answers with the prompt'
_IMAGE: Final = "[img]"
_BUILT_IN_TOOLS: Final = frozenset({"browser.open", "browser.search", "browser.find", "python"})
_OPENING, _CLOSING = "<think>", "</think>"


@record(kw_only=True)
class ChatRequest:
    """The parts of a request to /api/chat that go into the prompt."""

    messages: Sequence[Mapping[str, Any]]
    tools: Sequence[Mapping[str, Any]] | None = None
    think: bool | str | None = None


def read_chat(path: Path, stdin: BinaryIO) -> ChatRequest:
    """Read a list of messages, or an object as for /api/chat, whose messages, tools and think are used.

    Args:
        path: The file, or `-` for standard input.
        stdin: Standard input.

    Raises:
        InputError: The file cannot be read, or is neither.
    """
    try:
        with reading(path), open_input(str(path), stdin) as file:
            data = json.loads(read_up_to(MAX_TEXT, file, path))
    except (ValueError, RecursionError) as error:
        raise InputError(f"invalid JSON in `{path}`: {error}") from None
    request = {"messages": data} if isinstance(data, list) else data
    if not isinstance(request, dict) or not isinstance(request.get("messages"), list) or not request["messages"]:
        raise InputError(
            f"invalid messages in `{path}`: a list of messages is needed, or a request for /api/chat",
            hint='write [{"role": "user", "content": "…"}]',
        )
    if not all(isinstance(message, dict) for message in request["messages"]):
        raise InputError(f"invalid messages in `{path}`: each message must be an object with role and content")
    if not isinstance(request.get("think"), bool | str | None):
        raise InputError(
            f"invalid think in `{path}`: a boolean or a level is needed", hint="write true, false, or a level as text"
        )
    return ChatRequest(messages=request["messages"], tools=request.get("tools"), think=request.get("think"))


def prompt_of(
    model: Model, request: str | ChatRequest, version: Version | None = None, *, family: str = "", name: str = ""
) -> str:
    """Return the prompt that Ollama sends to the weights of a model, before it drops messages to fit `num_ctx`.

    As in /api/generate, or in /api/chat for messages: SYSTEM unless the request begins with a system message, then the
    MESSAGEs of the model, then the request; images become `[img-0]`, `[img-1]`; models that can think do so by default
    since 0.12.4, some lose the thoughts in earlier answers of a chat since 0.6.7, and tools of gpt-oss are renamed
    since 0.11.5.

    Args:
        model: The model; its template, system prompt and messages are used.
        request: The prompt, or a chat.
        version: The version of Ollama (default: the newest known).
        family: The architecture of its weights, if known: by it and the name, Ollama changes chats with some models.
        name: Its name without registry, namespace and tag, if known.

    Raises:
        UsageError: The model is rendered by code in Ollama, not by a template.
        TemplateError: Ollama cannot render it.
        InputError: Ollama rejects the messages, or the level of thinking.

    >>> from modelfile.recipe.model import Model
    >>> model = Model(template="{{ .System }}/{{ .Prompt }}", system="Be brief.")
    >>> prompt_of(model, "Why?")
    'Be brief./Why?'
    """
    if model.renderer:
        raise UsageError(
            f"this model has RENDERER {model.renderer}: Ollama renders its prompts in code, not by its template",
            hint=_DEBUG,
        )
    version = version or NEWEST
    template = parse_template(model.template)
    own = [{"role": message.role, "content": message.content} for message in model.messages]
    if isinstance(request, str):
        chat = ChatRequest(
            messages=[{"role": "user", "content": request}], tools=[] if version >= _TOOLS_EMPTY else None
        )
        messages = [*_system(model), *own, *chat.messages]
    else:
        chat = request
        decode(messages_type(version), chat.messages, "messages")  # with the indices of the request
        starts_with_system = _role(chat.messages[0]) == "system"
        messages = [*([] if starts_with_system else _system(model)), *own, *chat.messages]
        if family == "qwen3" or name == "deepseek-r1":
            messages = [*_without_thoughts(messages, version)]
    think = chat.think
    if think is None and version >= THINKS_BY_DEFAULT and all(thinking_tags(template.nodes)):
        think = True
    is_gpt_oss = family in {"gptoss", "gpt-oss"} and "<|start|>" in model.template and "<|end|>" in model.template
    if is_gpt_oss and think == "max" and version >= HARMONY_HAS_NO_MAX:
        think = "high"
    tools = chat.tools
    is_parsed = is_gpt_oss or (model.parser == "harmony" and version >= HARMONY_IS_PARSER)
    if is_parsed and version >= RENAMES_TOOLS and chat is request:
        decode(tools_type(version), tools, "tools")  # with the names of the request
        tools = _harmony_tools(tools, version)
    try:
        thinking_variables(think, version)
    except UsageError as error:
        raise InputError(error.message, hint=error.hint) from None
    return render(template, messages=[*_tag_images(messages)], tools=tools, think=think, ollama=version)


def reject_jinja(template: str, version: Version) -> None:
    """Reject a template that a server shows, if it is the chat template of the weights, by which Ollama renders.

    Raises:
        UsageError: It is.
    """
    if version >= PREFERS_CHAT_TEMPLATES and "{%" in template:
        message = "Ollama renders the prompts of this model by the chat template of its weights, which is Jinja"
        raise UsageError(message, hint=_DEBUG)


_TOOLS_EMPTY: Final = Version(0, 12, 6, 0)
"""The first release whose /api/generate passes an empty list of tools, not none (server/routes.go)."""


def _system(model: Model) -> list[dict[str, Any]]:
    return [{"role": "system", "content": model.system}] if model.system else []


def _harmony_tools(tools: Sequence[Mapping[str, Any]] | None, version: Version) -> Sequence[Mapping[str, Any]] | None:
    """Return tools with the names that Ollama gives them for gpt-oss."""
    if not tools:
        return tools if version >= HARMONY_IS_PARSER else []
    renamed, used, counts = list[Mapping[str, Any]](), set[str](), Counter[str]()
    for tool in tools:
        function = tool.get("function") or {}
        own = function.get("name") or ""
        if own or version < HARMONY_IS_PARSER:
            is_built_in = own in _BUILT_IN_TOOLS and version >= KEEPS_BUILT_IN_TOOLS
            first = name = own if is_built_in else _harmony_name(own)
            while name in used and not is_built_in:
                counts[first] += 1
                name = f"{first}_{counts[first] + 1}"
            used.add(name)
            function = {**function, "name": name}
        renamed.append({**tool, "function": function})
    return renamed


def _harmony_name(name: str) -> str:
    allowed = "".join(
        "_" if character in " -." else character
        for character in name
        if character.isalpha() or character.isdecimal() or character in "_$ -."
    )
    return f"_{allowed}" if allowed[:1] in {*digits} else allowed or "unnamed"


def _without_thoughts(messages: Sequence[Mapping[str, Any]], version: Version) -> Iterable[Mapping[str, Any]]:
    """Yield messages without the thoughts in the answers before the last message of the user."""
    last = max((index for index, message in enumerate(messages) if _role(message) == "user"), default=-1)
    for index, message in enumerate(messages):
        content = message.get("content")
        if index < last and _role(message) == "assistant" and isinstance(content, str):
            yield {**message, "content": _without_thought(content, version)}
        else:
            yield message


def _without_thought(content: str, version: Version) -> str:
    """Return an answer without its thoughts, as `filterThinkTags` of a version does."""
    since, parses = REMOVES_THOUGHTS
    if version < since:
        return content
    if version < parses:
        return "".join(_outside_thoughts(content))
    answer = content.lstrip(SPACES)
    if answer.startswith(_OPENING):
        return answer.partition(_CLOSING)[2].lstrip(SPACES)
    return "" if _OPENING.startswith(answer) else content  # the start of a tag is kept back for what follows


def _outside_thoughts(content: str) -> Iterable[str]:
    r"""Yield the parts of an answer that `<think>(?s).*?</think>(\n)*` does not match, in linear time."""
    at = 0
    while (start := content.find(_OPENING, at)) >= 0 and (end := content.find(_CLOSING, start)) >= 0:
        yield content[at:start]
        at = end + len(_CLOSING)
        while content.startswith("\n", at):
            at += 1
    yield content[at:]


def _role(message: Mapping[str, Any]) -> str:
    return str(message.get("role", "")).lower()


def _tag_images(messages: Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    """Yield messages with a mark for each image: in the place of `[img]`, or else at the start."""
    number = 0
    for message in messages:
        images, content = message.get("images"), message.get("content")
        if not isinstance(images, list) or not isinstance(content, str | None):
            yield message
            continue
        first, *others = (content or "").split(_IMAGE, len(images))
        tags = [f"[img-{number + index}]" for index in range(len(images))]
        number += len(images)
        marked = chain.from_iterable(zip(tags, others, strict=False))
        yield {**message, "content": "".join((*tags[len(others) :], first, *marked))}
