"""Help texts: complete, in panels, and as wide as the terminal."""

import re

import pytest
from tests.support.cli import mf

from modelfile.cli.app import COMMANDS
from modelfile.cli.help import GROUPS


def headings(text: str) -> list[str]:
    return re.findall(r"^(\S.*):$", text, re.MULTILINE)


def test_commands_are_in_groups_with_their_whole_description() -> None:
    out = mf("--help").out
    assert headings(out) == ["Options", "Common options", *GROUPS]
    words = " ".join(out.split())
    for command in COMMANDS:
        first = mf(command, "--help").out.split("\n\n")[1]
        assert f" {command} {' '.join(first.split())} " in f"{words} "


def test_options_are_in_panels() -> None:
    panels = ["Arguments", "Options", "Rules", "Fixes", "Output", "Files", "Common options"]
    assert headings(mf("lint", "--help").out) == panels
    assert headings(mf("build", "--help").out) == [
        "Arguments",
        "Options",
        "Plans",
        "Server or folder",
        "Common options",
    ]
    assert headings(mf("fmt", "--help").out) == ["Arguments", "Options", "Files", "Common options"]


@pytest.mark.parametrize("width", [50, 80, 200])
@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_no_line_is_cut_or_longer_than_the_terminal(command: str, width: int) -> None:
    out = mf(*command.split(), "--help", environ={"COLUMNS": str(width)}).out
    assert not re.search(r"\w(…|\.\.\.)$", out, re.MULTILINE)
    longest = max(out.splitlines(), key=len)
    assert len(longest) <= min(width, 80) or "<" in longest  # alternatives are not broken


def test_headings_are_bold_with_color() -> None:
    assert "\x1b[1mCommon options:\x1b[0m\n" in mf("fmt", "--help", "--color", "always").out
