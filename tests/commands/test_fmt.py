"""Tests of `mf fmt`, and of the options on files that it shares with `mf lint`."""

import json
from pathlib import Path

import pytest
from tests.support.cli import Ran, mf

ROUGH, FINE = "from  x:1\n", "FROM x:1\n"
NONE_LEFT = "warning: no Modelfile left: `exclude` in the configuration matches all that are named\n"


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    return tmp_path


def test_files_and_counts_are_printed(tree: Path) -> None:
    for name in "ab":
        (tree / f"{name}.Modelfile").write_text(ROUGH)
    for name in "cde":
        (tree / f"{name}.Modelfile").write_text(FINE)
    assert mf("fmt", "--check").out == (
        "would reformat a.Modelfile\nwould reformat b.Modelfile\n2 files would be reformatted, 3 already formatted\n"
    )
    assert mf("fmt", "--check", "--quiet").out == "would reformat a.Modelfile\nwould reformat b.Modelfile\n"
    assert [item["changed"] for item in json.loads(mf("fmt", "--check", "--json").out)] == [True] * 2 + [False] * 3
    assert mf("fmt", "--diff").err == "2 files would be reformatted, 3 already formatted\n"
    assert mf("fmt").out == (
        "reformatted a.Modelfile\nreformatted b.Modelfile\n2 files reformatted, 3 already formatted\n"
    )
    assert mf("fmt", "--check") == Ran(0, "5 files already formatted\n", "")


@pytest.mark.parametrize("command", [("fmt", "--check"), ("lint",), ("pin", "--check", "--frozen")])
def test_force_exclude_skips_files_that_are_named(tree: Path, command: tuple[str, ...]) -> None:
    (tree / "mf.toml").write_text('exclude = ["vendor/"]\n')
    (tree / "vendor").mkdir()
    (tree / "vendor" / "Modelfile").write_text("from  x:1\nPARAMETER tmperature 1\n")
    assert mf(*command, "vendor/Modelfile").code != 0
    ran = mf(*command, "--force-exclude", "vendor/Modelfile")
    assert (ran.code, ran.err.startswith(NONE_LEFT)) == (0, True), ran
    (tree / "mf.toml").write_text('exclude = ["vendor/"]\nforce-exclude = true\n')
    assert mf(*command, "vendor/Modelfile").code == 0


def test_standard_input_has_the_name_of_a_file(tree: Path) -> None:
    (tree / "bot").mkdir()
    (tree / "bot" / "mf.toml").write_text('ignore = ["ALL"]\nexclude = ["vendored.Modelfile"]\n')
    (tree / "bot" / "Modelfile").write_text("not read")
    text = "from  x:1\nPARAMETER tmperature 1\n"
    named = ("--stdin-filename", "bot/Modelfile")
    assert mf("fmt", *named, stdin=text.encode()).out == "FROM x:1\nPARAMETER tmperature 1\n"
    assert mf("fmt", "--check", "-", *named, stdin=text.encode()).out.startswith("would reformat bot/Modelfile\n")
    assert (tree / "bot" / "Modelfile").read_text() == "not read"
    assert mf("lint", *named, stdin=text.encode()).code == 0
    (tree / "bot" / "mf.toml").write_text('exclude = ["vendored.Modelfile"]\n')
    assert mf("lint", "--format", "concise", *named, stdin=text.encode()).out.startswith(
        "bot/Modelfile:2:11: error MF301"
    )
    vendored = ("--stdin-filename", "bot/vendored.Modelfile")
    assert mf("fmt", *vendored, "--force-exclude", stdin=text.encode()).out == text
    assert mf("lint", *vendored, "--force-exclude", stdin=text.encode()).code == 0


def test_paths_of_standard_input_belong_to_the_folder_of_its_name(tree: Path) -> None:
    (tree / "bot").mkdir()
    (tree / "bot" / "weights.gguf").write_bytes(b"GGUF")
    text = "FROM ./weights.gguf\n"
    select = ("--select", "missing-file", "--format", "concise")
    assert mf("lint", *select, "--stdin-filename", "bot/Modelfile", stdin=text.encode()).code == 0
    assert "MF207" in mf("lint", *select, "--stdin-filename", "Modelfile", stdin=text.encode()).out


@pytest.mark.parametrize("command", ["fmt", "lint"])
def test_file_name_of_standard_input_needs_standard_input(tree: Path, command: str) -> None:
    (tree / "Modelfile").write_text(FINE)
    ran = mf(command, "Modelfile", "--stdin-filename", "Modelfile")
    assert ran == Ran(
        2,
        "",
        "error: --stdin-filename can be used with standard input only\nhelp: leave out the paths, or pass -\n",
    )
    assert mf(command, "--stdin-filename", "-", stdin=FINE.encode()).err.startswith(
        "error: invalid file name for standard input: `-`\n"
    )


def test_each_file_is_subject_to_the_nearest_configuration(tree: Path) -> None:
    text = "FROM llama3.2:3b\nPARAMETER tmperature 1\n"
    (tree / "mf.toml").write_text('select = ["MF301"]\nseverities = {MF301 = "info"}\nexclude = ["old.Modelfile"]\n')
    for folder in ("strict", "strict/deep", "loose"):
        (tree / folder).mkdir()
        (tree / folder / "Modelfile").write_text(text)
    (tree / "strict" / "mf.toml").write_text('select = ["MF301"]\n')
    (tree / "strict" / "deep" / "old.Modelfile").write_text(text)
    (tree / "loose" / "pyproject.toml").write_text("[project]\n")
    (tree / "old.Modelfile").write_text(text)
    found = mf("lint", "--format", "concise").out.splitlines()
    assert [line.split(" ")[:2] for line in found] == [
        ["loose/Modelfile:2:11:", "info"],
        ["strict/Modelfile:2:11:", "error"],
        ["strict/deep/Modelfile:2:11:", "error"],
        ["strict/deep/old.Modelfile:2:11:", "error"],
    ]
    assert mf("lint", "loose").code == 0
    assert mf("lint", "strict").code == 1
    (tree / "strict" / "mf.toml").write_text('fail-level = "info"\nselect = ["MF301"]\nseverities = {MF301 = "info"}\n')
    assert mf("lint", "strict/Modelfile").code == 1
    given = mf("lint", "--config", "mf.toml", "--format", "concise", "strict").out.splitlines()
    assert [line.split(" ")[1] for line in given] == ["info", "info"]


def test_a_file_without_configuration_is_subject_to_that_of_the_current_folder(tree: Path) -> None:
    (tree / "mf.toml").write_text('ignore = ["ALL"]\n')
    (tree / "here").mkdir()
    other = tree / "other"
    (other / ".git").mkdir(parents=True)
    (other / "Modelfile").write_text("FROM llama3.2:3b\nPARAMETER tmperature 1\n")
    assert mf("lint", "other/Modelfile").code == 0
    (other / "mf.toml").write_text("")
    assert mf("lint", "other/Modelfile").code == 1


def test_an_early_key_points_to_its_successor(tree: Path) -> None:
    (tree / "mf.toml").write_text('target = "0.9.3"\n')
    (tree / "Modelfile").write_text(FINE)
    assert mf("lint").err == (
        f"error: `{tree / 'mf.toml'}`: unknown setting `target`\n"
        "help: write `ollama`, the Ollama version that Modelfiles are for\n"
    )


def test_lint_writes_lf_everywhere_for_carriage_returns_in_values_as_an_unsafe_fix(tree: Path) -> None:
    path = tree / "Modelfile"
    mixed = b'# For tests.\r\nFROM llama3.2:3b\r\nSYSTEM """Be brief.\r\nBe kind.\n"""\nPARAMETER seed 1\r\n'
    path.write_bytes(mixed)
    select = ("lint", "--select", "crlf-in-value", "Modelfile")
    assert mf(*select, "--fix").code == 1
    assert path.read_bytes() == mixed
    assert mf(*select, "--fix", "--unsafe-fixes").code == 0
    assert path.read_bytes() == mixed.replace(b"\r\n", b"\n")


def test_line_endings_between_fmt_off_and_fmt_on_are_those_of_the_rest(tree: Path) -> None:
    path = tree / "Modelfile"
    path.write_bytes(b"from x:1\r\n# fmt: off\r\nPARAMETER  seed 1\r\n# fmt: on\r\n")
    assert mf("fmt", "Modelfile").code == 0
    assert path.read_bytes() == b"FROM x:1\n# fmt: off\nPARAMETER  seed 1\n# fmt: on\n"
