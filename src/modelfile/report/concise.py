"""Findings as one line each, in the form of GNU's Coding Standards, "Formatting Error Messages"."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Diagnostic
from modelfile.report.formats import Report, mark_of
from modelfile.report.terminal import visible
from modelfile.source import Source


def findings_as_concise(report: Report) -> Iterator[str]:
    """Yield `path:line:column: severity code message` for each finding, as a line; `[*]` marks a safe fix."""
    return (_line(source, found) for source, diagnostics in report.findings for found in diagnostics)


def _line(source: Source, found: Diagnostic) -> str:
    start = source.position(found.span.start)
    code = f"{found.code}{mark_of(found)}"
    return visible(f"{source.path}:{start.line}:{start.column}: {found.severity} {code} {found.message}") + "\n"
