"""Effective models for people and as JSON: every value with its origin."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from shlex import quote
from typing import Any, Final

from modelfile.catalog.catalog import catalog
from modelfile.differ.comparison import show_value
from modelfile.effective import Effective, Origin, OriginKind, PromptKind
from modelfile.filesystem import format_size
from modelfile.names import join_words
from modelfile.report.json_output import plain_number
from modelfile.report.models import print_facts, print_table, short_name
from modelfile.report.terminal import Terminal, visible

_MARGIN: Final = 16
"""Column of the values."""
_COMMON: Final = ("temperature", "top_k", "top_p", "repeat_penalty", "num_ctx", "num_predict")
"""Parameters whose defaults are shown to everybody."""
_LINES: Final = 12
"""Number of lines of a text that are shown."""
_CHARACTERS: Final = 1_200
"""Number of characters of a text that are shown."""
_NARROWEST: Final = 8
"""Smallest number of characters to which a value in a table is shortened."""


def print_effective(  # noqa: PLR0913  # each is a fact of its own
    found: Effective,
    *,
    name: object,
    asked: str,
    fingerprint: str | None,
    digest: str | None,
    terminal: Terminal,
    everything: bool = False,
) -> None:
    """Print a model with the origin of every value: facts, parameters, then texts.

    Args:
        found: The model.
        name: Its name, or the path of the Modelfile.
        asked: What the user named it, for hints.
        fingerprint: Its fingerprint; None if only a build can tell.
        digest: Its digest; None if it is not built.
        terminal: The output.
        everything: Whether to print all defaults, and long texts whole.
    """
    terminal.write([(visible(str(name)), "bold")])
    identity = [("fingerprint", fingerprint or "only a build can tell"), *([("digest", digest)] if digest else [])]
    facts = [*identity, *_facts(found)]
    print_facts(((title, _wrap(text, terminal)) for title, text in facts), _MARGIN, terminal)
    rows, more = _parameters(found, everything=everything)
    see_all = terminal.complete(f"`mf show {quote(asked)} --all`")
    terminal.print()
    print_table(_fitting(rows, terminal.table_width), terminal)
    if more:
        terminal.print(f"and {more} more with their defaults: {see_all}")
    for title, text, origin in _texts(found):
        terminal.print()
        terminal.write([(_noted(title, origin, found), "bold")])
        shown, rest = (text, "") if everything else _shortened(text)
        terminal.write_lines([("  ", ""), (visible(line.rstrip("\r")), "")] for line in shown.split("\n"))
        if rest:
            terminal.print(f"  … {rest}: {see_all}")


def _wrap(text: str, terminal: Terminal) -> list[str]:
    """Return the lines of a text in the width of the terminal, of which words longer than that are not broken."""
    width, parts = terminal.table_width, [*map(visible, text.split("\n"))]
    if width is None:
        return parts
    wrapper = textwrap.TextWrapper(
        max(width - _MARGIN, 20), break_long_words=False, break_on_hyphens=False, subsequent_indent="  "
    )
    return [line for part in parts for line in wrapper.wrap(part) or [""]]


def _from(origin: Origin, found: Effective) -> str:
    """Return an origin in words."""
    match origin.kind:
        case OriginKind.MODELFILE:
            return f"{origin.name}:{origin.line}"
        case OriginKind.MODEL:
            return "this model" if origin.name == found.levels[0].name else short_name(origin.name)
        case OriginKind.WEIGHTS:
            return "the weights"
        case OriginKind.DEFAULT:
            return "Ollama's default"


def _noted(text: str, origin: Origin, found: Effective) -> str:
    """Return a text with its origin; without it if there is only one level, so that nothing else is possible."""
    is_plain = len(found.levels) == 1 and not found.end and origin.kind is OriginKind.MODEL
    return text if is_plain else f"{text} ({_from(origin, found)})"


def _facts(found: Effective) -> Iterator[tuple[str, str]]:
    yield "ollama", f"{found.ollama}, whose defaults and behavior count here"
    if bases := _bases(found):
        yield "base", bases
    yield from _files(found)
    yield "context", _context(found)
    yield (
        "capabilities",
        ", ".join(f"{each.name} ({each.reason})" if each.reason else each.name for each in found.capabilities)
        or "only a build can tell",
    )
    yield "prompts", _prompts(found)
    for title in ("parser", "requires"):
        if text := getattr(found.model, title):
            yield title, _noted(text, found.origins[title], found)
    if found.licenses:
        names = (_noted(name, origin, found) for name, origin in found.licenses.items())
        yield "license", ", ".join(names)
    if kept := "\n".join(_inherited(found)):
        yield "inherited", kept


def _bases(found: Effective) -> str:
    levels = found.levels[1:]
    names = [
        f"{short_name(level.name)} ({level.modelfile.path})" if level.modelfile else short_name(level.name)
        for level in levels
    ]
    return ", built on ".join([*names, *([short_name(found.end)] if found.end else [])])


def _files(found: Effective) -> Iterator[tuple[str, str]]:
    weights, model = found.weights, found.model
    size = f"{weights.size} parameters" if weights.size else ""
    facts = [text for text in (weights.family, size, weights.quantization) if text not in ("", "unknown")]
    lines = [", ".join(facts)] if facts else []
    for title, digests in (("weights", model.weights), ("adapter", model.adapters), ("draft", model.drafts)):
        lines += [_noted(digest, found.files[digest], found) for digest in digests]
        if title in found.undecided:
            lines.append("their digest is known after a build" if title == "weights" else "known after a build")
        if lines:
            yield title, "\n".join(lines)
        lines = []


def _context(found: Effective) -> str:
    """Return the number of tokens that are asked for, and that the weights were trained for."""
    trained, asked = found.weights.context_length, found.defaults.get("num_ctx")
    if "num_ctx" in found.parameters:
        asked, origin = found.parameters["num_ctx"]
        text = f"{_number(asked)} tokens (num_ctx, {_from(origin, found)})"
    elif asked is None:
        text = f"{_decided('num_ctx', found)} (num_ctx is not set)"
    else:
        text = f"{_number(asked)} tokens (default of Ollama {found.ollama})"
    if not trained:
        return text
    if isinstance(asked, int | float) and asked > trained:
        return f"{text}, more than the {trained:,} that the weights were trained for"
    return f"{text}; the weights were trained for {trained:,}"


def _decided(name: str, found: Effective) -> str:
    """Return how the server decides on a parameter that is not set."""
    spec = catalog(found.ollama).parameters.get(name)
    return (spec.decided if spec else "").rstrip(".") or "the server decides"


def _number(value: Any) -> str:
    return f"{value:,}".removesuffix(".0") if isinstance(value, int | float) else str(show_value(value))


def _prompts(found: Effective) -> str:
    prompt = found.prompt
    match prompt.kind:
        case PromptKind.RENDERER:
            return f"{_noted(f'RENDERER {prompt.name}', found.origins['renderer'], found)}: {prompt.reason}"
        case PromptKind.CHAT_TEMPLATE:
            return f"the chat template inside the weights: {prompt.reason}"
        case PromptKind.TEMPLATE if prompt.name:
            return f"the template {prompt.name}: {prompt.reason}"
        case PromptKind.TEMPLATE:
            return _noted("the template below", found.origins["template"], found)
        case PromptKind.NONE:
            return f"sent as they are: {prompt.reason}"
        case PromptKind.UNKNOWN:
            return prompt.reason


def _inherited(found: Effective) -> Iterator[str]:
    if found.replaceable:
        yield f"{join_words(found.replaceable)}: can be replaced, not cleared"
    if found.added:
        yield f"{join_words(found.added)}: can only be added to"


def _parameters(found: Effective, *, everything: bool) -> tuple[list[tuple[str, ...]], int]:
    """Return the table of parameters, and the number of defaults that it lacks."""
    rows = [
        (visible(name), visible(show_value(value) or ""), _from(origin, found))
        for name, (value, origin) in found.parameters.items()
    ]
    names = [name for name in found.defaults if everything or name in _COMMON]
    default = Origin(kind=OriginKind.DEFAULT, name=str(found.ollama))
    for name in names:
        value = found.defaults[name]
        shown = "the server decides" if value is None else show_value(value) or "none"
        rows.append((name, shown, _from(default, found)))
    if "parameter stop" in found.undecided:
        rows.append(("stop", "only a build can tell", "the weights"))
    return [("PARAMETER", "VALUE", "FROM"), *rows], len(found.defaults) - len(names)


def _fitting(rows: list[tuple[str, ...]], width: int | None) -> Iterator[list[tuple[str, ...]]]:
    """Yield a table as it is, then with its values shortened to a width."""
    yield rows
    longest, others = (max(len(row[at]) for row in rows) for at in (1, 2))
    names = max(len(row[0]) for row in rows)
    room = max((width or 0) - names - others - 4, _NARROWEST)
    if longest > room:
        yield [(name, value if len(value) <= room else f"{value[: room - 1]}…", *rest) for name, value, *rest in rows]


def _texts(found: Effective) -> Iterator[tuple[str, str, Origin]]:
    model = found.model
    messages = "\n".join(f"{turn.role}: {turn.content.replace(chr(10), chr(10) + '  ')}" for turn in model.messages)
    for title, text in (("template", model.template), ("system", model.system), ("messages", messages)):
        if origin := found.origins.get(title):
            yield title, text, origin


def _shortened(text: str) -> tuple[str, str]:
    """Return the start of a text, and how much is left out, in words."""
    shown = "\n".join(text[:_CHARACTERS].split("\n")[:_LINES])
    if len(shown) == len(text):
        return text, ""
    lines = text.count("\n", len(shown) + 1) + 1
    rest = f"{lines:,} more lines" if text[len(shown)] == "\n" and lines > 1 else format_size(len(text) - len(shown))
    return shown, rest if "more" in rest else f"{rest} more"


def effective_as_json(found: Effective) -> dict[str, Any]:
    """Return what `mf show --json` says of a model beside its contents."""
    weights = found.weights
    return {
        "ollama": str(found.ollama),
        "bases": [level.name for level in found.levels[1:]],
        "unknown_base": found.end or None,
        "facts": {
            "architecture": weights.family or None,
            "parameters": weights.size or None,
            "quantization": weights.quantization or None,
            "context_length": weights.context_length or None,
        },
        "origins": {
            **_origins(found.origins),
            "licenses": _origins(found.licenses),
            "files": _origins(found.files),
            "parameters": _origins({name: origin for name, (_, origin) in found.parameters.items()}),
        },
        "defaults": {name: plain_number(value) for name, value in found.defaults.items()},
        "prompt": {"kind": str(found.prompt.kind), "name": found.prompt.name, "reason": found.prompt.reason},
        "capabilities": [{"name": each.name, "reason": each.reason} for each in found.capabilities],
        "inherited": {"replaceable": [*found.replaceable], "added": [*found.added]},
        "undecided": [*found.undecided],
    }


def _origins(origins: Mapping[str, Origin]) -> dict[str, Any]:
    return {name: origin.as_json() for name, origin in origins.items()}
