"""Output to terminals and to files."""

import io
from collections.abc import Mapping
from typing import TextIO, cast

import pytest

from modelfile.report.terminal import Color, SafeStream, Terminal, visible


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        """Return true."""
        return True


def terminal(
    stdout: io.TextIOBase,
    stderr: io.StringIO | None = None,
    stdin: str = "",
    environ: Mapping[str, str] | None = None,
) -> Terminal:
    return Terminal(io.StringIO(stdin), cast("TextIO", stdout), stderr or io.StringIO(), environ or {})


@pytest.mark.parametrize(
    ("environ", "styled"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "NO_COLOR": "", "FORCE_COLOR": ""}, True),
        ({"TERM": "dumb"}, False),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "xterm", "NO_COLOR": "0"}, False),
    ],
)
def test_only_terminals_get_colors(environ: dict[str, str], *, styled: bool) -> None:
    screen, file = Screen(), io.StringIO()
    for stream in (screen, file):
        terminal(stream, environ=environ).write([("error: ", "bold red"), ("[b] no markup", "")])
    assert ("\x1b[" in screen.getvalue()) is styled
    assert "[b] no markup\n" in screen.getvalue()
    assert file.getvalue() == "error: [b] no markup\n"


@pytest.mark.parametrize(
    ("environ", "color", "styled"),
    [
        ({"FORCE_COLOR": "1"}, "auto", True),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, "auto", True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, "auto", False),
        ({"FORCE_COLOR": "1"}, "never", False),
        ({"NO_COLOR": "1"}, "always", True),
        ({}, "always", True),
        ({"TERM": "dumb"}, "always", True),
        ({"TERM": "xterm"}, "never", False),
    ],
)
@pytest.mark.parametrize("screen", [True, False])
def test_colors_can_be_forced_and_forbidden(
    environ: Mapping[str, str], color: Color, *, styled: bool, screen: bool
) -> None:
    stream = Screen() if screen else io.StringIO()
    shown = terminal(stream, environ=environ)
    shown.color = color
    shown.write([("error: ", "bold red"), ("x" * 200, "")])
    assert stream.getvalue() == ("\x1b[1;31merror: \x1b[0m" if styled else "error: ") + "x" * 200 + "\n"


@pytest.mark.parametrize("environ", [{}, {"TERM": "xterm"}])
@pytest.mark.parametrize("screen", [True, False])
def test_lines_contain_no_control_character(environ: Mapping[str, str], *, screen: bool) -> None:
    stream = Screen() if screen else io.StringIO()
    shown = terminal(stream, environ=environ)
    shown.write([("a\x1b\n::", "")])
    shown.print("b\r\x9b")
    shown.print_lines("c\nd\u2028\n")
    assert stream.getvalue() == "a<U+001B><U+000A>::\nb<U+000D><U+009B>\nc\nd<U+2028>\n"


@pytest.mark.parametrize("content", ["a\tb\x1b[2J\r\n", b"a\tb\x1b[2J\r\n"])
def test_content_is_exact_but_for_terminals(content: str | bytes) -> None:
    screen, binary = Screen(), io.BytesIO()
    terminal(screen).write_content(content)
    file = io.TextIOWrapper(binary)
    terminal(file).write_content(content)
    assert screen.getvalue() == "a\tb<U+001B>[2J<U+000D>\n"
    assert binary.getvalue() == b"a\tb\x1b[2J\r\n"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("::error::x", "<U+003A>:error::x"),
        (" \u3000::add-mask::x", " <U+3000>::add-mask::x"),
        ("a ::error::x", "a ::error::x"),
        ("a ##[set-output name=x]y", "a #<U+0023>[set-output name=x]y"),
        ("###vso[task]", "##<U+0023>vso[task]"),
        ("## [a]", "## [a]"),
    ],
)
def test_ci_finds_no_command_in_a_line(line: str, shown: str) -> None:
    log, plain = io.StringIO(), io.StringIO()
    terminal(log, environ={"GITHUB_ACTIONS": "true"}).print(line)
    terminal(plain).print(line)
    assert log.getvalue() == f"{shown}\n"
    assert plain.getvalue() == f"{line}\n".replace("\u3000", "<U+3000>")


def test_warning_is_printed_once() -> None:
    stderr = io.StringIO()
    shown = terminal(io.StringIO(), stderr)
    for message in ("one", "two", "one"):
        shown.print_warning(message)
    assert stderr.getvalue() == "warning: one\nwarning: two\n"


def test_quiet_terminal_prints_errors_only() -> None:
    stderr = io.StringIO()
    shown = terminal(io.StringIO(), stderr)
    shown.quiet = True
    shown.print_note("note")
    shown.print_warning("warning")
    shown.print_error("message", "hint")
    assert stderr.getvalue() == "error: message\nhelp: hint\n"


@pytest.mark.parametrize(
    ("said", "agreed"), [("y\n", True), (" YES \n", True), ("n\n", False), ("\n", False), ("", False)]
)
def test_only_yes_is_yes(said: str, *, agreed: bool) -> None:
    stderr = io.StringIO()
    assert terminal(io.StringIO(), stderr, said).confirm("really?") is agreed
    assert stderr.getvalue() == "really? [y/N] "


def test_width() -> None:
    assert terminal(io.StringIO()).width == 80
    assert terminal(io.StringIO(), environ={"COLUMNS": "33"}).width == 33
    assert terminal(io.StringIO(), environ={"COLUMNS": "wide"}).width == 80


def test_tables_fit_into_terminals_only() -> None:
    assert terminal(io.StringIO()).table_width is None
    assert terminal(io.StringIO(), environ={"COLUMNS": "33"}).table_width == 33
    assert terminal(Screen()).table_width == 80


def test_closed_standard_error_is_ignored() -> None:
    closed = io.StringIO()
    closed.close()
    stream = SafeStream(closed)
    assert stream.write("lost") == 4
    stream.flush()


def test_visible() -> None:
    assert visible("a\tb\n\u202e") == "a b<U+000A><U+202E>"
    assert visible("a\tb\n", keep="\n\t") == "a\tb\n"


def test_errors_warnings_and_notes_redact_secrets_everywhere() -> None:
    stderr, secret, safe = io.StringIO(), "sk-ant-Zq9mT4vLx82NbWc7RtYpQe31HsKdJf", f"sk-a{'*' * 33}"
    shown = terminal(io.StringIO(), stderr)
    shown.print_error(f"a {secret}", f"b {secret}", [f"c {secret}", "d"])
    shown.print_warning(f"e {secret}", f"f {secret}", [f"g {secret}"])
    shown.print_note(f"h {secret}")
    lines = ("error: a", "  c", "  d", "help: b", "warning: e", "  g", "help: f", "h")
    assert stderr.getvalue() == "".join(f"{line} {safe}\n".replace(f"d {safe}", "d") for line in lines)
