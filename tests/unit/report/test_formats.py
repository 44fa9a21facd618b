"""Findings in the formats of other programs, exactly; those with a schema are in test_schemas.py."""

import json
import shlex
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from tests.support.findings import files, found

from modelfile.diagnostics import Severity
from modelfile.report.concise import findings_as_concise
from modelfile.report.formats import FORMATS, Report, render
from modelfile.report.github import findings_as_github
from modelfile.report.gitlab import findings_as_gitlab
from modelfile.report.junit import findings_as_junit
from modelfile.source import Source


def test_concise() -> None:
    assert "".join(findings_as_concise(Report(findings=files()))).splitlines() == [
        "模型/100%, a:b/Modelfile:2:4: error MF301 no `{{ .X }}` 50%<U+000A>or <U+001B>语",
        "b:1:1: warning MF201 untagged",
        "b:1:1: info MF505 no purpose",
    ]


def test_github() -> None:
    assert "".join(findings_as_github(Report(findings=files()))).splitlines() == [
        (
            "::error file=模型/100%25%2C a%3Ab/Modelfile,line=2,col=4,endLine=2,endColumn=8,"
            "title=MF301 unknown-parameter"
            "::no `{{ .X }}` 50%25%0Aor <U+001B>语%0Adid you mean, `a:b`?"
        ),
        "::warning file=b,line=1,endLine=2,title=MF201 unpinned-base::untagged",
        "::notice file=b,line=1,col=1,endLine=1,endColumn=1,title=MF505 missing-purpose::no purpose",
    ]


def test_gitlab() -> None:
    report = json.loads("".join(findings_as_gitlab(Report(findings=files()))))
    assert [issue.pop("fingerprint").isalnum() for issue in report] == [True] * 3
    assert report == [
        {
            "description": "no `{{ .X }}` 50%\nor \x1b语",
            "check_name": "MF301 unknown-parameter",
            "severity": "major",
            "location": {"path": "模型/100%, a:b/Modelfile", "lines": {"begin": 2}},
        },
        {
            "description": "untagged",
            "check_name": "MF201 unpinned-base",
            "severity": "minor",
            "location": {"path": "b", "lines": {"begin": 1}},
        },
        {
            "description": "no purpose",
            "check_name": "MF505 missing-purpose",
            "severity": "info",
            "location": {"path": "b", "lines": {"begin": 1}},
        },
    ]


def fingerprints(text: str, *starts: int, path: str = "a") -> list[str]:
    diagnostics = tuple(found(start, start + 1, "untagged", Severity.WARNING) for start in starts)
    return [
        issue["fingerprint"]
        for issue in json.loads(
            "".join(findings_as_gitlab(Report(findings=[(Source(text=text, path=path), diagnostics)])))
        )
    ]


def test_gitlab_fingerprints_survive_moved_lines() -> None:
    first, second = fingerprints("FROM x\nFROM x\n", 0, 7)
    assert first != second
    assert fingerprints("# new\n\nFROM x\nFROM x\n", 7, 14) == [first, second]
    assert fingerprints("FROM x\n", 0, path="./a") == [first]
    assert fingerprints("FROM x\n", 0, path="c") != [first]
    assert fingerprints("FROM y\n", 0) != [first]


def test_junit() -> None:
    text = "".join(findings_as_junit(Report(findings=files())))
    assert text.isascii()
    assert text.splitlines()[:3] == [
        '<testsuites name="modelfile" tests="4" failures="2">',
        '  <testsuite name="&#27169;&#22411;/100%, a:b/Modelfile" errors="0" tests="1" failures="1">',
        '    <testcase classname="&#27169;&#22411;/100%, a:b/Modelfile" name="MF301 unknown-parameter 2:4">',
    ]
    suites = list(ET.fromstring(text))  # noqa: S314  # what has just been written
    failures = [(failure.attrib, failure.text) for suite in suites for failure in suite.iter("failure")]
    assert failures == [
        (
            {"type": "error", "message": "no `{{ .X }}` 50%<U+000A>or <U+001B>语"},
            "模型/100%, a:b/Modelfile:2:4: no `{{ .X }}` 50%<U+000A>or <U+001B>语\ndid you mean, `a:b`?",
        ),
        ({"type": "warning", "message": "untagged"}, "b:1:1: untagged"),
    ]
    assert [output.text for suite in suites for output in suite.iter("system-out")] == ["b:1:1: no purpose"]
    assert [suite.get("failures") for suite in suites] == ["1", "0", "1"]
    assert [(case.get("name"), len(case)) for case in suites[1]] == [("lint", 0)]
    assert [suite.get("tests") for suite in suites] == ["1", "1", "2"]


@pytest.mark.parametrize(
    ("character", "shown"),
    [("\0", "<U+0000>"), ("\n", "<U+000A>"), ("\x1b", "<U+001B>"), ("\ud800", "<U+D800>"), ("\ufffe", "")],
)
def test_junit_escapes_control_characters_and_omits_what_xml_forbids(character: str, shown: str) -> None:
    source = Source(text="x", path=f"a{character}b")
    (suite,) = ET.fromstring("".join(findings_as_junit(Report(findings=[(source, ())]))))  # noqa: S314  # what has just been written
    assert suite.get("name") == f"a{shown}b"


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_a_function_of_a_report(name: str) -> None:
    report = Report(findings=files())
    assert "MF301" in "".join(render(report, name))


@pytest.mark.parametrize("name", FORMATS)
def test_a_long_report_is_not_in_memory_whole(name: str) -> None:
    source = Source(text="FROM x\n", path="Modelfile")
    assert len([*render(Report(findings=[(source, (found(0, 4, "untagged", Severity.WARNING),) * 5_000)]), name)]) > 1


def test_no_findings_give_an_empty_report() -> None:
    clean = Report(findings=[(Source(text="FROM y:1\n"), ())])
    assert "".join(findings_as_concise(clean)) == "".join(findings_as_github(clean)) == ""
    assert json.loads("".join(findings_as_gitlab(clean))) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk that is always full")
@pytest.mark.parametrize("where", ["2> /dev/full", "2>&-"])
@pytest.mark.parametrize(
    ("arguments", "code", "out"),
    [
        ("lint", 1, "Modelfile:3:11: error MF301"),
        ("fmt --check", 0, ""),
        ("build bot:v1 --dry-run", 3, ""),
        ("build bot:v1 -f Good", 0, "bot:v1\n  fingerprint"),
        ("pin Good", 0, "Good: pinned weights.gguf (sha256:"),
        ("lnt", 2, ""),
        ("lint --bogus", 2, ""),
        ("show bot:v2", 3, ""),
    ],
)
def test_closed_or_full_standard_error_does_not_change_the_result(
    project: Path, where: str, arguments: str, code: int, out: str
) -> None:
    (project / "Good").write_text((project / "Modelfile").read_text())
    (project / "Modelfile").write_text("# For tests.\nFROM ./weights.gguf\nPARAMETER bogus 1\n")
    command = f"{shlex.quote(sys.executable)} -m modelfile {arguments} {where}"
    ran = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (code, "")
    assert out in ran.stdout
