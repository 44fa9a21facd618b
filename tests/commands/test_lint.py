"""What `mf lint` does besides finding: silence, watch, say what it did not see."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.cli import mf

from modelfile.cli.watch import repeat
from modelfile.diagnostics import Diagnostic, Edit, Fix, Safety, Severity
from modelfile.errors import InputError
from modelfile.linter.fixes import apply_fixes
from modelfile.source import Source, Span
from modelfile.syntax.modelfile import Modelfile

OLD = "FROM llama3.2\r\nPARAMETER temperature 3\r\nPARAMETER mirostat 1\r\nSYSTEM hi\r\n"


def test_add_ignore_silences_all_but_errors_and_changes_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "Modelfile"
    path.write_bytes((OLD + "PARAMETER num_ctx many\r\n").encode())
    ran = mf("lint", "--add-ignore", "Modelfile", cwd=tmp_path)
    assert "MF302" in ran.out
    assert ran.code == 1
    left = json.loads(mf("lint", "--format", "json", "Modelfile", cwd=tmp_path).out)["findings"]
    assert [found["severity"] for found in left] == ["error"]
    kept = [line for line in path.read_bytes().split(b"\r\n") if not line.startswith(b"# mf: ignore")]
    assert b"\r\n".join(kept) == (OLD + "PARAMETER num_ctx many\r\n").encode()


def test_add_ignore_twice_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "Modelfile"
    path.write_text(OLD)
    assert mf("lint", "--add-ignore", "Modelfile", cwd=tmp_path).code == 0
    once = path.read_bytes()
    assert mf("lint", "--add-ignore", "Modelfile", cwd=tmp_path).err == ""
    assert path.read_bytes() == once


def test_quiet_prints_findings_and_no_summary(tmp_path: Path) -> None:
    (tmp_path / "Modelfile").write_text("FROM llama3.2\n")
    loud, quiet = (mf("lint", *options, "Modelfile", cwd=tmp_path) for options in ((), ("--quiet",)))
    assert quiet.out == loud.out
    assert "1 Modelfile checked" in loud.err
    assert quiet.err == ""


def test_what_could_not_be_looked_at_is_said(tmp_path: Path) -> None:
    told = mf("lint", "--verbose", "-", stdin=b"FROM ./weights.gguf\n", cwd=tmp_path)
    assert "-: missing-file could not look: standard input has no folder to look for files in" in told.err
    answer = json.loads(mf("lint", "--format", "json", "-", stdin=b"FROM ./weights.gguf\n", cwd=tmp_path).out)
    assert "missing-file" in [rule["name"] for rule in answer["not_looked"]]
    beside = mf("lint", "--verbose", "Modelfile", cwd=_with(tmp_path, "FROM ./weights.gguf\n"))
    assert "missing-file could not" not in beside.err


def test_selectors_may_have_commas_between(tmp_path: Path) -> None:
    ran = mf("lint", "--select", "MF201,missing-purpose", "Modelfile", cwd=_with(tmp_path, OLD))
    assert ("MF201" in ran.out, "MF508" in ran.out, "MF305" in ran.out) == (True, True, False)


def test_mended_standard_input_is_all_there_is_on_standard_output(tmp_path: Path) -> None:
    ran = mf("lint", "--fix", "-", stdin=b"FROM llama3.2\nPARAMETER mirostat 1\n", cwd=tmp_path)
    assert ran.out == "FROM llama3.2\n"
    assert "MF201" in ran.err


@pytest.mark.parametrize("text", ["FROM a:b\r\nPARAMETER mirostat 1\r\nSYSTEM x", "FROM a:b\nPARAMETER mirostat 1"])
def test_diff_is_a_patch_and_says_by_its_exit_that_there_is_one(tmp_path: Path, text: str) -> None:
    path = tmp_path / "Modelfile"
    path.write_bytes(text.encode())
    ran = mf("lint", "--select", "MF3", "--diff", "Modelfile", cwd=tmp_path)
    assert ran.code == 1
    subprocess.run(["git", "apply", "-p0", "-"], cwd=tmp_path, input=ran.out.encode(), check=True)
    patched = path.read_bytes()
    path.write_bytes(text.encode())
    assert mf("lint", "--select", "MF3", "--fix", "Modelfile", cwd=tmp_path).code == 0
    assert patched == path.read_bytes()
    assert mf("lint", "--select", "MF3", "--diff", "Modelfile", cwd=tmp_path).code == 0


def test_a_suppression_of_what_depends_on_the_machine_is_never_idle(tmp_path: Path) -> None:
    text = "# mf: ignore[missing-file] not in git\nFROM ./w.gguf\n"
    assert mf("lint", "Modelfile", cwd=_with(tmp_path, text)).code == 0
    (tmp_path / "w.gguf").write_bytes(b"GGUF")
    assert mf("lint", "Modelfile", cwd=tmp_path).code == 0
    assert mf("lint", "-", stdin=text.encode(), cwd=tmp_path).code == 0


@pytest.mark.parametrize(
    ("comment", "said"),
    [
        ("mf: ignore", "this comment silences nothing"),
        ("mf: ignore[]", "this comment silences nothing"),
        ("mf: ignroe[MF201]", "this comment silences nothing"),
        ("mf: ignore[unpined-base]", "did you mean `unpinned-base`?"),
        ("MF: Ignore[mf201]", ""),
        ("mf: ignore[MF2]", ""),
        ("mf: ignore[missing-purpose, MF201]", "`missing-purpose` finds nothing to silence here"),
    ],
)
def test_suppressions_that_are_not_understood_are_told(tmp_path: Path, comment: str, said: str) -> None:
    ran = mf("lint", "Modelfile", cwd=_with(tmp_path, f"# Answers questions on billing.\n# {comment}\nFROM llama3.2\n"))
    assert said in ran.out
    assert ran.code == (1 if said else 0)


def test_a_rule_that_is_off_leaves_its_suppressions_alone(tmp_path: Path) -> None:
    text = "# Answers questions on billing.\n# mf: ignore[MF201] newest\nFROM llama3.2\n"
    assert mf("lint", "--ignore", "MF201", "Modelfile", cwd=_with(tmp_path, text)).code == 0


def test_watch_outlives_a_file_that_is_being_replaced() -> None:
    states = iter([["Modelfile"], [], ["Modelfile"]])

    def files() -> list[str]:
        found = next(states, None)
        if found is None:
            raise KeyboardInterrupt
        if not found:
            raise InputError("no Modelfile in `.`")
        return found

    with pytest.raises(KeyboardInterrupt):
        repeat(lambda: None, files)


def test_statistics_as_json(tmp_path: Path) -> None:
    ran = mf("lint", "--statistics", "--format", "json", "Modelfile", cwd=_with(tmp_path, "# x\nFROM a\nFROM b\n"))
    assert {"code": "MF201", "name": "unpinned-base", "count": 2} in json.loads(ran.out)


def test_an_unknown_command_is_told_what_is_meant() -> None:
    ran = mf("lnt")
    assert (ran.code, ran.err) == (2, "error: there is no command `lnt`\nhelp: did you mean `mf lint`?\n")


def test_watch_runs_again_when_a_file_changes_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    path = _with(tmp_path, "FROM llama3.2\n") / "Modelfile"
    command = [sys.executable, "-m", "modelfile", "lint", "--watch", "--format", "concise", "Modelfile"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as running:
        assert running.stdout is not None
        lines = iter(running.stdout)
        assert "MF201" in next(line for line in lines if "warning" in line)
        next(line for line in lines if "waiting" in line)
        path.write_text("PARAMETER\n")
        assert "error" in next(line for line in lines if "Modelfile:" in line)
        next(line for line in lines if "waiting" in line)
        running.send_signal(2)
        assert running.wait(10) == 130


@pytest.mark.parametrize(("edit", "kept"), [(Edit(Span(7, 16), ""), True), (Edit(Span(14, 15), '"b'), False)])
def test_a_fix_that_changes_what_it_does_not_touch_is_not_kept(edit: Edit, *, kept: bool) -> None:
    modelfile = Modelfile.parse(Source(text='FROM x\nSYSTEM a\nPARAMETER stop "\n'))

    def diagnose(now: Modelfile) -> tuple[Diagnostic, ...]:
        if "SYSTEM a" not in now.text:
            return ()
        fix = Fix(edits=(edit,), safety=Safety.SAFE)
        words = {"code": "MF999", "name": "an-a", "message": "there is an a"}
        return (Diagnostic(**words, severity=Severity.INFO, span=Span(14, 15), fix=fix),)

    mended, count = apply_fixes(modelfile, diagnose, unsafe=False)
    assert (count, mended.text != modelfile.text) == ((1, True) if kept else (0, False))


def _with(folder: Path, text: str) -> Path:
    (folder / "Modelfile").write_text(text)
    return folder
