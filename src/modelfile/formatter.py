"""Canonical text of Modelfiles, with a proof that it means the same to Ollama."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import takewhile
from typing import Final, assert_never

from modelfile.errors import InputError
from modelfile.immutable import replace
from modelfile.source import Span
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Comment, Incomplete, Instruction, Message, Node, Parameter, Unknown, Value
from modelfile.syntax.quoting import choose_quoting


def format_modelfile(modelfile: Modelfile, *, unsafe_newlines: bool = False) -> str:
    r"""Return the canonical text of a Modelfile.

    >>> import modelfile
    >>> modelfile.format(modelfile.parse("from  llama3.2:3b\nparameter temperature 0.2"))
    'FROM llama3.2:3b\nPARAMETER temperature 0.2\n'

    Args:
        modelfile: The Modelfile.
        unsafe_newlines: Whether to write LF for carriage returns inside values, too, which changes the model.

    Raises:
        InputError: Ollama would reject the Modelfile, it is not UTF-8, a value has carriage returns and
            `unsafe_newlines` is not given, or the proof failed, which is a bug in `mf`.
    """
    source = modelfile.source
    if first := modelfile.first_error:
        raise InputError(
            f"cannot format `{source.path}`: Ollama would reject it "
            f"(line {source.line_of(first.span.start)}: {first.message})",
            hint=f"run `mf lint {source.path}` for all errors",
        )
    if source.malformed:
        hint = "save it as UTF-8; Ollama reads invalid bytes as U+FFFD"
        raise InputError(f"cannot format `{source.path}`: it is not UTF-8", hint=hint)
    before = modelfile
    values = (node.value.content for node in modelfile.of_type(Instruction))
    found = (source.text.find("\r", content.start, content.end) for content in values)
    if (offset := next((offset for offset in found if offset >= 0), None)) is not None:
        if not unsafe_newlines:
            raise InputError(
                f"cannot format `{source.path}`: line {source.line_of(offset)} has a carriage return "
                "(CRLF line ending) that is part of a value",
                hint="pass --unsafe-newlines to write LF line endings in values too, which changes the model",
            )
        before = Modelfile.parse(replace(source, text=normalize_newlines(source.text)))
        if before.rejection or _newlines_merged(before) != _newlines_merged(modelfile):
            raise _bug(modelfile, "it would mean something else to Ollama")
    text = print_modelfile(before)
    if text != modelfile.text:
        _prove(before, text)
    return text


def find_change(text: str, formatted: str) -> Span:
    """Return the span of the first line of a text that its canonical text changes."""
    lines = zip(text.splitlines(keepends=True), formatted.splitlines(keepends=True), strict=False)
    start = sum(len(old) for old, _ in takewhile(lambda pair: pair[0] == pair[1], lines))
    return Span(start, start + len(text[start:].partition("\n")[0].rstrip("\r")))


def normalize_newlines(text: str) -> str:
    """Return a text with LF for every line ending."""
    return _LINE_ENDINGS.sub("\n", text)


def _newlines_merged(modelfile: Modelfile) -> list[tuple[str, str]]:
    """Return the commands with one LF for line endings that have nothing else between them, as Ollama drops some."""
    return [(name, re.sub("[\r\n]+", "\n", value)) for name, value in modelfile.commands]


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

    Lines end in LF, the last one too. Other text between the comments `# fmt: off` and `# fmt: on` is not changed.
    """
    printed = normalize_newlines("".join(_pieces(modelfile)))
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
    """Return the content as written, in its own quotes or stronger ones."""
    content = _slice(text, value.content)
    quoting = choose_quoting(content, value.quoting)
    if quoting is None:
        return _slice(text, value.span)
    return f"{quoting}{content}{quoting}"


def _slice(text: str, span: Span) -> str:
    return text[span.start : span.end]
