"""Findings as SARIF, the Static Analysis Results Interchange Format 2.1.0 (OASIS Standard, with Errata 01)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import PurePath
from typing import Any, Final
from urllib.parse import quote

from modelfile.diagnostics import Severity
from modelfile.errors import ModelfileError
from modelfile.linter.rules import RULES
from modelfile.report.formats import Report
from modelfile.report.gitlab import fingerprinted
from modelfile.report.json_output import json_pieces
from modelfile.source import Source, Span

_SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def findings_as_sarif(
    report: Report,
    *,
    version: str | None = None,
    pages: Mapping[str, str] | None = None,
    help_uri: str | None = None,
) -> Iterator[str]:
    """Return the parts of a log of one run, with the rules of its findings.

    Args:
        report: The findings.
        version: The version of modelfile; default: the installed one.
        pages: The pages of rules by code; default: those of this version.
        help_uri: The address of a rule's page, with {code} or {name} as placeholders.
    """
    if version is None:
        from importlib.metadata import version as version_of

        version = version_of("modelfile")
    if pages is None:
        pages = {rule.code: rule.page for rule in RULES} | dict(report.titles)
    found = {(diagnostic.code, diagnostic.name) for _, diagnostics in report.findings for diagnostic in diagnostics}
    names = dict(sorted(found))
    rules = [_rule(code, name, pages.get(code), help_uri) for code, name in names.items()]
    index = {code: number for number, code in enumerate(names)}
    run: dict[str, Any] = {
        "tool": {"driver": {"name": "modelfile", "version": version, "rules": rules}},
        "columnKind": "unicodeCodePoints",
        "newlineSequences": ["\r\n", "\r", "\n"],
        "results": (
            {
                "ruleId": diagnostic.code,
                "ruleIndex": index[diagnostic.code],
                "level": _LEVELS[diagnostic.severity],
                "message": {"text": _escape_braces("\n".join(filter(None, (diagnostic.message, diagnostic.hint))))},
                "locations": [_location(source, diagnostic.span)],
                "partialFingerprints": {"modelfile/v1": fingerprint},
            }
            for source, diagnostic, fingerprint in fingerprinted(report.findings)
        ),
    }
    if report.unread:
        run["invocations"] = [_failed_invocation(report.unread)]
    return json_pieces({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]})


def _failed_invocation(errors: Iterable[ModelfileError]) -> dict[str, Any]:
    """Return an invocation that did not check everything (3.20)."""
    texts = ("\n".join(filter(None, (error.message, error.hint))) for error in errors)
    notifications = [{"level": "error", "message": {"text": _escape_braces(text)}} for text in texts]
    return {"executionSuccessful": False, "toolExecutionNotifications": notifications}


def _rule(code: str, name: str, page: str | None, help_uri: str | None) -> dict[str, Any]:
    """Return a reportingDescriptor (3.49)."""
    described = {"shortDescription": {"text": _escape_braces(page.partition("\n")[0])}} if page else {}
    linked = {"helpUri": help_uri.format(code=code, name=name)} if help_uri else {}
    return {"id": code, "name": name, **described, **linked}


def _escape_braces(message: str) -> str:
    """Escape braces, which mark placeholders (3.11.5)."""
    return message.replace("{", "{{").replace("}", "}}")


def _location(source: Source, span: Span) -> dict[str, Any]:
    """Return a location (3.28); the end of a region is exclusive, as of a span (3.30.8)."""
    start, end = source.position(span.start), source.position(span.end)
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": _uri(source.path)},
            "region": {
                "startLine": start.line,
                "startColumn": start.column,
                "endLine": end.line,
                "endColumn": end.column,
            },
        }
    }


@lru_cache
def _uri(path: str) -> str:
    """Return the URI of a path; a relative path stays relative (3.4.3)."""
    pure = PurePath(path)
    return pure.as_uri() if pure.is_absolute() else quote(os.fsencode(pure.as_posix()))
