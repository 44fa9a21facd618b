"""Findings as a GitLab Code Quality report (GitLab Docs, "Code Quality", "Code Quality report format").

The format is a subset of the Code Climate specification, and has no version.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from hashlib import sha256
from json.encoder import encode_basestring_ascii
from pathlib import PurePath
from typing import Final

from modelfile.diagnostics import Diagnostic, Severity
from modelfile.report.formats import Report
from modelfile.report.json_output import json_pieces
from modelfile.source import Source

_MOST_HASHED: Final = 1000
"""The length of the part of a line that counts in a fingerprint, in code points."""
_SEVERITIES: Final = {Severity.ERROR: "major", Severity.WARNING: "minor", Severity.INFO: "info"}


def findings_as_gitlab(report: Report) -> Iterator[str]:
    """Return the parts of a JSON list with one object per finding."""
    return json_pieces(
        (
            {
                "description": found.message,
                "check_name": f"{found.code} {found.name}",
                "fingerprint": fingerprint,
                "severity": _SEVERITIES[found.severity],
                "location": {
                    "path": as_posix(source.path),
                    "lines": {"begin": source.line_of(found.span.start)},
                },
            }
            for source, found, fingerprint in fingerprinted(report.findings)
        )
    )


@lru_cache
def as_posix(path: str) -> str:
    """Return a path with `/` between its parts."""
    return PurePath(path).as_posix()


def fingerprinted(
    findings: Iterable[tuple[Source, tuple[Diagnostic, ...]]],
) -> Iterator[tuple[Source, Diagnostic, str]]:
    """Yield each finding with a fingerprint that is unique in the report and stays the same when lines move.

    It is a hash of path, code, message, text of the line, and the number of equal findings before it.
    """
    seen: dict[str, int] = {}
    for source, diagnostics in findings:
        path = as_posix(source.path)
        for found in diagnostics:
            line = source.line(source.line_of(found.span.start), 0, _MOST_HASHED)
            key = ", ".join(map(encode_basestring_ascii, (path, found.code, found.message, line)))
            number = seen.get(key, 0)
            yield source, found, sha256(f"[{key}, {number}]".encode()).hexdigest()
            seen[key] = number + 1
