"""`mf check` is `mf lint`, `mf fmt --check` and `mf pin --check` in one."""

import json
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import jsonschema
import pytest
from tests.support.cli import Ran, mf
from tests.support.paths import ROOT

from modelfile.errors import UsageError
from modelfile.report.formats import FORMATS
from modelfile.stores.memory import MemoryStore

GOOD = "# Answers questions.\nFROM llama3.2:3b\n"
SCHEMA = json.loads((ROOT / "docs/schema/check.schema.json").read_text(encoding="utf-8"))


def unreachable(address: object) -> nullcontext[MemoryStore]:
    raise UsageError(f"asked {address}")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    (tmp_path / "Modelfile").write_text(GOOD)
    (tmp_path / "bot").mkdir()
    (tmp_path / "bot" / "Modelfile").write_text(GOOD)
    assert mf("pin", open_store=lambda _: nullcontext(MemoryStore.with_models("llama3.2:3b"))).code == 0
    return tmp_path


def check(*arguments: str) -> Ran:
    return mf("check", *arguments, open_store=unreachable)


def write(text: str, name: str = "Modelfile") -> Callable[[], object]:
    return lambda: Path(name).write_text(text, encoding="utf-8")


def damage() -> None:
    Path("mf.lock").write_text("{")


def loop() -> None:
    Path("loop.Modelfile").symlink_to("loop.Modelfile")


def remove_all() -> None:
    Path("Modelfile").unlink()
    Path("bot/Modelfile").unlink()


CHANGES: dict[str, Callable[[], object]] = {
    "nothing": lambda: None,
    "a defect": write(GOOD + "PARAMETER temprature 1\n"),
    "a syntax error": write(GOOD + 'SYSTEM """x\n'),
    "unformatted": write(GOOD.replace("FROM", "from")),
    "changed": write(GOOD + "PARAMETER seed 1\n"),
    "a new Modelfile": write(GOOD, "new.Modelfile"),
    "a Modelfile that is gone": lambda: Path("bot/Modelfile").unlink(),
    "no lock": lambda: Path("mf.lock").unlink(),
    "a damaged lock": damage,
    "a lock from the future": lambda: Path("mf.lock").write_text('{"version": "9.0", "modelfiles": {}}\n'),
    "carriage returns": write(GOOD + 'SYSTEM """a\r\r\nb"""\n'),
    "not UTF-8": lambda: Path("Modelfile").write_bytes(GOOD.encode() + b"SYSTEM \xff\n"),
    "a loop of symlinks": loop,
    "a model that is not there": write('[models.x]\nmodelfile = "no.Modelfile"\ntag = "v1"\n', "mf.toml"),
    "no Modelfile": remove_all,
    "an invalid configuration": write("x = 1\n", "mf.toml"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_it_exits_0_exactly_if_lint_fmt_and_pin_do(project: Path, change: str) -> None:
    CHANGES[change]()
    codes = [mf(*words, open_store=unreachable).code for words in PARTS]
    ran = check()
    assert (ran.code == 0) == (max(codes) == 0), (ran, codes)
    assert ran.code in codes
    assert project.exists()


PARTS = (("lint",), ("fmt", "--check"), ("pin", "--check", "--frozen"))


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("output_format", FORMATS)
def test_every_format_has_the_same_exit_code_and_writes_no_file(project: Path, change: str, output_format: str) -> None:
    CHANGES[change]()
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    ran = check("--format", output_format)
    assert ran.code == check().code
    assert {path: path.read_bytes() for path in project.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("change", CHANGES)
def test_json_matches_its_schema(project: Path, change: str) -> None:
    CHANGES[change]()
    ran = check("--json")
    document = json.loads(ran.out)
    if "error" in document:  # nothing was checked
        assert ran.code in (2, 3)
        return
    jsonschema.validate(document, SCHEMA)
    assert document["files"] == sum(path.is_file() for path in project.rglob("*Modelfile"))


def test_the_schema_is_that_of_lint_with_more_codes() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    for code, valid in (("MF301", True), ("FMT001", True), ("PIN008", True), ("PIN999", False), ("XMF301", False)):
        validator = jsonschema.Draft202012Validator(SCHEMA["$defs"]["finding"]["properties"]["code"])
        assert validator.is_valid(code) is valid


@pytest.mark.usefixtures("project")
def test_excluded_modelfiles_are_skipped() -> None:
    write('exclude = ["vendor/"]\n', "mf.toml")()
    Path("vendor").mkdir()
    write(GOOD + "PARAMETER temprature 1\n", "vendor/Modelfile")()
    assert check().code == 0
    assert check("vendor/Modelfile").code == 1
    ran = check("vendor/Modelfile", "--force-exclude")
    assert (ran.code, ran.out) == (0, "")
    assert "no Modelfile left" in ran.err


@pytest.mark.usefixtures("project")
def test_fail_level() -> None:
    write(GOOD + "PARAMETER seed 1\n")()
    assert [check("--fail-level", level).code for level in ("info", "warning", "error")] == [1, 1, 0]
    assert "PIN003" in check("--fail-level", "error").out


@pytest.mark.usefixtures("project")
def test_output_file() -> None:
    write(GOOD + "PARAMETER seed 1\n")()
    ran = check("--format", "sarif", "--output-file", "out.sarif")
    assert (ran.code, ran.out, ran.err) == (1, "", "")
    assert json.loads(Path("out.sarif").read_text(encoding="utf-8"))["runs"][0]["results"][0]["ruleId"] == "PIN003"


@pytest.mark.usefixtures("project")
def test_each_way_to_select_a_configuration() -> None:
    write('fail-level = "error"\n', "other.toml")()
    write("# Answers questions.\nFROM llama3.2\n")()
    assert check("--config", "other.toml").code == 0
    write('fail-level = "error"\n', "mf.toml")()
    assert (check().code, check("--isolated").code) == (0, 1)


@pytest.mark.usefixtures("project")
def test_rules_that_stopped_at_the_most_findings_are_named() -> None:
    write(GOOD + "PARAMETER temprature 1\n" * 10_001)()
    ran = check("--format", "concise")
    assert ran.out.count("MF301") == 10_000
    assert "Modelfile: unknown-parameter reports at most 10,000 findings" in ran.err
