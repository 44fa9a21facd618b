"""Results as text: plain where it goes to a file or a pipe, styled on a terminal."""

from __future__ import annotations

import contextlib
import os
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, TextIO, TypeAlias

from modelfile.diagnostics import Diagnostic, Safety, Severity
from modelfile.source import Source

if TYPE_CHECKING:
    from rich.console import Console

    from modelfile.differ import Change

Piece: TypeAlias = tuple[str, str]
"""A text and its style."""

_STYLES: Final = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.INFO: "bold blue"}
_DIFF_STYLES: Final = {"+": "green", "-": "red", "@": "cyan"}
_WINDOW: Final = 100
"""Of a longer line, this many characters around the place are shown."""


class SafeStream:
    """Standard error: that something cannot be told there (the disk is full, nobody reads) is no reason to fail."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write what can be."""
        with contextlib.suppress(OSError):
            return self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Write what is waiting, if it can be; at the end of the program Python asks for it and would fail."""
        with contextlib.suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


_drawing: list[Console] = []


@contextlib.contextmanager
def above(console: Console) -> Iterator[None]:
    """What is written to a terminal meanwhile goes above what the console draws there."""
    _drawing.append(console)
    try:
        yield
    finally:
        _drawing.remove(console)


def write(pieces: Iterable[Piece], file: TextIO) -> None:
    """Print pieces as one line."""
    pieces = list(pieces)
    drawing = _drawing[-1:] if file.isatty() else []
    if not drawing and (not file.isatty() or "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"):
        print("".join(text for text, _ in pieces), file=file)
        return
    from rich.console import Console  # 25 ms that only a terminal needs
    from rich.text import Text

    console = drawing[0] if drawing else Console(file=file)
    console.print(Text.assemble(*pieces), soft_wrap=True, highlight=False)


def print_error(message: str, hint: str | None) -> None:
    """A failure, on standard error: what happened, and what to do."""
    write([("error: ", "bold red"), (visible(message, keep="\n"), "")], sys.stderr)
    if hint:
        write([("help: ", "bold cyan"), (visible(hint, keep="\n"), "")], sys.stderr)


def print_warning(message: str) -> None:
    """What somebody should know who will go on, on standard error."""
    write([("warning: ", "bold yellow"), (visible(message), "")], sys.stderr)


def print_note(message: str) -> None:
    """What was done or left, on standard error."""
    write([(visible(message), "dim")], sys.stderr)


def print_findings(
    findings: Iterable[tuple[Source, tuple[Diagnostic, ...]]], *, to_stderr: bool = False, summary: bool = True
) -> None:
    """Findings with their source lines, and, if wanted, on standard error how many there are."""
    counts: Counter[Severity] = Counter()
    files = 0
    mendable: Counter[Safety] = Counter()
    for source, diagnostics in findings:
        files += 1
        for found in diagnostics:
            counts[found.severity] += 1
            mendable.update([found.fix.safety] if found.fix else [])
            _print_finding(source, found, sys.stderr if to_stderr else sys.stdout)
    if not summary:
        return
    told = [
        f"{counts[severity]} {severity}{'s' * (counts[severity] != 1)}" for severity in Severity if counts[severity]
    ]
    if told or sys.stderr.isatty():
        safe, unsafe = mendable[Safety.SAFE], mendable[Safety.UNSAFE]
        if safe:
            told.append(f"{safe} can be mended with --fix")
        if unsafe:
            told.append(f"{unsafe} {'more' if safe else 'can be mended'} with --fix --unsafe-fixes")
        checked = f"{files} Modelfile{'s' * (files != 1)} checked"
        write([(f"{checked}: {', '.join(told) or 'nothing found'}", "dim")], sys.stderr)


def _print_finding(source: Source, found: Diagnostic, file: TextIO) -> None:
    start, end = source.position(found.span.start), source.position(found.span.end)
    style = _STYLES[found.severity]
    write(
        [
            (f"{visible(source.path)}:{start.line}:{start.column}: ", "bold"),
            (f"{found.severity} {found.code} {found.name}{'[*]' * _is_safe(found)}: ", style),
            (visible(found.message), ""),
        ],
        file,
    )
    line = source.line(start.line)
    first = max(start.column - 1 - _WINDOW // 2, 0) if len(line) > _WINDOW else 0
    shown = line[first : first + _WINDOW]
    before = line[first : start.column - 1]
    stop = end.column - 1 if end.line == start.line else len(line)
    marked = line[start.column - 1 : min(stop, first + _WINDOW)]
    gutter = str(start.line)
    if line.strip():
        carets = "^" * max(_width(visible(marked)), 1)
        cut = ("…" if first else ""), ("…" if len(line) > first + _WINDOW else "")
        write([(f"{gutter} | ", "dim"), (f"{cut[0]}{visible(shown)}{cut[1]}", "")], file)
        margin = " " * (_width(visible(before)) + len(cut[0]))
        write([(f"{' ' * len(gutter)} | ", "dim"), (f"{margin}{carets}", style)], file)
    if found.hint:
        write([(f"{' ' * len(gutter)} = ", "dim"), ("help: ", "bold cyan"), (visible(found.hint), "")], file)


def _is_safe(found: Diagnostic) -> bool:
    return found.fix is not None and found.fix.safety is Safety.SAFE


def print_changes(changes: Iterable[Change], file: TextIO | None = None, *, indent: str = "") -> None:
    """Changes by meaning: one line each, and texts as a line diff; on standard output unless told otherwise."""
    from difflib import unified_diff

    from modelfile.differ import TEXTS

    out = file or sys.stdout
    for change in changes:
        title = f"{indent}{change.title}"
        if change.aspect in TEXTS:
            write([(title, "bold")], out)
            old, new = ((side or "").split("\n") if side is not None else [] for side in (change.old, change.new))
            for line in list(unified_diff(old, new, lineterm="", n=3))[2:]:
                write([(f"{indent}  {visible(line)}", _DIFF_STYLES.get(line[:1], ""))], out)
        else:
            old_text, new_text = (visible(side) if side else "(none)" for side in (change.old, change.new))
            write([(f"{title}: ", "bold"), (old_text, "red"), (" -> ", "dim"), (new_text, "green")], out)


def print_line_diff(old: str, new: str, path: str) -> None:
    """A unified diff of two texts of one file; not on a terminal, it is as `patch` wants it."""
    from difflib import unified_diff

    lines = (text.split("\n") for text in (old, new))
    before, after = ([*(f"{line}\n" for line in split[:-1]), *filter(None, split[-1:])] for split in lines)
    for line in unified_diff(before, after, path, path):
        text = line.removesuffix("\n")
        write([(visible(text) if sys.stdout.isatty() else text, _DIFF_STYLES.get(line[:1], ""))], sys.stdout)
        if not line.endswith("\n"):
            write([("\\ No newline at end of file", "dim")], sys.stdout)


def visible(text: str, *, keep: str = "") -> str:
    """A text that does nothing to a terminal: tabs become blanks, control and format characters their code."""
    text = text.replace("\t", " ")
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character in keep else f"<U+{ord(character):04X}>" for character in text
    )


def _width(text: str) -> int:
    """How many columns a text takes on a terminal."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.combining(character) != 0 for character in text)
