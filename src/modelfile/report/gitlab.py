"""Findings as GitLab's Code Quality report (GitLab Docs, "Code Quality", "Code Quality report format").

The format is a part of the Code Climate specification, and has no version.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import PurePath
from typing import Final

from modelfile.diagnostics import Diagnostic, Severity
from modelfile.source import Source

_SEVERITIES: Final = {Severity.ERROR: "major", Severity.WARNING: "minor", Severity.INFO: "info"}


def findings_as_gitlab(findings: Iterable[tuple[Source, tuple[Diagnostic, ...]]]) -> str:
    """A list with an object a finding."""
    return json.dumps(
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
            for source, found, fingerprint in fingerprinted(findings)
        ],
        indent=2,
    )


def fingerprinted(
    findings: Iterable[tuple[Source, tuple[Diagnostic, ...]]],
) -> Iterator[tuple[Source, Diagnostic, str]]:
    """Each finding with a number that stays when lines move, and that no other of the report has.

    It is of the path, the code, the message and the line's text; of findings alike in these, also of which one it is.
    """
    seen: Counter[tuple[str, ...]] = Counter()
    for source, diagnostics in findings:
        path = PurePath(source.path).as_posix()
        for found in diagnostics:
            alike = (path, found.code, found.message, source.line(source.line_of(found.span.start)))
            yield source, found, sha256(json.dumps([*alike, seen[alike]]).encode()).hexdigest()
            seen[alike] += 1
