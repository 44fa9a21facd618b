"""Line diffs: exact for `patch`, safe on terminals and in logs of CI."""

import io
import re
import subprocess
from collections.abc import Mapping
from difflib import unified_diff
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.cli import mf

from modelfile.report.file_diffs import print_line_diff
from modelfile.report.terminal import Terminal

CI = {"GITHUB_ACTIONS": "true"}
OLD = "# a\n::error::b\n#  ##[add-mask]c\r\nFROM   x:1\nSYSTEM \x1b[31m\n"
NEW = OLD.replace("FROM   x", "FROM x").replace("\r", "")


def diff(environ: Mapping[str, str], path: str = "Modelfile") -> tuple[str, str]:
    out, err = io.BytesIO(), io.StringIO()
    stream = io.TextIOWrapper(out, encoding="utf-8", newline="")
    print_line_diff(OLD, NEW, path, Terminal(io.StringIO(), stream, err, environ))
    stream.detach()
    return out.getvalue().decode(), err.getvalue()


def test_a_diff_is_exact_and_names_line_endings_that_change(tmp_path: Path) -> None:
    out, err = diff({})
    assert out == (
        "--- Modelfile\n+++ Modelfile\n@@ -1,5 +1,5 @@\n # a\n ::error::b\n"
        "-#  ##[add-mask]c\r\n-FROM   x:1\n+#  ##[add-mask]c\n+FROM x:1\n SYSTEM \x1b[31m\n"
    )
    assert err == "Modelfile: lines that seem unchanged have CRLF line endings, which become LF\n"
    for written in (out, diff(CI)[0]):
        (tmp_path / "Modelfile").write_bytes(OLD.encode())
        subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=written.encode(), check=True)
        assert (tmp_path / "Modelfile").read_bytes() == NEW.encode()


def test_github_obeys_no_line_of_a_diff() -> None:
    first, *lines, last = diff(CI)[0].splitlines(keepends=True)
    assert (token := re.fullmatch(r"::stop-commands::([0-9a-f]{32})\n", first))
    assert last == f"::{token[1]}::\n"
    assert "".join(lines) == diff({})[0]
    assert diff(CI)[0] != diff(CI)[0]  # nobody can guess the token


@pytest.mark.parametrize("variable", ["TF_BUILD", "TEAMCITY_VERSION"])
@pytest.mark.parametrize("others", [{}, CI])
def test_ci_that_cannot_stop_commands_finds_none_in_a_diff(variable: str, others: Mapping[str, str]) -> None:
    out, err = diff({variable: "1", **others}, path="##vso[task]Modelfile")
    assert out == (
        "--- #<U+0023>vso[task]Modelfile\n+++ #<U+0023>vso[task]Modelfile\n@@ -1,5 +1,5 @@\n # a\n <U+003A>:error::b\n"
        "-#  #<U+0023>[add-mask]c\r\n-FROM   x:1\n+#  #<U+0023>[add-mask]c\n+FROM x:1\n SYSTEM \x1b[31m\n"
    )
    note = "commands to the CI system are escaped in the diff, so `patch` cannot apply it"
    assert err.startswith(f"#<U+0023>vso[task]Modelfile: {note}\n")


@pytest.mark.parametrize("separator", ["\r", "\v", "\u2028"])
def test_a_command_after_any_line_separator_is_a_command(separator: str) -> None:
    out, err = io.BytesIO(), io.StringIO()
    stream = io.TextIOWrapper(out, encoding="utf-8", newline="")
    print_line_diff("a", f"a{separator}::error::b", "Modelfile", Terminal(io.StringIO(), stream, err, CI))
    stream.detach()
    assert out.getvalue().startswith(b"::stop-commands::")


def test_a_diff_with_color_is_escaped() -> None:
    out, _ = diff({"FORCE_COLOR": "1", **CI})
    assert " <U+003A>:error::b\n" in out
    assert "\x1b[31m-#  #<U+0023>[add-mask]c<U+000D>\x1b[0m\n" in out
    assert " SYSTEM <U+001B>[31m\n" in out


def test_the_path_is_escaped() -> None:
    assert diff({}, "a\n::error::b")[0].startswith("--- a<U+000A>::error::b\n+++ a<U+000A>::error::b\n@@")


@pytest.mark.parametrize("command", [("fmt", "--check"), ("fmt", "--diff"), ("lint", "--diff"), ("pin", "--check")])
def test_file_names_begin_no_line(tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "a\n::error::b.Modelfile").write_text("FROM   x:1\nPARAMETER  seed 1\n")
    (tmp_path / "mf.lock").write_text('{"version": "1.0", "modelfiles": {}}')
    ran = mf(*command, cwd=tmp_path)
    assert "a<U+000A>::error::b.Modelfile" in ran.out + ran.err
    assert not re.search("^::", ran.out + ran.err, re.MULTILINE)


def line_diff(old: str, new: str) -> str:
    """Return the diff that is printed."""
    out, err = (io.TextIOWrapper(io.BytesIO(), newline="") for _ in range(2))
    print_line_diff(old, new, "Modelfile", Terminal(io.StringIO(), out, err, {}))
    out.flush()
    assert isinstance(out.buffer, io.BytesIO)
    return out.buffer.getvalue().decode()


def apply(lines: list[str], old: list[str]) -> list[str]:
    """Return the new lines that a diff makes of the old ones."""
    new: list[str] = []
    at = 0
    for line in lines[2:]:
        if line.startswith("@@"):
            start, _, count = line.split()[1].removeprefix("-").partition(",")
            first = int(start) - (count != "0")
            new += old[at:first]
            at = first
            continue
        assert line[0] == "+" or old[at] == line[1:]
        new += [line[1:]] if line[0] in " +" else []
        at += line[0] in " -"
    return new + old[at:]


@given(st.lists(st.sampled_from("abc")), st.lists(st.sampled_from("abc")))
def test_diff_makes_the_new_text_of_the_old_one(old: list[str], new: list[str]) -> None:
    printed = line_diff("".join(f"{line}\n" for line in old), "".join(f"{line}\n" for line in new))
    assert bool(printed) == (old != new)
    assert apply(printed.splitlines(), old) == new


def test_few_changes_are_printed_as_difflib_does() -> None:
    old = [f"{number}\n" for number in range(50)]
    new = [*old[:10], "x\n", *old[11:30], *old[31:], "y\n"]
    assert line_diff("".join(old), "".join(new)) == "".join(unified_diff(old, new, "Modelfile", "Modelfile"))


@pytest.mark.parametrize("count", [1_500, 20_000])
def test_many_changes_are_one(count: int) -> None:
    old = ["first", *(f"from {number}" if number % 2 else f"# {number}" for number in range(count)), "last"]
    new = [line.replace("from", "FROM") for line in old]
    lines = line_diff("".join(f"{line}\n" for line in old), "".join(f"{line}\n" for line in new)).splitlines()
    assert sum(line.startswith("@@") for line in lines) == 1
    assert apply(lines, old) == new
