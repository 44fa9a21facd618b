"""A command takes at most 3 s of CPU time and 200 MiB of memory for 1 MB of Modelfile: measured only in `make fuzz`.

The differences of two prompts of 10 MB take at most 2 s.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from bench.harness import RSS_UNIT, STARTER

LENGTH = 1_000_000
"""The length of each Modelfile, in bytes."""
MOST_SECONDS = 3.0
MOST_MEMORY = 200 * 1024 * 1024
"""The most memory of a command, in bytes."""
MOST_SECONDS_OF_PROMPTS = 2.0
TRIES = 3
"""Runs of each command, of which the best counts: other programs slow it down."""

INPUTS: dict[str, str] = {
    "comments": "# words of a comment\n",
    "names in FROM": "FROM a:1\n",
    "parameters": "PARAMETER temperature 0.123456789\n",
    "messages": "MESSAGE user hello\nMESSAGE assistant hi\n",
    "messages of an unknown role": "MESSAGE human x\n",
    "suppressions": "# mf: ignore[MF3]\nPARAMETER nought 1\n",
    "triple quotes": '"""\n',
    "unclosed quotes": 'SYSTEM "x\n',
    "a template": "{{.A}}",
    "unknown lines": "x\n",
    "unknown instructions": "NAUGHT x\n",
    "empty lines": "\n",
    "licenses": "LICENSE a\n",
}
COMMANDS = {
    "lint": ("lint", "--isolated"),
    "lint to JSON": ("lint", "--isolated", "--format", "json"),
    "lint to SARIF": ("lint", "--isolated", "--format", "sarif"),
    "lint and fix": ("lint", "--isolated", "--fix", "--diff"),
    "parse": ("parse", "--json"),
    "format": ("fmt", "--diff"),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", INPUTS)
def test_command_is_bounded_in_time_and_memory(name: str, command: str, rounds: int, tmp_path: Path) -> None:
    if rounds == 1:
        pytest.skip("`make fuzz` measures time")
    unit = INPUTS[name]
    text = unit * (LENGTH // len(unit))
    (tmp_path / "Modelfile").write_text(f'FROM x\nTEMPLATE """{text}"""\n' if name == "a template" else text)
    figures = [_measure(*COMMANDS[command], folder=tmp_path) for _ in range(TRIES)]
    assert min(seconds for seconds, _ in figures) <= MOST_SECONDS
    assert min(memory for _, memory in figures) <= MOST_MEMORY


PROMPTS = """
from modelfile.report.text_diffs import show_text_diff
words = [f"{at % 9973} of {at}" for at in range(700_000)]
old = SEPARATOR.join(" ".join(words[at : at + 6]) for at in range(0, len(words), 6))
shown = show_text_diff(old, old.replace(*CHANGE))
assert len(old) > 9_000_000 and shown.hunks and shown.notes
"""


@pytest.mark.parametrize("change", [(" of 69", " or 69"), (" of ", " or ")], ids=("few", "all"))
@pytest.mark.parametrize("separator", ["\n", " "], ids=("lines", "one line"))
def test_the_differences_of_long_prompts_are_bounded(
    separator: str, change: tuple[str, str], rounds: int, tmp_path: Path
) -> None:
    if rounds == 1:
        pytest.skip("`make fuzz` measures time")
    code = PROMPTS.replace("SEPARATOR", repr(separator)).replace("CHANGE", repr(change))
    assert min(_run("-c", code, folder=tmp_path)[0] for _ in range(TRIES)) <= MOST_SECONDS_OF_PROMPTS


def _measure(*command: str, folder: Path) -> tuple[float, int]:
    """Return the CPU time of a command in seconds, and its memory in bytes."""
    return _run("-P", "-m", "modelfile", *command, "Modelfile", folder=folder)


def _run(*arguments: str, folder: Path) -> tuple[float, int]:
    """Return the CPU time of a Python program in seconds, and its memory in bytes."""
    program = (sys.executable, *arguments)
    run = subprocess.run(
        [sys.executable, "-c", STARTER, *program],
        cwd=folder,
        env=os.environ | {"NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    figures = run.stdout.split("\n")[-2].split()
    return float(figures[2]), int(figures[3]) * RSS_UNIT
