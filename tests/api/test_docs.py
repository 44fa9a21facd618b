"""Tests that the documents, generated or written, are current."""

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.support.cli import mf
from tests.support.paths import ROOT

from modelfile.cli.app import COMMANDS
from modelfile.project.config import KEYS, load_config

DOCS = ROOT / "docs"
WRITTEN = [*ROOT.glob("*.md"), *DOCS.glob("*.md"), *(DOCS / "decisions").glob("*.md"), *ROOT.glob("examples/*/*.md")]


@pytest.fixture(scope="module")
def generate() -> Any:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_documents_are_current(generate: Any) -> None:
    for path, text in generate.documents().items():
        assert (DOCS / path).read_text(encoding="utf-8") == text, f"docs/{path}: run `make docs`"
    assert {path.name for path in (DOCS / "rules").glob("*.md")} == generate.rule_pages().keys()


def test_examples_of_the_configuration_are_valid(tmp_path: Path) -> None:
    text = (DOCS / "configuration.md").read_text(encoding="utf-8")
    (tmp_path / "mf.toml").write_text("\n".join(re.findall(r"```toml\n(.*?)```", text, re.DOTALL)), encoding="utf-8")
    assert load_config(tmp_path / "mf.toml").fields_set == {*KEYS.values()}


def test_lock_of_the_example_is_valid_by_the_published_schema() -> None:
    schema = json.loads((DOCS / "schema" / "mf.lock.json").read_text(encoding="utf-8"))
    lock = json.loads((ROOT / "examples" / "support" / "mf.lock").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(lock, schema)
    next(iter(lock["modelfiles"].values()))["fingerprint"] = "mf1:0"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(lock, schema)


def test_every_command_has_documented_json(generate: Any) -> None:
    assert set(re.findall(r"^## mf (\w+)$", generate.json_output(), re.MULTILINE)) == {*COMMANDS}


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_to_files_of_the_project(path: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_files_that_documents_name_exist(path: Path) -> None:
    modules = re.findall(r"`((?:\w+/)+\w+\.py)`", path.read_text(encoding="utf-8"))
    assert [
        name for name in modules if not any((root / name).exists() for root in (ROOT, ROOT / "src/modelfile"))
    ] == []


def test_the_readme_shows_what_commands_print() -> None:
    def commands(text: str) -> list[str]:
        blocks = re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        return [part.strip() for block in blocks for part in re.split(r"^(?=\$ )", block, flags=re.MULTILINE) if part]

    case = (ROOT / "tests" / "commands" / "cases" / "readme.md").read_text(encoding="utf-8")
    printed = commands(re.sub(r"^\[exit \d\]\n", "", case, flags=re.MULTILINE))
    shown = commands((ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(shown) == 10
    assert [command for command in shown if command not in printed] == []


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_commands_in_documents_have_these_options(path: Path) -> None:
    lines = re.findall(r"^    mf ((?:store )?\w+)([^#\n]*)", path.read_text(encoding="utf-8"), re.MULTILINE)
    used = {(command, option) for command, rest in lines for option in re.findall(r"(?<= )--?[a-z][a-z-]*", rest)}
    missing = [
        f"mf {command} {option}"
        for command, option in sorted(used)
        if not re.search(rf"(?<![\w-]){option}(?![\w-])", mf(*command.split(), "--help").out)
    ]
    assert missing == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_readme_and_has_help(command: str) -> None:
    assert f"mf {command}" in (ROOT / "README.md").read_text(encoding="utf-8")
    ran = mf(command, "--help")
    assert ran.code == 0
    assert ran.out.startswith(f"Usage: mf {command}")


def test_help_lists_these_commands() -> None:
    listed = re.findall(r"^  (\w+)  ", mf("--help").out.partition("Modelfiles:")[2], re.MULTILINE)
    assert sorted(listed) == sorted(COMMANDS)
