"""Findings as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from modelfile.diagnostics import Diagnostic
from modelfile.errors import ModelfileError
from modelfile.linter.rule import Rule
from modelfile.source import Source

VERSION = 1
"""Of the shape; fields may be added, none changes its meaning."""


def findings_as_json(
    findings: Iterable[tuple[Source, tuple[Diagnostic, ...]]],
    unread: Iterable[ModelfileError] = (),
    undecided: Iterable[tuple[Source, Iterable[tuple[Rule, str]]]] = (),
) -> str:
    """One object: version, the number of files, and the findings in the order of the text. Lines and columns from 1."""
    files = list(findings)
    return json.dumps(
        {
            "version": VERSION,
            "files": len(files),
            "unread": [{"message": error.message, "help": error.hint} for error in unread],
            "not_looked": [
                {"path": source.path, "code": rule.code, "name": rule.name, "reason": reason}
                for source, rules in undecided
                for rule, reason in rules
            ],
            "findings": [_finding(source, found) for source, diagnostics in files for found in diagnostics],
        },
        indent=2,
        ensure_ascii=False,
    )


def _finding(source: Source, found: Diagnostic) -> dict[str, Any]:
    start, end = source.position(found.span.start), source.position(found.span.end)
    return {
        "path": source.path,
        "line": start.line,
        "column": start.column,
        "end_line": end.line,
        "end_column": end.column,
        **_words(found),
        "fix": str(found.fix.safety) if found.fix else None,
    }


def diagnostic_as_json(source: Source, found: Diagnostic) -> dict[str, Any]:
    """A diagnostic with its whole span."""
    start, end = source.position(found.span.start), source.position(found.span.end)
    return {**_words(found), "start": asdict(start), "end": asdict(end)}


def _words(found: Diagnostic) -> dict[str, Any]:
    return {
        "code": found.code,
        "name": found.name,
        "severity": str(found.severity),
        "message": found.message,
        "help": found.hint,
    }
