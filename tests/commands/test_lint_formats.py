"""Output of `mf lint` for people and programs: order, paths, edits."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.cli import mf


def folder_with(folder: Path, text: str) -> Path:
    (folder / "Modelfile").write_text(text)
    return folder


def test_summary_comes_last_in_a_pipe_of_both_streams(tmp_path: Path) -> None:
    folder_with(tmp_path, "FROM llama3.2\n" + "PARAMETER mirostat 1\n" * 300)
    command = [sys.executable, "-m", "modelfile", "lint", "."]
    ran = subprocess.run(
        command, cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    lines = ran.stdout.splitlines()
    assert [line for line in lines if "checked: " in line] == [lines[-1]]
    assert [int(line.split(":")[1]) for line in lines if line.startswith("Modelfile:")] == [*range(1, 302)]


@pytest.mark.parametrize("output_format", ["github", "gitlab", "sarif"])
@pytest.mark.parametrize("written", ["Modelfile", "./Modelfile", "../bot/Modelfile", "."])
def test_paths_for_code_hosts_are_relative_to_the_repository(
    output_format: str, written: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "models" / "bot").mkdir(parents=True)
    monkeypatch.chdir(folder_with(tmp_path / "models" / "bot", "FROM llama3.2\n"))
    out = mf("lint", "--format", output_format, written).out
    found = re.findall(r'(?:file=|"uri": "|"path": ")([^",]+)', out)
    assert found == ["models/bot/Modelfile"]
    assert '"path": "Modelfile"' in mf("lint", "--format", "json", "Modelfile").out


def test_paths_outside_of_a_repository_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder_with(tmp_path, "FROM llama3.2\n"))
    assert "file=Modelfile," in mf("lint", "--format", "github", "Modelfile").out
    (tmp_path / "in" / ".git").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "in")
    assert "file=../Modelfile," in mf("lint", "--format", "github", "../Modelfile").out
    assert "file=-," in mf("lint", "--format", "github", "-", stdin=b"FROM llama3.2\n").out


def test_json_has_the_edits_of_each_fix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder_with(tmp_path, "FROM llama3.2:3b\nPARAMETER temp 1\nPARAMETER mirostat 2\n"))
    findings = json.loads(mf("lint", "--format", "json").out)["findings"]
    assert [[tuple(edit.values()) for edit in one["edits"]] for one in findings] == [
        [(2, 11, 2, 15, "temperature")],
        [(3, 1, 4, 1, "")],
    ]


def test_json_prints_no_secret_in_an_edit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "sk-proj-7f3kQ9xT2mLw8Zr4VbNc7f3kQ9xT2mLw8Zr4VbNc"  # noqa: S105  # made up
    monkeypatch.chdir(folder_with(tmp_path, f"FROM llama3.2:3b\nSYSTEM 'The key is {secret} .'\n"))
    out = mf("lint", "--format", "json").out
    (quotes,) = [one for one in json.loads(out)["findings"] if one["name"] == "single-quotes"]
    assert (quotes["fix"], quotes["edits"]) == ("unsafe", [])
    assert secret not in out
