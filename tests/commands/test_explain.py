"""What `mf explain` says of rules, families, parameters and instructions."""

import json

import pytest
from tests.support.cli import mf

from modelfile.api import lint
from modelfile.catalog.instructions import INSTRUCTIONS
from modelfile.catalog.parameters import PARAMETERS
from modelfile.diagnostics import Severity
from modelfile.linter.rule import page
from modelfile.linter.rules import RULES

EVERYTHING = [*PARAMETERS, *INSTRUCTIONS]


@pytest.mark.parametrize("name", ["MF201", "mf201", "201", "unpinned-base", "Unpinned-Base"])
def test_a_rule_by_any_of_its_names(name: str) -> None:
    rule = next(rule for rule in RULES if rule.code == "MF201")
    assert mf("explain", name).out == page(rule)
    assert json.loads(mf("explain", name, "--json").out)["name"] == "unpinned-base"


@pytest.mark.parametrize("name", ["MF2", "mf2xx", "2"])
def test_a_family_lists_its_rules(name: str) -> None:
    codes = [rule.code for rule in RULES if rule.code.startswith("MF2")]
    assert [line.split()[0] for line in mf("explain", name).out.splitlines()] == codes
    assert [rule["code"] for rule in json.loads(mf("explain", name, "--json").out)] == codes


@pytest.mark.parametrize("name", EVERYTHING)
def test_a_page_has_no_source_and_only_rules_that_there_are(name: str) -> None:
    text, told = mf("explain", name).out, json.loads(mf("explain", name, "--json").out)
    assert told["source"] not in text
    assert told["what"] in text
    assert all(f" {rule}\n" in text for rule in told["rules"])
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize("names", [PARAMETERS, INSTRUCTIONS], ids=["parameters", "instructions"])
def test_json_has_the_same_keys_for_all(names: dict[str, object]) -> None:
    assert len({tuple(json.loads(mf("explain", name, "--json").out)) for name in names}) == 1


@pytest.mark.parametrize("name", EVERYTHING)
def test_the_example_is_valid(name: str) -> None:
    known = PARAMETERS.get(name) or INSTRUCTIONS[name]
    if known.until is not None and name != "ADAPTER":  # which the newest known still takes
        return
    word = f"PARAMETER {name}" if name in PARAMETERS else name
    assert f"{word} {known.example}\n" in mf("explain", name).out
    text = f"{'' if name == 'FROM' else 'FROM llama3.2:3b'}\n{word} {known.example}\n"
    assert [found.name for found in lint(text) if found.severity is not Severity.INFO] == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("num_gqa", "took it from 0.0.13 on; refuses it since 0.1.35"),
        ("tfs_z", "took it from 0.0.6 on; refuses it since 0.5.2"),
        ("mirostat", "took it from 0.0.6 on; warns and drops it since 0.7.0"),
        ("RENDERER", "takes it since 0.12.0, and refuses it before"),
        ("FROM", "files add up; of several names the last one wins"),
        ("PARAMETER", "of one name the last one wins; several `PARAMETER stop` add up"),
        ("repeat_penalty", "since 0.32.10: 1 (off)"),
        ("num_ctx", "MF505 long-system-prompt"),
    ],
)
def test_said(name: str, said: str) -> None:
    assert said in mf("explain", name).out


def test_there_is_no_format() -> None:
    ran = mf("explain", "format")
    assert ran.code == 2
    assert "there is no FORMAT" in ran.err
    assert '"format": "json"' in ran.err
