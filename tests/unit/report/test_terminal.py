"""Output to terminals and to files."""

import io
from collections.abc import Mapping

import pytest

from modelfile.report.terminal import SafeStream, Terminal, visible


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        """Return true."""
        return True


def terminal(
    stdout: io.StringIO,
    stderr: io.StringIO | None = None,
    stdin: str = "",
    environ: Mapping[str, str] | None = None,
) -> Terminal:
    return Terminal(io.StringIO(stdin), stdout, stderr or io.StringIO(), environ or {})


@pytest.mark.parametrize(
    ("environ", "styled"),
    [({"TERM": "xterm"}, True), ({"TERM": "dumb"}, False), ({"TERM": "xterm", "NO_COLOR": "1"}, False)],
)
def test_only_terminals_get_colors(environ: dict[str, str], *, styled: bool) -> None:
    screen, file = Screen(), io.StringIO()
    for stream in (screen, file):
        terminal(stream, environ=environ).write([("error: ", "bold red"), ("[b] no markup", "")])
    assert ("\x1b[" in screen.getvalue()) is styled
    assert "[b] no markup\n" in screen.getvalue()
    assert file.getvalue() == "error: [b] no markup\n"


def test_control_codes_are_spelled_out_on_terminals_only() -> None:
    screen, file = Screen(), io.StringIO()
    for stream in (screen, file):
        terminal(stream).print("a\tb\x1b[2J\n", end="")
    assert (screen.getvalue(), file.getvalue()) == ("a\tb<U+001B>[2J\n", "a\tb\x1b[2J\n")


def test_lines_spell_out_control_codes_unless_exact() -> None:
    file = io.StringIO()
    terminal(file).write([("a\x1b", "")])
    terminal(file).write([("a\x1b", "")], exact=True)
    assert file.getvalue() == "a<U+001B>\na\x1b\n"


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


def test_closed_standard_error_is_ignored() -> None:
    closed = io.StringIO()
    closed.close()
    stream = SafeStream(closed)
    assert stream.write("lost") == 4
    stream.flush()


def test_visible() -> None:
    assert visible("a\tb\n\u202e") == "a b<U+000A><U+202E>"
    assert visible("a\tb\n", keep="\n\t") == "a\tb\n"
