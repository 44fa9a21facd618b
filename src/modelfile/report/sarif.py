"""Findings as SARIF, the Static Analysis Results Interchange Format 2.1.0 (OASIS Standard, with Errata 01)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any, Final
from urllib.parse import quote

from modelfile.diagnostics import Diagnostic, Severity
from modelfile.report.gitlab import fingerprinted
from modelfile.source import Source, Span

_SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def findings_as_sarif(
    findings: Iterable[tuple[Source, tuple[Diagnostic, ...]]],
    *,
    version: str,
    pages: Mapping[str, str],
    help_uri: str | None = None,
) -> str:
    """A log of one run of `version`, with the rules found.

    Pages are by code; `help_uri` is a page's address with {code} or {name} in it.
    """
    found = list(fingerprinted(findings))
    names = dict(sorted((diagnostic.code, diagnostic.name) for _, diagnostic, _ in found))
    rules = [_rule(code, name, pages.get(code), help_uri) for code, name in names.items()]
    index = {code: number for number, code in enumerate(names)}
    run = {
        "tool": {"driver": {"name": "modelfile", "version": version, "rules": rules}},
        "columnKind": "unicodeCodePoints",
        "newlineSequences": ["\r\n", "\r", "\n"],
        "results": [
            {
                "ruleId": diagnostic.code,
                "ruleIndex": index[diagnostic.code],
                "level": _LEVELS[diagnostic.severity],
                "message": {"text": _braced("\n".join(filter(None, (diagnostic.message, diagnostic.hint))))},
                "locations": [_location(source, diagnostic.span)],
                "partialFingerprints": {"modelfile/v1": fingerprint},
            }
            for source, diagnostic, fingerprint in found
        ],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _rule(code: str, name: str, page: str | None, help_uri: str | None) -> dict[str, Any]:
    """A reportingDescriptor (3.49)."""
    described = {"shortDescription": {"text": _braced(page.partition("\n")[0])}} if page else {}
    linked = {"helpUri": help_uri.format(code=code, name=name)} if help_uri else {}
    return {"id": code, "name": name, **described, **linked}


def _braced(message: str) -> str:
    """A single brace is a placeholder's (3.11.5)."""
    return message.replace("{", "{{").replace("}", "}}")


def _location(source: Source, span: Span) -> dict[str, Any]:
    """A location (3.28); like a span, a region ends before its end (3.30.8)."""
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


def _uri(path: str) -> str:
    """A relative reference stays one (3.4.3)."""
    pure = PurePath(path)
    return pure.as_uri() if pure.is_absolute() else quote(os.fsencode(pure.as_posix()))
