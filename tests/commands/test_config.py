"""What configuration takes, and what it says of what it does not."""

import json
import tomllib
from pathlib import Path

import pytest
from tests.support.cli import mf

from modelfile.diagnostics import Severity
from modelfile.linter.rules import RULES
from modelfile.linter.settings import severities_of
from modelfile.project.config import KEYS


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('select = ["nope-base"]', "`nope-base` is no rule"),
        ('ignore = ["nope-base"]', "`nope-base` is no rule"),
        ('severities = {nope-base = "info"}', "`nope-base` is no rule"),
        ('per-file-ignores = {"drafts/*" = ["nope-base"]}', "`nope-base` is no rule"),
        ('target = "banana"', "`banana` is not a version of Ollama"),
        ('target = ""', "`` is not a version of Ollama"),
        ('severities = {MF2 = "high"}', "a table of error, warning and info"),
    ],
)
def test_what_is_wrong_is_told_with_the_file(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "mf.toml").write_text(line)
    ran = mf("lint", cwd=tmp_path)
    assert ran.code == 2
    assert ran.err.startswith(f"error: `{tmp_path / 'mf.toml'}`: ")
    assert said in ran.err


@pytest.mark.parametrize("text", ["[tool]\nmf = 3\n", 'tool = "mf"\n', "[[tool.mf]]\n"])
def test_a_table_that_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    ran = mf("lint", cwd=tmp_path)
    assert ran.code == 2
    assert "is no table" in ran.err


def test_the_most_specific_severity_wins_then_the_last() -> None:
    said = {
        "unpinned-base": Severity.ERROR,
        "MF2": Severity.INFO,
        "ALL": Severity.WARNING,
        "MF204": Severity.WARNING,
        "digest-in-from": Severity.INFO,
    }
    force = severities_of(RULES, said)
    names = ("unpinned-base", "missing-file", "missing-from", "digest-in-from")
    assert [force[name] for name in names] == [Severity.ERROR, Severity.INFO, Severity.WARNING, Severity.INFO]


@pytest.mark.parametrize("glob", ["Modelfile", "./Modelfile", "Model*"])
def test_a_glob_may_begin_with_the_folder(tmp_path: Path, glob: str) -> None:
    (tmp_path / "mf.toml").write_text(f'per-file-ignores = {{"{glob}" = ["ALL"]}}')
    (tmp_path / "Modelfile").write_text("FROM llama3.2\n")
    assert mf("lint", cwd=tmp_path).code == 0


@pytest.mark.parametrize("command", ["lint", "config"])
def test_one_configuration_or_none(tmp_path: Path, command: str) -> None:
    (tmp_path / "mf.toml").touch()
    assert mf(command, "--config", "mf.toml", "--isolated", cwd=tmp_path).code == 2


def test_an_empty_target_is_refused(tmp_path: Path) -> None:
    assert mf("lint", "--target", "", cwd=tmp_path).code == 2


def test_config_tells_what_is_default(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text('ignore = []\nseverities = {MF2 = "info"}\ntarget = "0.24.0"\n')
    ran = mf("config", "--config", "other.toml", cwd=tmp_path)
    assert 'select = ["ALL"]  # default\n' in ran.out
    assert "ignore = []\n" in ran.out
    assert "# registries is not set\n" in ran.out
    assert tomllib.loads(ran.out)["severities"] == {"MF2": "info"}
    told = json.loads(mf("config", "--config", "other.toml", "--json", cwd=tmp_path).out)
    assert told["file"] == "other.toml"
    assert list(told["settings"]) == list(KEYS)
    assert told["settings"]["target"] == {"value": "0.24.0", "default": False}
    assert told["settings"]["select"] == {"value": ["ALL"], "default": True}


def test_config_isolated(tmp_path: Path) -> None:
    (tmp_path / "mf.toml").write_text('fail-level = "error"')
    assert 'fail-level = "warning"  # default\n' in mf("config", "--isolated", cwd=tmp_path).out
