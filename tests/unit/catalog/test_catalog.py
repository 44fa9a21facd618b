"""Tests of the catalog against recorded servers, against Ollama's command line and for consistency."""

import json
import re
from importlib.resources import files
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.paths import DATA

from modelfile.catalog.catalog import Catalog, catalog
from modelfile.catalog.instructions import INSTRUCTIONS, InstructionSpec
from modelfile.catalog.parameters import PARAMETERS, Default, Kind, ParameterSpec
from modelfile.catalog.quantizations import QUANTIZATIONS, QUANTIZES_FROM, Quantization
from modelfile.catalog.versions import NEWEST, Version
from modelfile.source import Source
from modelfile.syntax import nodes
from modelfile.syntax.modelfile import Modelfile

TRACED = (Version(0, 9, 3), Version(0, 24, 0), Version(0, 33, 0, 2))
V033 = catalog(TRACED[-1])
INSTRUCTION_OF_FIELD = {
    "from": "FROM",
    "files": "FROM",
    "adapters": "ADAPTER",
    "template": "TEMPLATE",
    "system": "SYSTEM",
    "license": "LICENSE",
    "messages": "MESSAGE",
    "parameters": "PARAMETER",
}
JSON_KINDS: dict[type, set[Kind]] = {
    bool: {Kind.BOOL},
    int: {Kind.INT, Kind.FLOAT},
    float: {Kind.FLOAT},
    list: {Kind.STRINGS},
}
VALUE_TYPES: dict[Kind, type] = {Kind.INT: int, Kind.FLOAT: float, Kind.BOOL: bool, Kind.STRINGS: tuple}

versions = st.builds(
    Version,
    st.integers(0, 3),
    st.integers(0, 40),
    st.integers(0, 20),
    st.none() | st.integers(0, 12),
)


def traces() -> list[Any]:
    paths = sorted((DATA / "traces").glob("ollama-*.json"))
    return [pytest.param(json.loads(path.read_text(encoding="utf-8")), id=path.stem) for path in paths]


def catalog_of(trace: list[Any]) -> Catalog:
    answer = next(exchange["response"] for exchange in trace if exchange["request"]["path"] == "/api/version")
    return catalog(Version.parse(json.loads(answer["lines"][0])["version"]))


@pytest.mark.parametrize("trace", traces())
def test_version_of_a_recorded_server_is_covered(trace: list[Any]) -> None:
    assert catalog_of(trace).version in TRACED


@pytest.mark.parametrize("trace", traces())
def test_recorded_servers_accept_the_parameters_of_the_catalog(trace: list[Any]) -> None:
    known = catalog_of(trace)
    created = 0
    for exchange in trace:
        request, lines = exchange["request"], exchange["response"]["lines"]
        if request["path"] != "/api/create" or lines[-1:] != ['{"status":"success"}']:
            continue
        created += 1
        assert {INSTRUCTION_OF_FIELD[field] for field in request["json"] if field in INSTRUCTION_OF_FIELD} <= set(
            known.instructions
        )
        if exchange["note"] == "bad parameters are taken":
            assert "bogus" not in known.parameters
            continue
        for name, value in request["json"].get("parameters", {}).items():
            assert known.parameters[name].kind in JSON_KINDS[type(value)]
    assert created


@pytest.mark.parametrize("trace", traces())
def test_recorded_servers_show_instructions_of_the_catalog(trace: list[Any]) -> None:
    known = catalog_of(trace)
    shown = [
        json.loads(exchange["response"]["lines"][0])["modelfile"]
        for exchange in trace
        if exchange["request"]["path"] == "/api/show" and exchange["response"]["status"] == 200
    ]
    assert shown
    for text in shown:
        for node in Modelfile.parse(Source.decode(text.encode())).nodes:
            if isinstance(node, nodes.Instruction):
                assert node.keyword.text.strip() in known.instructions
            if isinstance(node, nodes.Parameter):
                assert node.name.text in known.parameters


def verdicts() -> dict[str, set[Kind | str]]:
    """Collect the verdicts of Ollama's command line on each parameter, over all recorded values."""
    found: dict[str, set[Kind | str]] = {}
    for line in (DATA / "vectors/create_request.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        named = re.findall(r"^PARAMETER (\w+) ", row["input"], re.MULTILINE)
        if len(set(named)) != 1:
            continue
        verdict = found.setdefault(named[0], set())
        if row["ok"]:
            sent = row["request"].get("parameters", {}).get(named[0])
            verdict |= {"skipped"} if sent is None else set()
            verdict |= {Kind.STRINGS} if isinstance(sent, list) else set()
        elif invalid := re.match(r"invalid (int|float|bool) value", row["error"]):
            verdict.add(Kind(invalid[1]))
        elif row["error"] == f"unknown parameter '{named[0]}'":
            verdict.add("unknown")
    return found


def test_parameters_agree_with_the_command_line() -> None:
    found = verdicts()
    known = {name: verdict for name, verdict in found.items() if not verdict & {"unknown", "skipped"}}
    for name, verdict in known.items():
        assert verdict == {V033.parameters[name].kind}
    assert set(known) == set(V033.parameters)
    assert {name for name, verdict in found.items() if verdict == {"skipped"}} == set(V033.deprecated)
    unknown = {name for name, verdict in found.items() if verdict == {"unknown"}}
    assert not unknown & {*V033.parameters, *V033.deprecated}
    assert {name for name in PARAMETERS if V033.removed(name)} - set(V033.deprecated) > unknown & set(PARAMETERS)


def test_catalog_nodes_and_grammar_agree_on_the_instructions() -> None:
    grammar = files("modelfile.syntax").joinpath("modelfile.lark").read_text(encoding="utf-8")
    *starts, unclosed = [set(words.upper().split("|")) for words in re.findall(r"\(\?ai:([a-z|]+)\)", grammar)]
    assert set(catalog().instructions) == set(V033.instructions) == set(nodes.WORDS) == set().union(*starts) == unclosed


def test_known_differences_between_versions() -> None:
    old, middle, new = (catalog(version) for version in TRACED)
    assert set(new.instructions) - set(old.instructions) == {"RENDERER", "PARSER", "REQUIRES", "DRAFT"}
    assert INSTRUCTIONS["REQUIRES"].since == Version(0, 14, 0)
    assert [known.default("num_ctx") for known in (catalog(Version(0, 5, 0)), old, middle, new)] == [
        *(2048, 4096, None, None)
    ]
    assert [known.default("repeat_penalty") for known in (old, middle, new)] == [1.1, 1.1, 1.0]
    assert catalog(Version(0, 32, 9)).default("repeat_penalty") == 1.1
    assert catalog(Version(0, 32, 10)).default("repeat_penalty") == 1.0
    assert "draft_num_predict" not in middle.parameters
    assert "draft_num_predict" in new.parameters
    assert set(old.deprecated) == set(new.deprecated)
    server = {name for name, quantization in new.quantizations.items() if not quantization.experimental}
    assert server == {"F32", "F16", "BF16", "Q8_0", "Q4_K", "Q4_K_S", "Q4_K_M"}
    assert new.quantizes_from == {"F16", "BF16", "F32"}


def test_announced_removals_apply_after_the_newest_version() -> None:
    later = catalog(Version(0, 34, 1))
    assert "ADAPTER" not in later.instructions
    assert all(quantization.experimental for quantization in later.quantizations.values())
    assert later.parameters == catalog().parameters


def test_removed_parameters() -> None:
    assert catalog().version == NEWEST
    assert catalog() is catalog(NEWEST)
    assert catalog().removed("tfs_z") == Version(0, 5, 2)
    assert catalog(Version(0, 5, 1)).removed("tfs_z") is None
    assert catalog().removed("mirostat") == Version(0, 7, 0)
    assert "mirostat" in catalog(Version(0, 6, 8)).parameters
    assert "mirostat" not in catalog(Version(0, 6, 8)).deprecated
    assert catalog().removed("temperature") is None
    assert catalog().removed("bogus") is None
    with pytest.raises(KeyError):
        catalog().default("tfs_z")
    assert not catalog(Version(0, 0, 5)).parameters
    assert not catalog(Version(0, 0, 5)).quantizes_from


@pytest.mark.parametrize(
    "fact",
    [*PARAMETERS.values(), *INSTRUCTIONS.values(), *QUANTIZATIONS.values()],
    ids=lambda fact: type(fact).__name__,
)
def test_entry_has_consistent_versions_and_a_source(fact: ParameterSpec | InstructionSpec | Quantization) -> None:
    assert fact.until is None or fact.since < fact.until
    assert all(version is None or version.candidate is None for version in (fact.since, fact.until))
    assert fact.since <= NEWEST
    assert re.search(r"\bv\d+\.\d+\.\d+ ", fact.source)
    if not isinstance(fact, Quantization):
        assert re.fullmatch(r"[A-Z][^.]*\.", fact.summary)


@pytest.mark.parametrize("parameter", PARAMETERS.values(), ids=PARAMETERS.keys())
def test_defaults_of_a_parameter_are_consistent(parameter: ParameterSpec) -> None:
    dates = [since for since, _ in parameter.defaults]
    assert dates[0] == parameter.since
    assert all(earlier < later for earlier, later in pairwise(dates))
    assert all(earlier != later for (_, earlier), (_, later) in pairwise(parameter.defaults))
    assert parameter.until is None or dates[-1] < parameter.until
    assert parameter.deprecated in {None, parameter.until}
    assert bool(parameter.example) == (parameter.until is None)
    assert bool(parameter.decided) == any(value is None for _, value in parameter.defaults)
    assert not parameter.decided or parameter.decided.endswith(".")
    for _, value in parameter.defaults:
        assert value is None or type(value) is VALUE_TYPES[parameter.kind]
        assert in_range(parameter, value)
    assert all(in_range(parameter, value) for value, _ in parameter.special)
    if parameter.kind not in {Kind.INT, Kind.FLOAT}:
        assert (parameter.minimum, parameter.maximum, parameter.special) == (None, None, ())


def in_range(parameter: ParameterSpec, value: Default) -> bool:
    if value is None or isinstance(value, tuple):
        return True
    return (parameter.minimum is None or parameter.minimum <= value) and (
        parameter.maximum is None or value <= parameter.maximum
    )


def test_quantizations_are_consistent() -> None:
    for name, quantization in QUANTIZATIONS.items():
        assert name == quantization.name == name.upper()
        result = QUANTIZATIONS[quantization.means]
        assert result.means == result.name
        assert result.experimental == quantization.experimental
    assert all(earlier < later for (earlier, _), (later, _) in pairwise(QUANTIZES_FROM))


@given(versions)
def test_version_round_trips(version: Version) -> None:
    assert Version.parse(str(version)) == version
    assert Version.parse(f"v{version}") == version
    assert Version.parse(f"{version}-head") == version
    assert Version.parse(f"{version}-12-gabcdef0") == version


@given(versions, versions, versions)
def test_versions_are_totally_ordered(one: Version, two: Version, three: Version) -> None:
    assert (one < two) + (one == two) + (one > two) == 1
    assert (one <= two) == (not one > two)
    if one <= two <= three:
        assert one <= three
    if (one.major, one.minor, one.patch) != (two.major, two.minor, two.patch):
        assert (one < two) == ((one.major, one.minor, one.patch) < (two.major, two.minor, two.patch))


@given(versions, st.integers(0, 99), st.integers(0, 99))
def test_release_candidates_are_older_than_their_release(version: Version, one: int, two: int) -> None:
    release = Version(version.major, version.minor, version.patch)
    candidates = [Version(version.major, version.minor, version.patch, number) for number in (one, two)]
    assert all(candidate < release for candidate in candidates)
    assert (candidates[0] < candidates[1]) == (one < two)


def test_version_spellings() -> None:
    assert Version.parse("0.33.0-rc2-head") == Version(0, 33, 0, 2)
    assert Version.parse("0.33.0rc2") == Version(0, 33, 0, 2)
    assert Version.parse("0.9") == Version(0, 9, 0)
    for text in ("", "v", "latest", "0.9.", "0.9.3.1", "0.9.3x", " 0.9.3", "\u0663.1"):
        with pytest.raises(ValueError, match="is not a version of Ollama"):
            Version.parse(text)
