"""`mf lint` apart from its findings: suppressions, --watch, --fix and rules that cannot decide."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

import pytest
from tests.support.cli import mf

from modelfile.cli.watch import repeat
from modelfile.diagnostics import Diagnostic, Edit, Fix, Safety, Severity
from modelfile.errors import InputError, UsageError
from modelfile.linter.fixes import apply_fixes
from modelfile.report.terminal import Terminal, current
from modelfile.source import Source, Span
from modelfile.syntax.modelfile import Modelfile

OLD = "FROM llama3.2\r\nPARAMETER temperature 3\r\nPARAMETER mirostat 1\r\nSYSTEM hi\r\n"


def test_add_ignore_suppresses_all_but_errors_and_changes_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "Modelfile"
    path.write_bytes((OLD + "PARAMETER num_ctx many\r\n").encode())
    ran = mf("lint", "--add-ignore", "Modelfile", cwd=tmp_path)
    assert "MF302" in ran.out
    assert ran.code == 1
    left = json.loads(mf("lint", "--format", "json", "Modelfile", cwd=tmp_path).out)["findings"]
    assert [found["severity"] for found in left] == ["error"]
    original = [line for line in path.read_bytes().split(b"\r\n") if not line.startswith(b"# mf: ignore")]
    assert b"\r\n".join(original) == (OLD + "PARAMETER num_ctx many\r\n").encode()


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


def test_rules_that_cannot_decide_are_reported(tmp_path: Path) -> None:
    verbose = mf("lint", "--verbose", "-", stdin=b"FROM ./weights.gguf\n", cwd=tmp_path)
    assert "-: missing-file cannot decide: standard input has no folder to look for files in" in verbose.err
    answer = json.loads(mf("lint", "--format", "json", "-", stdin=b"FROM ./weights.gguf\n", cwd=tmp_path).out)
    assert "missing-file" in [rule["name"] for rule in answer["undecided"]]
    with_folder = mf("lint", "--verbose", "Modelfile", cwd=_with(tmp_path, "FROM ./weights.gguf\n"))
    assert "missing-file cannot" not in with_folder.err


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("FROM a:1\n" * 10_002, "multiple-from"),
        ("FROM a:1\n" + "NAUGHT x\n" * 10_001, "unknown-instruction"),
        ("FROM a:1\n" + "# mf: ignore[MF307]\nPARAMETER nought 1\n" * 10_001, "unknown-parameter"),
    ],
)
def test_a_rule_reports_at_most_10_000_findings_and_that_is_said(tmp_path: Path, text: str, rule: str) -> None:
    _with(tmp_path, text)
    ran = mf("lint", "--format", "json", "--fix", "--unsafe-fixes", "Modelfile", cwd=tmp_path)
    answer = json.loads(ran.out)
    assert [found["name"] for found in answer["findings"]].count(rule) == 10_000
    limit = "reports at most 10,000 findings of a Modelfile, and --fix changes none that has more"
    assert {"path": "Modelfile", "name": rule, "reason": limit} in [
        {key: each[key] for key in ("path", "name", "reason")} for each in answer["undecided"]
    ]
    assert f"Modelfile: {rule} {limit}\n" in ran.err
    assert (tmp_path / "Modelfile").read_text() == text
    few = mf("lint", "Modelfile", cwd=_with(tmp_path, "FROM a:1\n" * 9_000))
    assert "at most" not in few.err


def test_selectors_may_have_commas_between(tmp_path: Path) -> None:
    ran = mf("lint", "--select", "MF201,missing-purpose", "Modelfile", cwd=_with(tmp_path, OLD))
    assert ("MF201" in ran.out, "MF508" in ran.out, "MF305" in ran.out) == (True, True, False)


def test_fixed_standard_input_is_the_only_standard_output(tmp_path: Path) -> None:
    ran = mf("lint", "--fix", "-", stdin=b"FROM llama3.2\nPARAMETER mirostat 1\n", cwd=tmp_path)
    assert ran.out == "FROM llama3.2\n"
    assert "MF201" in ran.err


@pytest.mark.parametrize("text", ["FROM a:b\r\nPARAMETER mirostat 1\r\nSYSTEM x", "FROM a:b\nPARAMETER mirostat 1"])
def test_diff_is_a_patch_and_exits_1_if_it_is_not_empty(tmp_path: Path, text: str) -> None:
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


@pytest.mark.parametrize(
    ("options", "given"),
    [
        (("--json",), "--json"),
        (("--format", "sarif"), "--format sarif"),
        (("--format", "json"), "--format json"),
        (("--output-file", "found.txt"), "--output-file"),
    ],
)
def test_diff_has_no_other_format(tmp_path: Path, options: tuple[str, ...], given: str) -> None:
    ran = mf("lint", "--diff", *options, "Modelfile", cwd=_with(tmp_path, "FROM a:b\n" + SAFE))
    error = f"error: {given} cannot be used with --diff\nhelp: leave it out, or lint without --diff\n"
    assert (ran.code, ran.err) == (2, error)
    assert ran.out.startswith('{\n  "error": {' if "json" in given else "")
    assert bool(ran.out) is ("json" in given)
    assert not (tmp_path / "found.txt").exists()


def test_suppression_that_depends_on_the_machine_is_never_unused(tmp_path: Path) -> None:
    text = "# mf: ignore[missing-file] not in git\nFROM ./w.gguf\n"
    assert mf("lint", "Modelfile", cwd=_with(tmp_path, text)).code == 0
    (tmp_path / "w.gguf").write_bytes(b"GGUF\3\0\0\0" + bytes(16))
    assert mf("lint", "Modelfile", cwd=tmp_path).code == 0
    assert mf("lint", "-", stdin=text.encode(), cwd=tmp_path).code == 0


@pytest.mark.parametrize(
    ("comment", "words"),
    [
        ("mf: ignore", "invalid suppression: this comment has no effect"),
        ("mf: ignore[]", "invalid suppression: this comment has no effect"),
        ("mf: ignroe[MF201]", "invalid suppression: this comment has no effect"),
        ("mf: ignore[unpined-base]", "did you mean `unpinned-base`?"),
        ("MF: Ignore[mf201]", ""),
        ("mf: ignore[MF2]", ""),
        ("mf: ignore[empty-value, MF201]", "`empty-value` has no effect: there is nothing to suppress"),
    ],
)
def test_malformed_and_unused_suppressions_are_reported(tmp_path: Path, comment: str, words: str) -> None:
    ran = mf("lint", "Modelfile", cwd=_with(tmp_path, f"# Answers questions on billing.\n# {comment}\nFROM llama3.2\n"))
    assert words in ran.out
    assert ran.code == (1 if words else 0)


def test_suppressions_of_a_rule_that_is_off_are_not_reported(tmp_path: Path) -> None:
    text = "# Answers questions on billing.\n# mf: ignore[MF201] newest\nFROM llama3.2\n"
    assert mf("lint", "--ignore", "MF201", "Modelfile", cwd=_with(tmp_path, text)).code == 0


@pytest.fixture
def output() -> Iterator[StringIO]:
    """Capture the standard error of functions that run without a command."""
    stderr = StringIO()
    token = current.set(Terminal(StringIO(), StringIO(), stderr, {}))
    yield stderr
    current.reset(token)


def watched(path: Path, steps: list[str | None], once: Callable[[], object] = lambda: None) -> int:
    """Call a function again at each change of a file; return the number of calls.

    Each step is the new text of the file; None deletes it.
    """
    done = 0
    left = iter(steps)

    def files() -> list[str]:
        if not path.exists():
            raise InputError("no Modelfile in `.`")
        return [str(path)]

    def count() -> None:
        nonlocal done
        done += 1
        once()

    def changes() -> Iterator[None]:
        yield  # the watch has begun
        for text in left:
            path.unlink(missing_ok=True)
            if text is not None:
                path.write_text(text)
                os.utime(path, (len(text), len(text)))
            yield

    repeat(count, files, changes)
    return done


@pytest.mark.usefixtures("output")
@pytest.mark.parametrize(
    ("steps", "runs"), [([], 1), (["FROM b", "FROM cc"], 3), ([None, "FROM b"], 2), ([None], 1), (["FROM b", None], 2)]
)
def test_watch_runs_at_each_change_and_survives_the_replacement_of_a_file(
    tmp_path: Path, steps: list[str | None], runs: int
) -> None:
    path = _with(tmp_path, "FROM a\n") / "Modelfile"
    assert watched(path, steps) == runs


def test_watch_survives_a_configuration_that_is_invalid_for_a_while(tmp_path: Path, output: StringIO) -> None:
    path = _with(tmp_path, "FROM a\n") / "Modelfile"
    runs = iter([None, UsageError("no such rule"), None])

    def once() -> None:
        if error := next(runs):
            raise error

    assert watched(path, ["FROM b", "FROM cc"], once) == 3
    assert "error: no such rule\n" in output.getvalue()


def test_watch_fails_if_it_cannot_start(tmp_path: Path, output: StringIO) -> None:
    def once() -> None:
        raise UsageError("no such rule")

    with pytest.raises(UsageError):
        watched(_with(tmp_path, "FROM a\n") / "Modelfile", ["FROM b"], once)
    assert output.getvalue() == ""


def test_json_is_the_json_format(tmp_path: Path) -> None:
    project = _with(tmp_path, "FROM llama3.2\n")
    assert mf("lint", "--json", cwd=project) == mf("lint", "--format", "json", cwd=project)
    refused = mf("lint", "--json", "--format", "sarif", cwd=project)
    assert (refused.code, json.loads(refused.out)["error"]["message"]) == (
        2,
        "--json cannot be used with --format sarif",
    )


def test_statistics_as_json(tmp_path: Path) -> None:
    ran = mf("lint", "--statistics", "--format", "json", "Modelfile", cwd=_with(tmp_path, "# x\nFROM a\nFROM b\n"))
    assert {"code": "MF201", "name": "unpinned-base", "count": 2} in json.loads(ran.out)


def test_unknown_command_gets_a_suggestion() -> None:
    ran = mf("lnt")
    assert (ran.code, ran.err) == (2, "error: unknown command: `lnt`\nhelp: did you mean `mf lint`?\n")


def test_watch_runs_again_when_a_file_changes_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    path = _with(tmp_path, "FROM llama3.2\n") / "Modelfile"
    command = [sys.executable, "-m", "modelfile", "lint", "--watch", "--format", "concise", "Modelfile"]
    with subprocess.Popen(
        command, cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as running:
        assert running.stdout is not None
        lines = iter(running.stdout)
        assert "MF201" in next(line for line in lines if "warning" in line)
        next(line for line in lines if "waiting" in line)
        path.write_text("PARAMETER\n")
        assert "error" in next(line for line in lines if "Modelfile:" in line)
        next(line for line in lines if "waiting" in line)
        running.send_signal(2)
        try:
            assert running.wait(60) == 130
        finally:
            running.kill()


@pytest.mark.parametrize(("edit", "applied"), [(Edit(Span(7, 16), ""), True), (Edit(Span(14, 15), '"b'), False)])
def test_fix_that_changes_other_instructions_is_not_applied(edit: Edit, *, applied: bool) -> None:
    modelfile = Modelfile.parse(Source(text='FROM x\nSYSTEM a\nPARAMETER stop "\n'))

    def diagnose(now: Modelfile) -> tuple[Diagnostic, ...]:
        if "SYSTEM a" not in now.text:
            return ()
        fix = Fix(edits=(edit,), safety=Safety.SAFE)
        words = {"code": "MF999", "name": "an-a", "message": "there is an a"}
        return (Diagnostic(**words, severity=Severity.INFO, span=Span(14, 15), fix=fix),)

    fixed, count = apply_fixes(modelfile, diagnose, unsafe=False)
    assert (count, fixed.text != modelfile.text) == ((1, True) if applied else (0, False))


def _with(folder: Path, text: str) -> Path:
    (folder / "Modelfile").write_text(text)
    return folder


SAFE = "PARAMETER mirostat 1\n"
UNSAFE = "PARAMETER temp 1\n"
NO_FIX = "FROM llama3.2\n"


@pytest.mark.parametrize(
    ("text", "options", "note"),
    [
        (
            NO_FIX + SAFE + UNSAFE * 2,
            "",
            "1 Modelfile checked: 2 errors, 2 warnings; {safe}, 2 more with --unsafe-fixes",
        ),
        (NO_FIX + SAFE, "", "1 Modelfile checked: 2 warnings; {safe}"),
        (
            NO_FIX + UNSAFE * 2,
            "",
            "1 Modelfile checked: 2 errors, 1 warning; no safe fixes, 2 with --fix --unsafe-fixes",
        ),
        (NO_FIX, "", "1 Modelfile checked: 1 warning"),
        ("FROM a:b\n" + UNSAFE * 2, "--diff", "no safe fixes; 2 with --unsafe-fixes"),
        ("FROM a:b\n" + SAFE + UNSAFE * 2, "--diff", "would fix 1; 2 more with --unsafe-fixes"),
        (NO_FIX + SAFE + UNSAFE, "--diff", "would fix 1; 1 more with --unsafe-fixes; 2 findings would remain"),
        (NO_FIX, "--diff", "no fixes; 1 finding would remain"),
        (NO_FIX + UNSAFE, "--diff --unsafe-fixes", "would fix 1; 1 finding would remain"),
        ("FROM a:b\n" + UNSAFE, "--diff --unsafe-fixes", "would fix 1"),
        ("FROM a:b\n", "--diff", ""),
        ("FROM a:b\n" + UNSAFE, "--fix", "1 Modelfile checked: 1 error; no safe fixes; 1 with --unsafe-fixes"),
        (
            "FROM a:b\n" + SAFE + UNSAFE,
            "--fix",
            "Modelfile: 1 fixed\n1 Modelfile checked: 1 error; 1 more with --unsafe-fixes",
        ),
        (NO_FIX, "--fix", "1 Modelfile checked: 1 warning; no fixes"),
    ],
)
def test_summary_says_which_fixes_there_are(tmp_path: Path, text: str, options: str, note: str) -> None:
    ran = mf("lint", *options.split(), cwd=_with(tmp_path, text))
    assert ran.err == (note.replace("{safe}", "[*] 1 fixable with --fix") + "\n" if note else "")
    assert ran.code == (0 if text == "FROM a:b\n" else 1)


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("github", "::error title=mf lint::cannot read `gone`: no such file or directory\n"),
        ("junit", '<error type="input-error" message="cannot read `gone`: no such file or directory"'),
        ("sarif", '"text": "cannot read `gone`: no such file or directory"'),
        ("json", '"message": "cannot read `gone`: no such file or directory"'),
    ],
)
def test_a_file_that_cannot_be_read_is_in_the_report(tmp_path: Path, output: str, words: str) -> None:
    ran = mf("lint", "--format", output, "--exit-zero", "Modelfile", "gone", cwd=_with(tmp_path, "FROM a:b\n"))
    assert ran.code == 3
    assert words in ran.out


def test_a_file_that_is_named_is_linted_even_if_it_is_excluded_or_ignored(tmp_path: Path) -> None:
    (tmp_path / "mf.toml").write_text('exclude = ["Modelfile"]\n')
    (tmp_path / ".gitignore").write_text("Modelfile\n")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    assert mf("lint", "Modelfile", cwd=_with(tmp_path, "FORMAT json\n")).code == 1
    assert mf("lint", "Modelfile", ".", cwd=tmp_path).code == 3  # nothing is left in the folder


@pytest.mark.parametrize(
    ("make", "repository"),
    [("dangling", True), ("loop", True), ("dangling", False), ("loop", False), ("pipe", False)],  # git lists no pipe
)
def test_what_looks_like_a_modelfile_in_a_folder_is_not_skipped(tmp_path: Path, make: str, *, repository: bool) -> None:
    if repository:
        subprocess.run(["git", "init", "-q", tmp_path], check=True)
    odd = _with(tmp_path, "FROM a:b\n") / "odd.Modelfile"
    if make == "pipe":
        os.mkfifo(odd)
    else:
        odd.symlink_to("gone" if make == "dangling" else "odd.Modelfile")
    (tmp_path / "folder.Modelfile").mkdir()
    ran = mf("lint", cwd=tmp_path)
    assert (ran.code, "`odd.Modelfile`" in ran.err) == (3, True)


def test_a_folder_that_cannot_be_read_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (_with(tmp_path, "FROM a:b\n") / "closed").mkdir()
    scandir = os.scandir

    def deny(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr("os.scandir", deny)
    assert "warning: cannot read `closed`: permission denied\n" in mf("lint", cwd=tmp_path).err
    (tmp_path / "a" / "closed").mkdir(parents=True)
    (tmp_path / "b" / "closed").mkdir(parents=True)
    assert "warning: cannot read `a/closed`: permission denied, nor 2 other folders\n" in mf("lint", cwd=tmp_path).err
