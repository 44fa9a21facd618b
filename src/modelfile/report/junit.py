"""Findings as a JUnit XML report, in the form that Jenkins' xUnit plugin accepts (junit-10.xsd)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from modelfile.characters import escape_controls
from modelfile.diagnostics import Diagnostic, Severity
from modelfile.immutable import record
from modelfile.report.formats import Report
from modelfile.source import Source

_COMMAND: Final = r"(?<=#)#(?=\w*\[)"
"""Second character of what CI systems take for a command, as `##[error]`."""
_ILLEGAL: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 does not allow (2.2, Char)."""
_IN_TEXT: Final = re.compile(f"[&<>]|[^\\0-\\x7f]|{_COMMAND}")
_IN_ATTRIBUTE: Final = re.compile(f'[&<>"\r\n\t]|[^\\0-\\x7f]|{_COMMAND}')
_NAMED: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}


def findings_as_junit(report: Report) -> Iterator[str]:
    """Yield a test suite per file: each finding is a failed test case, a clean file one passed test case.

    An info is a passed test case with its text as output. What could not be checked is a test case with an error, in a
    suite of its own. All is ASCII: other characters are references.
    """
    root = _tag("testsuites", {"name": "modelfile"} | _counts([diagnostics for _, diagnostics in report.findings]))
    if not report.findings and not report.unread:
        yield f"{root} />\n"
        return
    yield f"{root}>\n"
    for source, diagnostics in report.findings:
        yield f"  {_tag('testsuite', {'name': source.path, 'errors': '0'} | _counts([diagnostics]))}>\n"
        path = _escape(source.path, _IN_ATTRIBUTE)
        for found in diagnostics:
            yield _case(source, path, found)
        if not diagnostics:
            yield f'    <testcase classname="{path}" name="{report.command}" />\n'
        yield "  </testsuite>\n"
    if report.unread:
        number, command = str(len(report.unread)), f"mf {report.command}"
        yield f"  {_tag('testsuite', {'name': command, 'tests': number, 'failures': '0', 'errors': number})}>\n"
        for count, error in enumerate(report.unread, 1):
            yield f'    <testcase classname="{command}" name="unread {count}">\n'
            hint = _escape(error.hint or "", _IN_TEXT)
            yield f"      {_tag('error', {'type': error.code, 'message': error.message})}"
            yield f">{hint}</error>\n    </testcase>\n" if hint else " />\n    </testcase>\n"
        yield "  </testsuite>\n"
    yield "</testsuites>\n"


@record(kw_only=True)
class JUnitCase:
    """A test case that is no finding in a file."""

    group: str
    name: str
    failure: str | None = None
    """The defect in one line; None if there is none."""
    skipped: str | None = None
    """The reason why it could not be decided."""
    details: Sequence[str] = ()


def cases_as_junit(suite: str, cases: Sequence[JUnitCase]) -> Iterator[str]:
    """Yield a report of one test suite."""
    failures = sum(case.failure is not None for case in cases)
    counts = {"tests": str(len(cases)), "failures": str(failures)}
    yield f"{_tag('testsuites', {'name': 'modelfile'} | counts)}>\n"
    yield f"  {_tag('testsuite', {'name': suite, 'errors': '0'} | counts)}>\n"
    for case in cases:
        opened = f"    {_tag('testcase', {'classname': case.group, 'name': case.name})}"
        if case.failure is not None:
            text = "\n".join(_escape(line, _IN_TEXT) for line in (case.failure, *case.details))
            failure = _tag("failure", {"type": "error", "message": case.failure})
            yield f"{opened}>\n      {failure}>{text}</failure>\n    </testcase>\n"
        elif case.skipped is not None:
            yield f"{opened}>\n      {_tag('skipped', {'message': case.skipped})} />\n    </testcase>\n"
        else:
            yield f"{opened} />\n"
    yield "  </testsuite>\n</testsuites>\n"


def _case(source: Source, path: str, found: Diagnostic) -> str:
    start = source.position(found.span.start)
    position = f"{start.line}:{start.column}"
    lines = f"{source.path}:{position}: {found.message}", *filter(None, [found.hint])
    name, attributes = "system-out", ""
    if found.severity is not Severity.INFO:
        name, attributes = "failure", f' type="{found.severity}" message="{_escape(found.message, _IN_ATTRIBUTE)}"'
    text = "\n".join(_escape(line, _IN_TEXT) for line in lines)
    return (
        f'    <testcase classname="{path}" name="{found.code} {found.name} {position}">\n'
        f"      <{name}{attributes}>{text}</{name}>\n    </testcase>\n"
    )


def _counts(files: Sequence[Sequence[Diagnostic]]) -> dict[str, str]:
    failures = sum(found.severity is not Severity.INFO for diagnostics in files for found in diagnostics)
    return {"tests": str(sum(max(len(diagnostics), 1) for diagnostics in files)), "failures": str(failures)}


def _tag(name: str, attributes: Mapping[str, str]) -> str:
    """Return a tag with its attributes, without its end."""
    return "".join([f"<{name}", *(f' {key}="{_escape(text, _IN_ATTRIBUTE)}"' for key, text in attributes.items())])


def _escape(text: str, special: re.Pattern[str]) -> str:
    return special.sub(_reference, _ILLEGAL.sub("", escape_controls(text)))


def _reference(found: re.Match[str]) -> str:
    return _NAMED.get(found[0]) or f"&#{ord(found[0]):02};"
