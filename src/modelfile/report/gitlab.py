"""Findings as a GitLab Code Quality report (GitLab Docs, "Code Quality", "Code Quality report format").

The format is a subset of the Code Climate specification, and has no version.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import PurePath
from typing import Final

from modelfile.diagnostics import Diagnostic, Severity
from modelfile.report.formats import Report
from modelfile.report.json_output import dumps
from modelfile.source import Source

_MOST_HASHED: Final = 1000
"""The length of the part of a line that counts in a fingerprint, in code points."""
_SEVERITIES: Final = {Severity.ERROR: "major", Severity.WARNING: "minor", Severity.INFO: "info"}


def findings_as_gitlab(report: Report) -> str:
    """Return a JSON list with one object per finding."""
    return dumps(
        [
            {
                "description": found.message,
                "check_name": f"{found.code} {found.name}",
                "fingerprint": fingerprint,
                "severity": _SEVERITIES[found.severity],
                "location": {
                    "path": PurePath(source.path).as_posix(),
                    "lines": {"begin": source.line_of(found.span.start)},
                },
            }
            for source, found, fingerprint in fingerprinted(report.findings)
        ]
    )


def fingerprinted(
    findings: Iterable[tuple[Source, tuple[Diagnostic, ...]]],
) -> Iterator[tuple[Source, Diagnostic, str]]:
    """Yield each finding with a fingerprint that is unique in the report and stays the same when lines move.

    It is a hash of path, code, message, text of the line, and the number of equal findings before it.
    """
    seen: Counter[tuple[str, ...]] = Counter()
    for source, diagnostics in findings:
        path = PurePath(source.path).as_posix()
        for found in diagnostics:
            key = (path, found.code, found.message, source.line(source.line_of(found.span.start), 0, _MOST_HASHED))
            yield source, found, sha256(json.dumps([*key, seen[key]]).encode()).hexdigest()
            seen[key] += 1
