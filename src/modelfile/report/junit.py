"""Findings as JUnit's XML report: what Jenkins' xUnit plugin takes (junit-10.xsd), which others follow."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from modelfile.diagnostics import Diagnostic
from modelfile.source import Source

_ILLEGAL: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What is no Char of XML 1.0 (2.2)."""


def findings_as_junit(findings: Iterable[tuple[Source, tuple[Diagnostic, ...]]]) -> str:
    """A suite a file, with a failed case a finding; a clean file is one that passed."""
    files = list(findings)
    root = _add(None, "testsuites", name="modelfile", **_counts([len(diagnostics) for _, diagnostics in files]))
    for source, diagnostics in files:
        suite = _add(root, "testsuite", name=source.path, errors="0", **_counts([len(diagnostics)]))
        for found in diagnostics:
            start = source.position(found.span.start)
            place = f"{start.line}:{start.column}"
            case = _add(suite, "testcase", classname=source.path, name=f"{found.code} {found.name} {place}")
            failure = _add(case, "failure", type=str(found.severity), message=found.message)
            failure.text = _legal(f"{source.path}:{place}: {found.message}\n{found.hint or ''}".rstrip())
        if not diagnostics:
            _add(suite, "testcase", classname=source.path, name="lint")
    indent(root)
    return tostring(root).decode()  # ASCII, other characters as references


def _counts(findings: list[int]) -> dict[str, str]:
    return {"tests": str(sum(max(count, 1) for count in findings)), "failures": str(sum(findings))}


def _add(parent: Element | None, tag: str, **attributes: str) -> Element:
    legal = {key: _legal(value) for key, value in attributes.items()}
    return Element(tag, legal) if parent is None else SubElement(parent, tag, legal)


def _legal(text: str) -> str:
    return _ILLEGAL.sub("", text)
