"""The rule on formatting, and its selection."""

from pathlib import Path

import pytest
from tests.support.cli import mf

from modelfile.linter.rules import RULES
from modelfile.linter.rules.style.unformatted import unformatted
from modelfile.linter.settings import select_rules


def test_opt_in_rules_are_off_unless_selected() -> None:
    off = {rule.name for rule in RULES} - {rule.name for rule in select_rules(RULES, ["default"])}
    assert off == {"missing-license", "missing-purpose", "unformatted"}
    for selector in ("MF9", "MF901", "unformatted", "ALL", "all"):
        assert unformatted in select_rules(RULES, ["DEFAULT", selector])
    assert unformatted not in select_rules(RULES, ["MF9"], ignore=["ALL"])
    assert unformatted in select_rules(RULES, ["ALL"], ignore=["DEFAULT"])


def test_all_selects_every_rule() -> None:
    assert select_rules(RULES, ["ALL"]) == RULES


@pytest.mark.parametrize(
    ("option", "reported"),
    [("DEFAULT", {"MF201"}), ("ALL", {"MF201", "MF508"}), ("MF508", {"MF508"}), ("MF3", set())],
)
def test_select_on_the_command_line_replaces_that_of_the_configuration(
    option: str, reported: set[str], tmp_path: Path
) -> None:
    (tmp_path / "mf.toml").write_text('select = ["MF1"]\n')
    (tmp_path / "Modelfile").write_text("FROM llama3.2\n")
    ran = mf("lint", "--format", "concise", "--select", option, cwd=tmp_path)
    assert {line.split()[2] for line in ran.out.splitlines()} == reported


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("# For tests.\nFROM x:y\n\n\n\nSYSTEM hi\n", "4:1"),
        ("# For tests.\nFROM x:y", "2:1"),
        ("# For tests.\r\nFROM x:y\r\n", "1:1"),
        ("# For tests.\nFROM x:y\n", None),
        ("# For tests.\nfrom x:y\nFORMAT json\n", None),  # fmt skips what Ollama rejects
    ],
)
def test_unformatted_marks_the_first_line_that_would_change(text: str, place: str | None, tmp_path: Path) -> None:
    (tmp_path / "mf.toml").write_text('select = ["MF901"]\nper-file-ignores = {"drafts/*" = ["MF1"]}\n')
    (tmp_path / "Modelfile").write_text(text, newline="")
    ran = mf("lint", "--format", "concise", cwd=tmp_path)
    assert ran.out == (
        f"Modelfile:{place}: info MF901[*] not formatted: `mf fmt` would change this line\n" if place else ""
    )
    mf("lint", "--fix", cwd=tmp_path)
    assert mf("lint", cwd=tmp_path).out == ""
    assert mf("fmt", "--check", cwd=tmp_path).code == (3 if "FORMAT" in text else 0)
