"""Findings as a JUnit XML report, in the form that Jenkins' xUnit plugin accepts (junit-10.xsd)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from modelfile.characters import escape_controls
from modelfile.diagnostics import Diagnostic, Severity
from modelfile.report.formats import Report

_COMMAND: Final = re.compile(r"##(?=\w*\[)")
"""Start of what a CI system takes for a command, as `##[error]`."""
_ILLEGAL: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 does not allow (2.2, Char)."""


def findings_as_junit(report: Report) -> str:
    """Return a test suite per file: each finding is a failed test case, a clean file one passed test case.

    An info is a passed test case with its text as output. What could not be checked is a test case with an error, in a
    suite of its own.
    """
    root = _add(None, "testsuites", name="modelfile", **_counts([diagnostics for _, diagnostics in report.findings]))
    for source, diagnostics in report.findings:
        suite = _add(root, "testsuite", name=source.path, errors="0", **_counts([diagnostics]))
        for found in diagnostics:
            start = source.position(found.span.start)
            position = f"{start.line}:{start.column}"
            case = _add(suite, "testcase", classname=source.path, name=f"{found.code} {found.name} {position}")
            lines = f"{source.path}:{position}: {found.message}", *filter(None, [found.hint])
            if found.severity is Severity.INFO:
                result = _add(case, "system-out")
            else:
                result = _add(case, "failure", type=str(found.severity), message=found.message)
            result.text = "\n".join(map(_legal, lines))
        if not diagnostics:
            _add(suite, "testcase", classname=source.path, name="lint")
    if report.unread:
        number = str(len(report.unread))
        suite = _add(root, "testsuite", name="mf lint", tests=number, failures="0", errors=number)
        for count, error in enumerate(report.unread, 1):
            case = _add(suite, "testcase", classname="mf lint", name=f"unread {count}")
            _add(case, "error", type=error.code, message=error.message).text = _legal(error.hint or "")
    indent(root)
    return _COMMAND.sub("#&#35;", tostring(root).decode())  # ASCII; other characters are references


def _counts(files: Sequence[Sequence[Diagnostic]]) -> dict[str, str]:
    failures = sum(found.severity is not Severity.INFO for diagnostics in files for found in diagnostics)
    return {"tests": str(sum(max(len(diagnostics), 1) for diagnostics in files)), "failures": str(failures)}


def _add(parent: Element | None, tag: str, **attributes: str) -> Element:
    legal = {key: _legal(value) for key, value in attributes.items()}
    return Element(tag, legal) if parent is None else SubElement(parent, tag, legal)


def _legal(text: str) -> str:
    return _ILLEGAL.sub("", escape_controls(text))
