"""Findings as one line each, in the form of GNU's Coding Standards, "Formatting Error Messages"."""

from __future__ import annotations

from collections.abc import Iterable

from modelfile.diagnostics import Diagnostic
from modelfile.report.terminal import visible
from modelfile.source import Source


def findings_as_concise(findings: Iterable[tuple[Source, tuple[Diagnostic, ...]]]) -> str:
    """`path:line:column: severity code message`, a line a finding; empty if there is none."""
    return "\n".join(_line(source, found) for source, diagnostics in findings for found in diagnostics)


def _line(source: Source, found: Diagnostic) -> str:
    start = source.position(found.span.start)
    return visible(f"{source.path}:{start.line}:{start.column}: {found.severity} {found.code} {found.message}")
