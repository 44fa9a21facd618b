"""Canonical text of Modelfiles, with a proof that it means the same to Ollama."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final, assert_never

from modelfile.errors import InputError
from modelfile.source import Span
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Comment, Incomplete, Instruction, Message, Node, Parameter, Unknown, Value
from modelfile.syntax.quoting import choose_quoting


def format_modelfile(modelfile: Modelfile) -> str:
    r"""Return the canonical text of a Modelfile.

    >>> import modelfile
    >>> modelfile.format(modelfile.parse("from  llama3.2:3b\nparameter temperature 0.2"))
    'FROM llama3.2:3b\nPARAMETER temperature 0.2\n'

    Args:
        modelfile: The Modelfile.

    Raises:
        InputError: Ollama would reject the Modelfile, it is not UTF-8, or the proof failed, which is a bug in `mf`.
    """
    if modelfile.diagnostics:
        first = modelfile.diagnostics[0]
        line = modelfile.source.line_of(first.span.start)
        raise InputError(
            f"cannot format `{modelfile.source.path}`: Ollama would reject it (line {line}: {first.message})",
            hint=f"run `mf lint {modelfile.source.path}` for all errors",
        )
    if modelfile.source.malformed:
        hint = "save it as UTF-8; Ollama reads invalid bytes as U+FFFD"
        raise InputError(f"cannot format `{modelfile.source.path}`: it is not UTF-8", hint=hint)
    text = print_modelfile(modelfile)
    if text != modelfile.text:
        _prove(modelfile, text)
    return text


def _prove(before: Modelfile, text: str) -> None:
    after = Modelfile.parse(replace(before.source, text=text))
    if after.rejection or after.commands != before.commands:
        raise _bug(before, "it would mean something else to Ollama")
    if _comments(after) != _comments(before):
        raise _bug(before, "a comment would be lost")
    if print_modelfile(after) != text:
        raise _bug(before, "formatting it again would change it again")


def _comments(modelfile: Modelfile) -> list[str]:
    return [node.text for node in modelfile.nodes if isinstance(node, Comment)]


def _bug(modelfile: Modelfile, problem: str) -> InputError:
    return InputError(
        f"cannot format `{modelfile.source.path}`: {problem}",
        hint="this is a bug in mf; please report it, with the file",
    )


_LINE_ENDINGS: Final = re.compile(r"\r\n|\r|\n")
_OFF: Final = "fmt: off"
_ON: Final = "fmt: on"


def print_modelfile(modelfile: Modelfile) -> str:
    """Return the canonical text without proof: comments and instructions in order, at most one empty line between them.

    Lines end in LF, the last one too. Text between the comments `# fmt: off` and `# fmt: on` is not changed.
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
            yield "\n" * min(len(_LINE_ENDINGS.findall(between)), 2) + _print_node(node, text)
        if isinstance(node, Comment) and node.text in (_OFF, _ON):
            verbatim = node.text == _OFF
        end = node.span.end
    if verbatim:
        yield text[end:]


def _print_node(node: Node, text: str) -> str:
    match node:
        case Comment() | Unknown() | Incomplete():
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
    """Return the content as written, in the simplest quoting that is possible."""
    content = _slice(text, value.content)
    quoting = choose_quoting(content)
    if quoting is None:
        return _slice(text, value.span)
    return f"{quoting}{content}{quoting}"


def _slice(text: str, span: Span) -> str:
    return text[span.start : span.end]
