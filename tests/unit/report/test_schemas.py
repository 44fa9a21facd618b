"""SARIF and JSON, against their published schemas."""

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.findings import Files, files, found
from tests.support.paths import ROOT

from modelfile.diagnostics import Severity
from modelfile.errors import InputError, ModelfileError
from modelfile.linter.rules.structure.missing_from import missing_from
from modelfile.report.formats import Report
from modelfile.report.json_output import dumps, findings_as_json
from modelfile.report.sarif import findings_as_sarif
from modelfile.source import Source

SARIF = json.loads((ROOT / "tests/data/schemas/sarif-2.1.0.json").read_text(encoding="utf-8"))
LINT = json.loads((ROOT / "docs/schema/lint.schema.json").read_text(encoding="utf-8"))
PAGES = {"MF301": "Ollama knows no {such} parameter.\n\nMore.", "MF999": "Not found here."}


DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text('aé"\\\n/', max_size=5),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text("abc"), inner),
    max_leaves=12,
)


def sarif(files: Files, **options: str) -> Any:
    log = json.loads("".join(findings_as_sarif(Report(findings=files), version="1.2.3", pages=PAGES, **options)))
    jsonschema.validate(log, SARIF, format_checker=jsonschema.FormatChecker())
    return log["runs"][0]


def test_sarif() -> None:
    run = sarif(files(), help_uri="https://example.org/rules/{name}#{code}")
    assert run["tool"]["driver"] == {
        "name": "modelfile",
        "version": "1.2.3",
        "rules": [
            {"id": "MF201", "name": "unpinned-base", "helpUri": "https://example.org/rules/unpinned-base#MF201"},
            {
                "id": "MF301",
                "name": "unknown-parameter",
                "shortDescription": {"text": "Ollama knows no {{such}} parameter."},
                "helpUri": "https://example.org/rules/unknown-parameter#MF301",
            },
            {"id": "MF505", "name": "missing-purpose", "helpUri": "https://example.org/rules/missing-purpose#MF505"},
        ],
    }
    assert (run["columnKind"], run["newlineSequences"]) == ("unicodeCodePoints", ["\r\n", "\r", "\n"])
    first, second, third = run["results"]
    assert len(first.pop("partialFingerprints")["modelfile/v1"]) == 64
    assert first == {
        "ruleId": "MF301",
        "ruleIndex": 1,
        "level": "error",
        "message": {"text": "no `{{{{ .X }}}}` 50%\nor \x1b语\ndid you mean, `a:b`?"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": "%E6%A8%A1%E5%9E%8B/100%25%2C%20a%3Ab/Modelfile"},
                    "region": {"startLine": 2, "startColumn": 4, "endLine": 2, "endColumn": 8},
                }
            }
        ],
    }
    assert (second["level"], second["ruleIndex"], third["level"], third["ruleIndex"]) == ("warning", 0, "note", 2)


@pytest.mark.parametrize(
    ("path", "uri"), [("./a\\b", "a%5Cb"), ("/a b", "file:///a%20b"), ("../a", "../a"), ("a\udcff", "a%FF"), ("-", "-")]
)
def test_sarif_uri(path: str, uri: str) -> None:
    (result,) = sarif([(Source(text="x", path=path), (found(0, 1, "m", Severity.ERROR),))])["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": uri}


def test_sarif_without_findings() -> None:
    assert sarif([])["results"] == []


def test_sarif_says_what_could_not_be_read() -> None:
    unread = [InputError("cannot read `{a}`", hint="Look."), InputError("b")]
    log = json.loads("".join(findings_as_sarif(Report(findings=files(), unread=unread), version="1", pages=PAGES)))
    jsonschema.validate(log, SARIF, format_checker=jsonschema.FormatChecker())
    (invocation,) = log["runs"][0]["invocations"]
    assert invocation["executionSuccessful"] is False
    assert [one["message"]["text"] for one in invocation["toolExecutionNotifications"]] == [
        "cannot read `{{a}}`\nLook.",
        "b",
    ]


def test_sarif_schema_rejects_invalid_reports() -> None:
    log = json.loads("".join(findings_as_sarif(Report(findings=files()), version="1", pages=PAGES)))
    log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] = 0
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(log, SARIF)


def test_json_matches_its_schema() -> None:
    unread = [ModelfileError("cannot read a", hint="Look."), ModelfileError("b")]
    undecided = [(Source(text="", path="-"), [(missing_from, "no folder")])]
    told = json.loads("".join(findings_as_json(Report(findings=files(), unread=unread, undecided=undecided))))
    jsonschema.Draft202012Validator.check_schema(LINT)
    jsonschema.validate(told, LINT)
    assert told.keys() == LINT["properties"].keys()
    assert told["unread"][0].keys() == LINT["properties"]["unread"]["items"]["properties"].keys()
    assert {key for each in told["findings"] for key in each} == LINT["$defs"]["finding"]["properties"].keys()


@pytest.mark.parametrize(("field", "value"), [("severity", "note"), ("line", 0), ("code", "301"), ("help", 1)])
def test_json_schema_rejects_other_types(field: str, value: object) -> None:
    told = json.loads("".join(findings_as_json(Report(findings=files()))))
    told["findings"][0][field] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(told, LINT)


@given(document=DOCUMENTS, one_line=st.booleans())
def test_json_is_written_as_the_standard_library_writes_it(*, document: Any, one_line: bool) -> None:
    indent = None if one_line else 2
    assert dumps(document, one_line=one_line) == json.dumps(document, indent=indent, ensure_ascii=False)


@given(st.lists(DOCUMENTS))
def test_generator_is_written_as_a_list(items: list[Any]) -> None:
    document = {"items": (item for item in items)}
    assert dumps(document) == json.dumps({"items": items}, indent=2, ensure_ascii=False)
