"""Lines that begin no instruction of Ollama's, and what they were meant as."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from modelfile.catalog.catalog import catalog
from modelfile.diagnostics import Edit, Finding, Fix
from modelfile.source import Source, Span
from modelfile.syntax.nodes import (
    WORDS,
    Comment,
    Headless,
    Instruction,
    License,
    Message,
    Node,
    Quoting,
    System,
    Template,
    Unknown,
)
from modelfile.syntax.quoting import can_hold

_TEXTS: Final = (System, Template, License, Message)
_TEXT_WORDS: Final = frozenset(node.__name__.upper() for node in _TEXTS)
_NO_FORMAT: Final = 'Ollama has no FORMAT; ask for JSON in the request (`"format": "json"`), and describe it in SYSTEM'
_KNOWN: Final = f"Ollama knows {', '.join(WORDS)}; a comment begins with #"
_ALIASES: Final = {"MODEL": "FROM", "BASE": "FROM", "BASE_MODEL": "FROM", "PROMPT": "SYSTEM", "SYSTEM_PROMPT": "SYSTEM"}
_DOCKERFILE: Final = frozenset(
    "ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE LABEL MAINTAINER RUN USER VOLUME WORKDIR".split()  # noqa: SIM905  # words
)
_SHELL: Final = frozenset({"$", "ollama", "docker", "curl", "sudo"})
_FENCES: Final = ("```", "~~~")
_LITERAL: Final = re.compile(r'[-+]?\.?\d|true\b|false\b|"')
_BETWEEN: Final = re.compile(r"[=: \t]*")
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_PROSE: Final = re.compile(r"(?:[-*] +)?[^\W\d_][\w'-]*[,.:;]?(?:\s+\S+){2}|\{\{")
"""How a prompt or a template begins."""


@dataclass(frozen=True, slots=True)
class _Stray:
    """One such line in its surroundings."""

    line: Unknown
    owner: Instruction | None
    """The text that may have been meant to go on here."""
    within: bool
    """Whether it stands where a text may have been meant to go on."""
    source: Source
    nodes: Sequence[Node]
    number: int

    @property
    def run(self) -> Span:
        """The line with those of its kind that follow, and the comments between them."""
        end = self.line.span.end
        for number in range(self.number, len(self.nodes)):
            node = self.nodes[number]
            if isinstance(node, Unknown):
                end = node.span.end
            elif not isinstance(node, Comment):
                break
        return Span(self.line.span.start, end)

    @property
    def rest(self) -> str:
        """What stands behind the word, and the `:` or `=` behind that."""
        return self.source.text[self.rest_start : self.line.span.end]

    @property
    def rest_start(self) -> int:
        match = _BETWEEN.match(self.source.text, self.line.word.span.end, self.line.span.end)
        return match.end() if match else self.line.span.end


def stray_lines(source: Source, nodes: Sequence[Node]) -> Iterator[tuple[str, Finding]]:
    """What is to be said of each, with the name of its rule; of a text that goes on over many lines only once."""
    owner: Instruction | None = None
    above: Node | None = None
    told = False
    for number, node in enumerate(nodes):
        if isinstance(node, Unknown):
            stray = _Stray(node, owner, owner is not None or told, source, nodes, number)
            if known := _word_without_value(stray) or _meant(stray):
                yield known
                told = told or known[0] == "missing-argument"  # what follows was meant for it
            elif not told and (prose := _prose(stray, above)):
                yield "unknown-instruction", prose
                told = True
            elif not told:
                message = f"unknown instruction `{node.word.text}`"
                yield "unknown-instruction", Finding(node.word.span, message, _KNOWN)
        elif not isinstance(node, Comment):
            told = False
        if isinstance(node, Instruction | Headless):
            owner = node if isinstance(node, _TEXTS) else None
        above = node


def _word_without_value(stray: _Stray) -> tuple[str, Finding] | None:
    line, word = stray.line, stray.line.word.text.upper()
    if word not in WORDS or (stray.within and not line.word.text.isupper()):
        return None
    if not stray.rest:
        hint = "write it on the same line, after a blank"
        if word in _TEXT_WORDS:
            hint += '; a text of several lines stands in """'
        return "missing-argument", Finding(line.span, f"{word} has no value", hint)
    fix = Fix(edits=(Edit(Span(line.word.span.end, stray.rest_start), " "),))
    message, hint = f"{word} is not followed by a blank", f"write `{word} …`"
    return "unknown-instruction", Finding(line.word.span, message, hint, fix)


def _meant(stray: _Stray) -> tuple[str, Finding] | None:
    """What the line was meant as, if its first word tells."""
    line = stray.line
    written = line.word.text
    replacement = None
    if (parameter := _parameter(stray)) is not None:
        hint, replacement = f"write `{parameter}`", Edit(line.span, parameter) if stray.rest else None
    elif stray.within and not written.isupper():  # as likely a word of its text
        return None
    elif written.upper() == "FORMAT":
        hint = _NO_FORMAT
    elif word := _instruction(line):
        hint = f"did you mean {word}?"
        replacement = Edit(Span(line.word.span.start, stray.rest_start), f"{word} ") if stray.rest else None
    elif written in _DOCKERFILE:
        hint = f"{written} belongs in a Dockerfile; Ollama has nothing like it"
    elif written in _SHELL:
        hint = "a command for the shell does not belong in a Modelfile: delete it, or put # before it"
        replacement = Edit(Span(line.span.start, line.span.start), "# ")
    elif stray.source.text.startswith(_FENCES, line.span.start):
        end = _LINE_END.match(stray.source.text, line.span.end)
        gone = Fix(edits=(Edit(Span(line.span.start, end.end() if end else line.span.end), ""),))
        message, hint = "a fence of Markdown is no instruction", "delete it: a Modelfile stands in its file alone"
        return "unknown-instruction", Finding(line.span, message, hint, gone)
    else:
        return None
    fix = Fix(edits=(replacement,)) if replacement else None
    return "unknown-instruction", Finding(line.word.span, f"unknown instruction `{written}`", hint, fix)


def _parameter(stray: _Stray) -> str | None:
    name = stray.line.word.text.lower()
    if name not in catalog().parameters and name not in catalog().deprecated:
        return None
    if stray.within and not _LITERAL.match(stray.rest):
        return None
    return f"PARAMETER {name} {stray.rest or '…'}"


def _instruction(line: Unknown) -> str | None:
    from difflib import get_close_matches  # only where there is something to say

    word = line.word.text.upper()
    return _ALIASES.get(word) or next(iter(get_close_matches(word, WORDS, n=1, cutoff=0.75)), None)


def is_meant_as_from(line: Unknown) -> bool:
    """Whether a line that begins no instruction was meant to begin with FROM."""
    return _instruction(line) == "FROM"


def _prose(stray: _Stray, above: Node | None) -> Finding | None:
    """A text that goes on where its instruction or its comment has ended, or that has none."""
    line, source = stray.line, stray.source
    if isinstance(above, Comment) and source.line_of(above.span.start) + 1 == source.line_of(line.span.start):
        fix = Fix(edits=(Edit(Span(line.span.start, line.span.start), "# "),))
        hint = "if this line belongs to it, begin it with #"
        return Finding(line.span, "the comment ended with the line before", hint, fix)
    if owner := stray.owner:
        word, quotes = owner.keyword.text.strip().upper(), owner.value.quoting
        if quotes is Quoting.NONE:
            message = f"the text of {word} ended with the line before"
            hint = f'if this line belongs to it, put the whole text in quotes: {word} """…"""'
        else:
            ended = source.line_of(owner.value.span.end)
            message = f"the text of {word} ended in line {ended}, because that line ends with {quotes}"
            hint = f"if this line belongs to it, put another character after the {quotes} in line {ended}"
            if quotes is Quoting.DOUBLE:
                hint = f'if this line belongs to it, write the whole text in three quotes: {word} """…"""'
        return Finding(line.span, message, hint, _in_quotes(owner, stray))
    run = stray.run
    if _PROSE.match(source.text, run.start, run.end):
        kind, what = (Template, "template") if line.word.text == "{" else (System, "prompt")
        if any(isinstance(node, kind) for node in stray.nodes):
            return None
        word = kind.__name__.upper()
        edits = (Edit(Span(run.start, run.start), f'{word} """'), Edit(Span(run.end, run.end), '"""'))
        quoted = Fix(edits=edits) if can_hold(Quoting.TRIPLE, source.text[run.start : run.end]) else None
        return Finding(line.span, "a text without an instruction", f'if it is the {what}, write {word} """…"""', quoted)
    return None


def _in_quotes(owner: Instruction, stray: _Stray) -> Fix | None:
    """The fix that takes the lines up into the text before them, where there are quotes that can hold it all."""
    text, value, end = stray.source.text, owner.value, stray.run.end
    closed = 0
    match value.quoting:
        case Quoting.NONE:
            closed = 3 if text.endswith('"""', value.content.start, end) else 0
        case Quoting.DOUBLE if text.endswith('"', value.content.start, end):
            closed = 1
        case _:
            return None
    if not can_hold(Quoting.TRIPLE, text[value.content.start : end - closed]):
        return None
    opening, closing = Span(value.span.start, value.content.start), Span(end - closed, end)
    return Fix(edits=(Edit(opening, '"""'), Edit(closing, '"""')))
