"""What is written in docs and README is what there is."""

import importlib.util
import re

import pytest
from tests.support.cli import mf
from tests.support.paths import ROOT

from modelfile.cli.app import COMMANDS


def test_the_rule_pages_are_current() -> None:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    written = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "rules").glob("*.md")}
    assert written == generate.pages(), "run `make docs`"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_readme_and_has_help(command: str) -> None:
    assert f"mf {command}" in (ROOT / "README.md").read_text(encoding="utf-8")
    ran = mf(command, "--help")
    assert ran.code == 0
    assert ran.out.startswith(f"Usage: mf {command}")


def test_the_help_lists_these_commands() -> None:
    listed = re.findall(r"^  (\w+)  ", mf("--help").out.partition("Commands:")[2], re.MULTILINE)
    assert sorted(listed) == sorted(COMMANDS)
