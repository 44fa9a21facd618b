"""Findings as text, with their source lines."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable
from typing import Final

from modelfile.diagnostics import Diagnostic, Safety, Severity
from modelfile.report.terminal import Terminal, visible
from modelfile.source import Source

_STYLES: Final = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.INFO: "bold blue"}
_WINDOW: Final = 100
"""Number of characters printed of a longer line."""


def print_findings(
    findings: Iterable[tuple[Source, tuple[Diagnostic, ...]]],
    terminal: Terminal,
    *,
    err: bool = False,
    summary: bool = True,
) -> None:
    """Print findings with their source lines, and with `summary` their number on standard error."""
    counts: Counter[Severity] = Counter()
    files = 0
    fixable: Counter[Safety] = Counter()
    for source, diagnostics in findings:
        files += 1
        for found in diagnostics:
            counts[found.severity] += 1
            fixable.update([found.fix.safety] if found.fix else [])
            _print_finding(source, found, terminal, err=err)
    if not summary:
        return
    parts = [
        f"{counts[severity]} {severity}{'s' * (counts[severity] != 1)}" for severity in Severity if counts[severity]
    ]
    if parts or terminal.is_tty(err=True):
        safe, unsafe = fixable[Safety.SAFE], fixable[Safety.UNSAFE]
        if safe:
            parts.append(f"{safe} fixable with --fix")
        if unsafe:
            parts.append(f"{unsafe} {'more' if safe else 'fixable'} with --fix --unsafe-fixes")
        checked = f"{files} Modelfile{'s' * (files != 1)} checked"
        terminal.print_note(f"{checked}: {', '.join(parts) or 'no findings'}")


def _print_finding(source: Source, found: Diagnostic, terminal: Terminal, *, err: bool) -> None:
    start, end = source.position(found.span.start), source.position(found.span.end)
    style = _STYLES[found.severity]
    terminal.write(
        [
            (f"{visible(source.path)}:{start.line}:{start.column}: ", "bold"),
            (f"{found.severity} {found.code} {found.name}{'[*]' * _is_safe(found)}: ", style),
            (visible(found.message), ""),
        ],
        err=err,
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
        terminal.write([(f"{gutter} | ", "dim"), (f"{cut[0]}{visible(shown)}{cut[1]}", "")], err=err)
        margin = " " * (_width(visible(before)) + len(cut[0]))
        terminal.write([(f"{' ' * len(gutter)} | ", "dim"), (f"{margin}{carets}", style)], err=err)
    if found.hint:
        terminal.write(
            [(f"{' ' * len(gutter)} = ", "dim"), ("help: ", "bold cyan"), (visible(found.hint), "")], err=err
        )


def _is_safe(found: Diagnostic) -> bool:
    return found.fix is not None and found.fix.safety is Safety.SAFE


def _width(text: str) -> int:
    """Return the width of a text on a terminal in columns."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.combining(character) != 0 for character in text)
