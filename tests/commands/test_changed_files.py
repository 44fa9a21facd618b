"""Modelfiles that change while `mf fmt`, `mf lint --fix` and `mf lint --add-ignore` run, or cannot be written."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.cli import mf

from modelfile.project.target import Target

TEXT = "FROM   llama3.2:3b\nPARAMETER temperature 0.123456789\nPARAMETER top_k 1\nPARAMETER top_k 2\n"
COMMANDS = {
    "fmt": "FROM llama3.2:3b\n",
    "lint --fix --unsafe-fixes": "PARAMETER temperature 0.12345679\n",
    "lint --add-ignore": "# mf: ignore[excessive-precision]\n",
}
"""Commands that write Modelfiles, and a part of what each makes of TEXT."""
FORMATTED = re.compile(r"^reformatted (.+)$", re.MULTILINE)
WRITTEN = re.compile(r"^(.+): \d+ (?:fixed|suppressed)$", re.MULTILINE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of three Modelfiles that each command changes."""
    for name in "abc":
        (tmp_path / f"{name}.Modelfile").write_text(TEXT)
    return tmp_path


@pytest.fixture(params=["edit", "delete", "mistype"])
def disturb(request: pytest.FixtureRequest, folder: Path) -> tuple[Callable[[], object], str]:
    """Return a change of b.Modelfile by another program, and the message about it."""
    path = folder / "b.Modelfile"
    change: dict[str, tuple[Callable[[], object], str]] = {
        "edit": (lambda: path.write_text(f"{TEXT}# An edit.\n"), "`b.Modelfile` changed since it was read"),
        "delete": (path.unlink, "cannot read `b.Modelfile`: no such file or directory"),
        "mistype": (lambda: path.write_bytes(TEXT.encode() + b"# \xff\n"), "`b.Modelfile` changed since it was read"),
    }
    return change[request.param]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("as_json", [False, True])
def test_a_modelfile_that_changed_since_it_was_read_is_not_overwritten(
    folder: Path,
    disturb: tuple[Callable[[], object], str],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    *,
    as_json: bool,
) -> None:
    write, (change, message) = Target.write, disturb
    edited = folder / "b.Modelfile"

    def write_after_change(target: Target, text: str) -> None:
        if target.path.name == edited.name:
            change()
        write(target, text)

    monkeypatch.setattr(Target, "write", write_after_change)
    ran = mf(*command.split(), *(["--json"] if as_json else []), cwd=folder)
    content = edited.read_bytes() if edited.exists() else None  # as it was after the change, if it is right
    assert ran.code == 3
    assert f"error: {message}\n" in ran.err
    for name in "ac":
        assert COMMANDS[command] in (folder / f"{name}.Modelfile").read_text()
    if as_json:
        found = json.loads(ran.out)
        errors = [each["error"] for each in found if "error" in each] if command == "fmt" else found["unread"]
        assert [error["message"] for error in errors] == [message]
    if content is not None:
        change()
        assert content == edited.read_bytes()
    assert not [*folder.glob(".mf-*")]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_modelfile_that_cannot_be_written_stops_no_other(
    folder: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    replace = Path.replace

    def refuse(path: Path, target: Path) -> Path:
        if target.name == "a.Modelfile":
            raise PermissionError(13, "Permission denied")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", refuse)
    ran = mf(*command.split(), cwd=folder)
    assert ran.code == 3
    assert "error: cannot write `a.Modelfile`: permission denied\n" in ran.err
    texts = [(folder / f"{name}.Modelfile").read_text() for name in "abc"]
    assert texts[0] == TEXT
    assert all(COMMANDS[command] in text for text in texts[1:])


def test_a_modelfile_with_the_longest_name_is_formatted(tmp_path: Path) -> None:
    path = tmp_path / f"Modelfile.{'a' * 245}"
    path.write_text(TEXT)
    assert mf("fmt", cwd=tmp_path).code == 0
    assert path.read_text() == TEXT.replace("   ", " ")


def test_processes_at_once_lose_no_work_of_each_other(tmp_path: Path, rounds: int) -> None:
    twice = [*COMMANDS, *COMMANDS]
    paths = [tmp_path / f"{number}.Modelfile" for number in range(60)]
    total = 0
    for _ in range(rounds):
        for path in paths:
            path.write_text(TEXT)
        processes = [
            subprocess.Popen(
                [sys.executable, "-m", "modelfile", *command.split()],
                cwd=tmp_path,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for command in twice
        ]
        outputs = [process.communicate(timeout=60) for process in processes]
        for (out, err), command in zip(outputs, twice, strict=True):
            done = FORMATTED.findall(out) if command == "fmt" else WRITTEN.findall(err)
            lost = [name for name in done if COMMANDS[command] not in (tmp_path / name).read_text()]
            assert not lost, (command, err[-500:])
            total += len(done)
        assert not [*tmp_path.glob(".mf-*")]
    assert total >= rounds * len(paths)
