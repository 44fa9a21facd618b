"""Format a Modelfile, and prove that the new text means the same before anybody gets it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final, assert_never

from modelfile.errors import InputError
from modelfile.source import Span
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Comment, Headless, Instruction, Message, Node, Parameter, Unknown, Value
from modelfile.syntax.quoting import plainest


def format_modelfile(modelfile: Modelfile) -> str:
    """The canonical text of a Modelfile.

    Raises:
        InputError: Ollama would refuse the Modelfile; or the new text would not be the same to it, which is our bug.
    """
    if modelfile.diagnostics:
        first = modelfile.diagnostics[0]
        line = modelfile.source.line_of(first.span.start)
        raise InputError(
            f"`{modelfile.source.path}` is left as it is: Ollama would refuse it (line {line}: {first.message})",
            hint=f"`mf lint {modelfile.source.path}` shows every fault",
        )
    if modelfile.source.malformed:
        hint = f"save `{modelfile.source.path}` as UTF-8; what is not UTF-8 is U+FFFD to Ollama"
        raise InputError(f"`{modelfile.source.path}` is left as it is: it is not UTF-8", hint=hint)
    text = print_modelfile(modelfile)
    if text != modelfile.text:
        _prove(modelfile, text)
    return text


def _prove(before: Modelfile, text: str) -> None:
    after = Modelfile.parse(replace(before.source, text=text))
    if after.refusal or after.commands != before.commands:
        raise _our_bug(before, "it would mean something else to Ollama")
    if _comments(after) != _comments(before):
        raise _our_bug(before, "a comment would be lost")
    if print_modelfile(after) != text:
        raise _our_bug(before, "formatting it again would change it again")


def _comments(modelfile: Modelfile) -> list[str]:
    return [node.text for node in modelfile.nodes if isinstance(node, Comment)]


def _our_bug(modelfile: Modelfile, what: str) -> InputError:
    return InputError(
        f"`{modelfile.source.path}` is left as it is: {what}",
        hint="this is a bug of mf's, not yours; please report it with the file",
    )


_LINE_ENDS: Final = re.compile(r"\r\n|\r|\n")
_OFF: Final = "fmt: off"
_ON: Final = "fmt: on"


def print_modelfile(modelfile: Modelfile) -> str:
    """The canonical text: comments and instructions in their order, at most one empty line between, LF, one at the end.

    What stands between the comments `# fmt: off` and `# fmt: on` is printed as it was written.
    """
    printed = "".join(_pieces(modelfile))
    return printed.strip("\n") + "\n" if printed.strip("\n") else ""


def _pieces(modelfile: Modelfile) -> Iterator[str]:
    text = modelfile.text
    end = 0
    verbatim = False
    for node in modelfile.nodes:
        between = text[end : node.span.start]
        if verbatim:
            yield between + text[node.span.start : node.span.end]
        else:
            yield "\n" * min(len(_LINE_ENDS.findall(between)), 2) + _print_node(node, text)
        if isinstance(node, Comment) and node.text in (_OFF, _ON):
            verbatim = node.text == _OFF
        end = node.span.end
    if verbatim:
        yield text[end:]


def _print_node(node: Node, text: str) -> str:
    match node:
        case Comment() | Unknown() | Headless():
            return text[node.span.start : node.span.end]
        case Parameter():
            words = ["PARAMETER", node.name.text]
        case Message():
            words = ["MESSAGE", node.role.text]
        case Instruction():
            words = [type(node).__name__.upper()]
        case _:
            assert_never(node)
    return " ".join([*words, _print_value(node.value, text)])


def _print_value(value: Value, text: str) -> str:
    """The content as it was written, in the plainest quoting that can hold it."""
    content = _slice(text, value.content)
    quoting = plainest(content)
    if quoting is None:
        return _slice(text, value.span)
    return f"{quoting}{content}{quoting}"


def _slice(text: str, span: Span) -> str:
    return text[span.start : span.end]
