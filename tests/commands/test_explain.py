"""`mf explain`: rules, families, parameters, instructions and quantizations."""

import json
from pathlib import Path

import pytest
from tests.support.cli import mf

from modelfile import lint
from modelfile.catalog.file_types import FILE_TYPES_BY_NAME
from modelfile.catalog.instructions import INSTRUCTIONS
from modelfile.catalog.parameters import PARAMETERS
from modelfile.diagnostics import Severity
from modelfile.linter.rule import page
from modelfile.linter.rules import RULES

EVERYTHING = [*PARAMETERS, *INSTRUCTIONS]


@pytest.mark.parametrize("name", ["MF201", "mf201", "201", "unpinned-base", "Unpinned-Base"])
def test_rule_is_explained_by_any_of_its_names(name: str) -> None:
    rule = next(rule for rule in RULES if rule.code == "MF201")
    assert mf("explain", name).out == page(rule)
    assert json.loads(mf("explain", name, "--json").out)["name"] == "unpinned-base"


@pytest.mark.parametrize("name", ["MF2", "mf2xx", "2"])
def test_family_lists_its_rules(name: str) -> None:
    codes = [rule.code for rule in RULES if rule.code.startswith("MF2")]
    assert [line.split()[0] for line in mf("explain", name).out.splitlines()] == codes
    assert [rule["code"] for rule in json.loads(mf("explain", name, "--json").out)] == codes


@pytest.mark.parametrize("name", EVERYTHING)
def test_page_names_the_rules_and_no_source(name: str) -> None:
    text, content = mf("explain", name).out, json.loads(mf("explain", name, "--json").out)
    assert content["source"] not in text
    assert content["summary"] in text
    assert all(f" {rule}\n" in text for rule in content["rules"])
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize("names", [PARAMETERS, INSTRUCTIONS], ids=["parameters", "instructions"])
def test_json_keys_are_the_same_for_all(names: dict[str, object]) -> None:
    assert len({tuple(json.loads(mf("explain", name, "--json").out)) for name in names}) == 1


@pytest.mark.parametrize("name", EVERYTHING)
def test_example_is_valid(name: str) -> None:
    known = PARAMETERS.get(name) or INSTRUCTIONS[name]
    if known.until is not None and name != "ADAPTER":  # it still works in the newest known version
        return
    word = f"PARAMETER {name}" if name in PARAMETERS else name
    assert f"{word} {known.example}\n" in mf("explain", name).out
    text = f"{'' if name == 'FROM' else 'FROM team/base:v1'}\n{word} {known.example}\n"
    assert [found.name for found in lint(text) if found.severity is not Severity.INFO] == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("num_gqa", "accepted it from 0.0.13 on; rejects it since 0.1.35"),
        ("tfs_z", "accepted it from 0.0.6 on; rejects it since 0.5.2"),
        ("mirostat", "accepted it from 0.0.6 on; warns and ignores it since 0.7.0"),
        ("RENDERER", "accepts it since 0.12.0; earlier versions reject it"),
        ("FROM", "files add up; the last name wins"),
        ("PARAMETER", "the last one of a name wins; several `PARAMETER stop` add up"),
        ("repeat_penalty", "since 0.32.10: 1 (off)"),
        ("num_ctx", "MF505 long-system-prompt"),
    ],
)
def test_page_states_versions_and_repetition(name: str, words: str) -> None:
    assert words in mf("explain", name).out


def test_format_is_not_an_instruction() -> None:
    ran = mf("explain", "format")
    assert ran.code == 2
    assert "there is no FORMAT" in ran.err
    assert '"format": "json"' in ran.err


@pytest.mark.parametrize("code", ["MF999", "MF99"])
def test_code_of_no_family_is_like_no_other(code: str) -> None:
    assert mf("explain", code).err == (
        f"error: unknown rule or family: `{code}`\nhelp: run `mf explain` to list all rules\n"
    )
    assert "did you mean `MF704`?" in mf("explain", "MF705").err


def test_example_of_a_template_is_clean() -> None:
    example = json.loads(mf("explain", "TEMPLATE", "--json").out)["example"]
    assert lint(f"FROM team/base:v1\nPARAMETER num_ctx 4096\nTEMPLATE {example}\n") == ()


@pytest.mark.parametrize(("version", "warns"), [("9.9", True), ("0.99.0", True), ("0.33.0", False), ("0.9.3", False)])
def test_unknown_version_of_ollama_is_reported(version: str, *, warns: bool, tmp_path: Path) -> None:
    (tmp_path / "Modelfile").write_text("FROM llama3.2:3b\n")
    ran = mf("lint", "--ollama", version, cwd=tmp_path)
    assert ("is not known: its facts are those of" in ran.err) == warns
    assert ran.code == 0


@pytest.mark.parametrize("name", FILE_TYPES_BY_NAME)
def test_quantization_is_explained(name: str) -> None:
    text, content = mf("explain", name.lower()).out, json.loads(mf("explain", name, "--json").out)

    assert text.startswith(f"# {name}\n\n")
    assert [*content] == ["name", "summary", "bits_per_weight", "since", "made_since", "made_until"]
    assert content["bits_per_weight"] == FILE_TYPES_BY_NAME[name].bits
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize(("name", "expected"), [("Q4_K", "Q4_K_M"), ("mxfp4", "MXFP4_MOE")])
def test_alias_of_a_quantization(name: str, expected: str) -> None:
    assert mf("explain", name).out.startswith(f"# {expected}\n")


def test_releases_of_a_quantization_are_those_that_were_read() -> None:
    assert "\nRuns      in every release from 0.5.5 on, the oldest that was read\n" in mf("explain", "TQ1_0").out
    assert "\nRuns      in Ollama 0.30.0 and later\n" in mf("explain", "NVFP4").out


def test_unknown_quantization_has_a_suggestion() -> None:
    found = mf("explain", "q4_k_x")

    assert found.code == 2
    assert found.err.splitlines() == [
        "error: unknown rule, parameter, instruction or quantization: `q4_k_x`",
        "help: did you mean `Q4_K_S`?",
    ]


def test_formats_of_weights() -> None:
    found = mf("explain", "GGUF")
    assert found.out.startswith("# GGUF\n\nThe format of weights that Ollama runs: ")
    assert "\nRules     MF6" in found.out
    assert max(map(len, found.out.splitlines())) <= 100
    answer = json.loads(mf("explain", "safetensors", "--json").out)
    assert [*answer] == ["name", "summary", "facts", "rules", "source"]


def test_format_of_weights_lists_the_rules_on_it() -> None:
    listed = {name: json.loads(mf("explain", name, "--json").out)["rules"] for name in ("gguf", "safetensors")}
    gguf, safetensors = ([rule.split()[0] for rule in rules] for rules in listed.values())
    on_weights = [rule.code for rule in RULES if rule.code.startswith("MF6")]
    assert gguf[: len(on_weights)] == on_weights
    assert {"MF317", "MF426", "MF517", "MF704"} <= {*gguf[len(on_weights) :]}
    assert {"MF601", "MF607", "MF608", "MF609", "MF611", "MF615"} <= {*safetensors}
    assert not {"MF610", "MF616", "MF704"} & {*safetensors}


def test_gguf_is_explained_in_all_versions_that_are_read() -> None:
    assert "the version (1, 2 or 3)" in mf("explain", "gguf").out
