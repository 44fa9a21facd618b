"""The configuration: its values, their errors, and the patterns in it."""

import json
import tomllib
from pathlib import Path

import pytest
from tests.support.cli import mf

from modelfile.diagnostics import Severity
from modelfile.linter.rules import RULES
from modelfile.linter.settings import resolve_severities
from modelfile.project.config import KEYS


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('select = ["nope-base"]', "unknown rule or family: `nope-base`"),
        ('ignore = ["nope-base"]', "unknown rule or family: `nope-base`"),
        ('severities = {nope-base = "info"}', "unknown rule or family: `nope-base`"),
        ('per-file-ignores = {"drafts/*" = ["nope-base"]}', "unknown rule or family: `nope-base`"),
        ('ollama = "banana"', "invalid Ollama version: `banana`"),
        ('ollama = ""', "invalid Ollama version: ``"),
        ('severities = {MF2 = "high"}', "a table of error, warning and info"),
        ('exclude = "drafts"', "a list of patterns as in .gitignore"),
        ('exclude = ["!"]', "write patterns as in .gitignore"),
        ('per-file-ignores = {"!" = ["MF2"]}', "write patterns as in .gitignore"),
    ],
)
def test_invalid_values_are_reported_with_the_file(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "mf.toml").write_text(line)
    (tmp_path / "Modelfile").touch()
    ran = mf("lint", cwd=tmp_path)
    assert ran.code == 2
    assert ran.err.startswith(f"error: `{tmp_path / 'mf.toml'}`: ")
    assert said in ran.err


@pytest.mark.parametrize("text", ["[tool]\nmf = 3\n", 'tool = "mf"\n', "[[tool.mf]]\n"])
def test_tool_mf_must_be_a_table(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    ran = mf("lint", cwd=tmp_path)
    assert ran.code == 2
    assert "is not a table" in ran.err


def test_most_specific_severity_wins_then_the_last() -> None:
    said = {
        "unpinned-base": Severity.ERROR,
        "MF2": Severity.INFO,
        "ALL": Severity.WARNING,
        "MF204": Severity.WARNING,
        "digest-in-from": Severity.INFO,
    }
    force = resolve_severities(RULES, said)
    names = ("unpinned-base", "missing-file", "missing-from", "digest-in-from")
    assert [force[name] for name in names] == [Severity.ERROR, Severity.INFO, Severity.WARNING, Severity.INFO]


FILES = ("Modelfile", "x.Modelfile", "drafts/Modelfile", "drafts/old/x.Modelfile")
PATTERNS = [
    ("Modelfile", ["Modelfile", "drafts/Modelfile"]),
    ("./Modelfile", ["Modelfile"]),
    ("/Modelfile", ["Modelfile"]),
    ("Model*", ["Modelfile", "drafts/Modelfile"]),
    ("drafts", ["drafts/Modelfile", "drafts/old/x.Modelfile"]),
    ("drafts/", ["drafts/Modelfile", "drafts/old/x.Modelfile"]),
    ("./drafts/", ["drafts/Modelfile", "drafts/old/x.Modelfile"]),
    ("drafts/*", ["drafts/Modelfile", "drafts/old/x.Modelfile"]),  # it matches the folder `old`
    ("drafts/**", ["drafts/Modelfile", "drafts/old/x.Modelfile"]),
    ("drafts/*.Modelfile", []),
    ("*/x.Modelfile", []),
    ("**/x.Modelfile", ["x.Modelfile", "drafts/old/x.Modelfile"]),
]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Write FILES with findings into a folder."""
    for file in FILES:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("FROM llama3.2\n")
    return tmp_path


def linted(tree: Path, *arguments: str) -> set[str]:
    found = json.loads(mf("lint", "--format", "json", *arguments, cwd=tree).out)["findings"]
    return {finding["path"] for finding in found}


@pytest.mark.parametrize(("pattern", "matching"), PATTERNS)
def test_per_file_ignores_match_as_gitignore_does(tree: Path, pattern: str, matching: list[str]) -> None:
    (tree / "mf.toml").write_text(f'per-file-ignores = {{"{pattern}" = ["ALL"]}}')
    assert linted(tree) == {*FILES} - {*matching}
    assert linted(tree, *FILES) == {*FILES} - {*matching}


@pytest.mark.parametrize(("pattern", "matching"), PATTERNS)
def test_excluded_modelfiles_are_skipped_unless_named(tree: Path, pattern: str, matching: list[str]) -> None:
    (tree / "mf.toml").write_text(f'exclude = ["{pattern}"]')
    assert linted(tree) == {*FILES} - {*matching}
    assert linted(tree, *FILES) == {*FILES}
    assert linted(tree, "--isolated") == {*FILES}


def test_exclude_is_relative_to_the_configuration(tree: Path) -> None:
    (tree / "mf.toml").write_text('exclude = ["/drafts/*", "!/drafts/old"]')
    assert linted(tree / "drafts") == {"old/x.Modelfile"}
    assert linted(tree) == {"Modelfile", "x.Modelfile", "drafts/old/x.Modelfile"}


@pytest.mark.parametrize("words", [("fmt", "--check"), ("parse", "."), ("lint",), ("pin",)])
def test_commands_that_search_folders_respect_exclude(tree: Path, words: tuple[str, ...]) -> None:
    (tree / "mf.toml").write_text('exclude = ["*"]')
    ran = mf(*words, cwd=tree)
    hint = "`exclude` in the configuration matches all of them"
    assert (ran.code, ran.err) == (3, f"error: no Modelfile in `.`\nhelp: {hint}\n")


@pytest.mark.parametrize("command", ["lint", "config"])
def test_config_and_isolated_exclude_each_other(tmp_path: Path, command: str) -> None:
    (tmp_path / "mf.toml").touch()
    assert mf(command, "--config", "mf.toml", "--isolated", cwd=tmp_path).code == 2


def test_empty_version_is_rejected(tmp_path: Path) -> None:
    assert mf("lint", "--ollama", "", cwd=tmp_path).code == 2


def test_config_marks_defaults(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text('ignore = []\nseverities = {MF2 = "info"}\nollama = "0.24.0"\n')
    ran = mf("config", "--config", "other.toml", cwd=tmp_path)
    assert 'select = ["DEFAULT"]  # default\n' in ran.out
    assert "ignore = []\n" in ran.out
    assert "exclude = []  # default\n" in ran.out
    assert "# registries is not set\n" in ran.out
    assert tomllib.loads(ran.out)["severities"] == {"MF2": "info"}
    printed = json.loads(mf("config", "--config", "other.toml", "--json", cwd=tmp_path).out)
    assert printed["file"] == "other.toml"
    assert list(printed["settings"]) == list(KEYS)
    assert printed["settings"]["ollama"] == {"value": "0.24.0", "default": False}
    assert printed["settings"]["select"] == {"value": ["DEFAULT"], "default": True}


def test_isolated_config_prints_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "mf.toml").write_text('fail-level = "error"')
    assert 'fail-level = "warning"  # default\n' in mf("config", "--isolated", cwd=tmp_path).out
