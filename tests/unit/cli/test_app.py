"""The program as a function: its streams, its errors and its exit codes."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.ollama import FakeOllama
from tests.support.cli import mf
from tests.support.server import connect

from modelfile import cache
from modelfile.addresses import ServerAddress
from modelfile.cli.app import COMMANDS, main
from modelfile.errors import ExitCode, Speller
from modelfile.stores.ollama.store import ServerStore
from modelfile.stores.protocol import Store


@pytest.mark.parametrize(
    "arguments", [("--help",), ("--version",), ("lint", "-h"), ("ls", "--bogus"), ("explain",), ()]
)
def test_output_goes_to_the_given_streams(arguments: tuple[str, ...], capfd: pytest.CaptureFixture[str]) -> None:
    ran = mf(*arguments)
    assert ran.out + ran.err
    assert capfd.readouterr() == ("", "")


def test_help_is_as_wide_as_the_terminal() -> None:
    narrow, wide = (mf("lint", "--help", environ={"COLUMNS": columns}).out for columns in ("60", "200"))
    assert max(map(len, narrow.splitlines())) <= 60
    assert 60 < max(map(len, wide.splitlines())) <= 80


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_color(command: str) -> None:
    assert "--color" in mf(command, "--help").out
    plain, colored = (mf(command, "--bogus", f"--color={color}").err for color in ("never", "always"))
    assert plain.startswith("error: no such option")
    assert colored.startswith("\x1b[1;31merror: \x1b[0mno such option")
    assert mf("--color", "always", command, "--bogus").err == colored
    assert mf(command, "--color", "sometimes").err.startswith("error: invalid value for `--color`: `sometimes` is not")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_quiet(command: str) -> None:
    ran = mf(command, "-q", "--quiet", "--help")
    assert ran.code == ExitCode.CLEAN
    assert "--quiet" in ran.out


def test_quiet_prints_results_and_errors_only(project: Path) -> None:
    (project / "Modelfile").write_text("# For tests.\nFROM llama3.2\nPARAMETER num_ctx many\n")
    rejected = mf("build", "bot:v1", "-q")
    assert (rejected.code, rejected.out) == (3, "")
    assert rejected.err.startswith("Modelfile:3:19: error MF302 invalid-parameter-value: ")
    assert "unpinned-base" not in rejected.err
    (project / "Modelfile").write_text("# For tests.\nFROM ./weights.gguf\n")
    built = mf("build", "bot:v1", "-q", "--host", os.environ["OLLAMA_HOST"])
    assert (built.code, built.err) == (0, "")
    assert built.out.startswith("bot:v1\n  fingerprint  mf1:")


def test_store_is_the_given_one(fake: FakeOllama) -> None:
    @contextmanager
    def opened(address: ServerAddress) -> Iterator[Store]:
        assert str(address) == "http://elsewhere:11434"
        with connect(fake.url) as client:
            yield ServerStore(client)

    ran = mf("ls", "--host", "elsewhere", open_store=opened)
    assert (ran.code, ran.out, ran.err) == (0, "", f"{fake.url} has no models\n")


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (("show", "no such name", "--json"), True),
        (("show", "no such name"), False),
        (("show", "--", "--json"), False),
        (("lint", "--format", "json", "none"), False),
        (("lint", "--format=json", "--select", "bogus"), True),
        (("show", "--json", "--bogus"), True),
        (("show", "--bogus"), False),
        (("none", "--json"), True),
    ],
)
def test_error_is_json_if_json_was_requested(arguments: tuple[str, ...], *, wanted: bool, tmp_path: Path) -> None:
    ran = mf(*arguments, cwd=tmp_path)
    assert ran.code in (ExitCode.USAGE, ExitCode.FAILED)
    assert ran.err
    assert ran.out.startswith('{\n  "error": ') is wanted


def test_closed_pipe_exits_141(tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    with os.fdopen(theirs, "w") as stdout:
        code = main(["explain"], io.StringIO(), stdout, io.StringIO(), {})
        assert code == ExitCode.READER_GONE
        with (tmp_path / "left").open("wb") as file:
            os.dup2(file.fileno(), theirs)


def test_streams_of_the_process_are_not_replaced() -> None:
    before = (sys.stdin, sys.stdout, sys.stderr)
    main(["--version"], io.StringIO(), io.StringIO(), io.StringIO(), {})
    assert before == (sys.stdin, sys.stdout, sys.stderr)


@pytest.mark.parametrize(
    "paths", [(), (".",), ("Modelfile",), ("Modelfile", "absent"), ("",), ("mf.toml", "é\udcff"), ("lint",)]
)
def test_a_lint_without_options_is_as_with_them(paths: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "Modelfile").write_text("FROM llama3.2\nPARAMETER num_ctx many\n")
    (tmp_path / "mf.toml").write_text("[models.a]\n")
    without, parsed = (mf("lint", *paths, *options, cwd=tmp_path) for options in ((), ("--color=auto",)))
    assert without == parsed
    assert without.code in (1, 2, 3)


def test_no_cache_ends_with_the_run(tmp_path: Path) -> None:
    (tmp_path / "Modelfile").write_text("FROM llama3.2\n")
    mf("lint", "--no-cache", cwd=tmp_path)
    cache.write_entry("kind", "x", 1)
    assert cache.read_entry("kind", "x") == 1


@given(
    st.text("abc", min_size=1),
    st.lists(st.text("abc", min_size=1), max_size=4),
    st.sampled_from((0.5, 0.6, 2 / 3, 0.8)),
)
def test_closest_word_is_that_of_difflib(word: str, known: list[str], cutoff: float) -> None:
    word = word[:20]
    assert Speller().closest(word, known, cutoff) == next(iter(get_close_matches(word, known, 1, cutoff)), None)
