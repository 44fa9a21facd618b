"""Findings as text, with their source lines."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from modelfile.diagnostics import Diagnostic, Safety, Severity
from modelfile.report.formats import MARK, mark_of, redact_findings
from modelfile.report.terminal import Piece, Terminal, visible
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
    fixes: str | None = None,
    modelfiles: int | None = None,
) -> None:
    """Print findings with their source lines, and with `summary` their number and the fixes on standard error.

    Args:
        findings: The findings by Modelfile.
        terminal: The terminal.
        err: True to print findings on standard error, too.
        summary: False to print no summary.
        fixes: The summary's part on fixes (default: those that could be applied).
        modelfiles: The number of Modelfiles checked (default: that of `findings`).
    """
    findings = list(findings)
    redacted = ((source, found) for source, diagnostics in redact_findings(findings) for found in diagnostics)
    terminal.write_lines((line for source, found in redacted for line in _lines(source, found)), err=err)
    terminal.stdout.flush()  # before the summary, also if both streams are one pipe
    if not summary:
        return
    counts = Counter(found.severity for _, diagnostics in findings for found in diagnostics)
    parts = [
        f"{counts[severity]} {severity}{'s' * (counts[severity] != 1)}" for severity in Severity if counts[severity]
    ]
    if parts or terminal.is_tty(err=True):
        number = len(findings) if modelfiles is None else modelfiles
        checked = f"{number} Modelfile{'s' * (number != 1)} checked: {', '.join(parts) or 'no findings'}"
        terminal.print_note("; ".join(filter(None, (checked, describe_fixable(findings) if fixes is None else fixes))))


def describe_fixable(findings: Iterable[tuple[Source, tuple[Diagnostic, ...]]]) -> str:
    """Return how many findings `--fix` could fix, after the mark that they have in the text; empty if none."""
    fixable = _count_fixes(findings)
    safe, unsafe = fixable[Safety.SAFE], fixable[Safety.UNSAFE]
    if safe:
        return f"{MARK} {safe} fixable with --fix" + (f", {unsafe} more with --unsafe-fixes" if unsafe else "")
    return f"no safe fixes, {unsafe} with --fix --unsafe-fixes" if unsafe else ""


def describe_fixed(
    findings: Iterable[tuple[Source, tuple[Diagnostic, ...]]], fixed: int, *, unsafe: bool, diff: bool
) -> str:
    """Return what `--fix` or `--diff` fixed or would fix, and what is left to fix.

    Args:
        findings: The findings that remain.
        fixed: The number of fixes applied.
        unsafe: True if unsafe fixes were allowed.
        diff: True if nothing was written.
    """
    findings = list(findings)
    left = 0 if unsafe else _count_fixes(findings)[Safety.UNSAFE]
    remaining = sum(len(diagnostics) for _, diagnostics in findings)
    none = "no safe fixes" if left else "no fixes" if remaining else ""
    parts = [f"would fix {fixed}" if diff and fixed else "" if fixed else none]
    if left:
        parts.append(f"{left} {'more ' * (fixed > 0)}with --unsafe-fixes")
    if diff and remaining > left:
        parts.append(f"{remaining} finding{'s' * (remaining != 1)} would remain")
    return "; ".join(filter(None, parts))


def _count_fixes(findings: Iterable[tuple[Source, tuple[Diagnostic, ...]]]) -> Counter[Safety]:
    return Counter(found.fix.safety for _, diagnostics in findings for found in diagnostics if found.fix)


def _lines(source: Source, found: Diagnostic) -> Iterator[list[Piece]]:
    start = source.position(found.span.start)
    style = _STYLES[found.severity]
    yield [
        (f"{source.path}:{start.line}:{start.column}: ", "bold"),
        (f"{found.severity} {found.code} {found.name}{mark_of(found)}: ", style),
        (found.message, ""),
    ]
    gutter = str(start.line)
    margin = " " * len(gutter)
    first = max(start.column - 1 - _WINDOW // 2, 0)
    if first and not source.line(start.line, _WINDOW, 1):
        first = 0
    window = source.line(start.line, first, _WINDOW + 1)
    shown, column = window[:_WINDOW], start.column - 1 - first
    if shown.strip():
        marked = shown[column : column + found.span.end - found.span.start]
        cut = ("…" if first else ""), ("…" if len(window) > _WINDOW else "")
        before = " " * (_width(shown[:column]) + len(cut[0]))
        yield [(f"{gutter} | ", "dim"), (f"{cut[0]}{shown}{cut[1]}", "")]
        yield [(f"{margin} | ", "dim"), (f"{before}{'^' * max(_width(marked), 1)}", style)]
    if found.hint:
        yield [(f"{margin} = ", "dim"), ("help: ", "bold cyan"), (found.hint, "")]


def _width(text: str) -> int:
    """Return the width of a text on a terminal in columns, as the terminal escapes it."""
    if text.isascii() and text.isprintable():
        return len(text)
    text = visible(text)
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.combining(character) != 0 for character in text)
