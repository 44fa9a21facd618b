"""The terminal: the streams of a run, with color, width and drawing where they are a terminal."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Literal, TextIO, TypeAlias, cast

from modelfile.characters import code_point, escape_controls
from modelfile.events import Clock

if TYPE_CHECKING:
    from rich.console import Console

Color: TypeAlias = Literal["auto", "always", "never"]
Piece: TypeAlias = tuple[str, str]
"""A text and its style."""

_ON_STORE: Final = (
    r"`(mf (?:build|cp|ls|pull|push|rm|rollback|show|store \w+)\b(?![^`]*(?: --(?:host|plan|store)\b|registry:))[^`]*)`"
)
"""A command on stored models in a hint, which does not say where they are."""
_DUMB: Final = ("dumb", "unknown")
_WIDTH: Final = 80
"""Width in columns if the stream has none."""
_LINES: Final = 1_000
"""Number of lines that are written at once."""

_CAN_STOP_COMMANDS: Final = ("GITHUB_ACTIONS",)
"""Variables that are set where a CI system reads output for commands until an output stops it: GitHub and Gitea."""
_ALWAYS_READS_COMMANDS: Final = ("TF_BUILD", "TEAMCITY_VERSION")
"""Variables that are set where a CI system always reads output for commands: Azure Pipelines and TeamCity."""
_INNER_COMMAND: Final = re.compile(r"##(?=\w*\[)")
_COMMAND: Final = re.compile(rf"^\s*:(?=:)|{_INNER_COMMAND.pattern}")
"""Start of a command to a CI system: `::` at the start of a line, `##[` anywhere (src/Runner.Common/ActionCommand.cs of
actions/runner 2.3), `##vso[` (Azure Pipelines), `##teamcity[`."""


class ReaderGone(BrokenPipeError):
    """Standard output was closed by its reader."""


class SafeStream:
    """An output stream that survives failed writes, as with a full disk, and records the first one."""

    def __init__(self, stream: TextIO, *, stop_without_reader: bool = False) -> None:
        self._stream = stream
        self.stops_without_reader = stop_without_reader
        """False if a reader that closes the stream is no reason to stop."""
        self.failure: OSError | None = None

    def write(self, text: str) -> int:
        """Write a text.

        Raises:
            ReaderGone: The reader of the stream closed it, and `stops_without_reader` is set.
        """
        try:  # without a context manager, which takes longer than the rest
            self._stream.write(text)
        except (OSError, ValueError) as error:
            self._handle(error)
        return len(text)

    def write_bytes(self, content: bytes) -> None:
        """Write bytes and flush; raise as `write` does."""
        try:
            self._stream.flush()
            self._stream.buffer.write(content)
            self._stream.buffer.flush()
        except (OSError, ValueError) as error:
            self._handle(error)

    def flush(self) -> None:
        """Flush the stream; raise as `write` does."""
        try:
            self._stream.flush()
        except (OSError, ValueError) as error:
            self._handle(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _handle(self, error: OSError | ValueError) -> None:
        if isinstance(error, BrokenPipeError):
            if self.stops_without_reader:
                raise ReaderGone(*error.args) from None
        elif isinstance(error, OSError):  # a closed stream raises ValueError
            self.failure = self.failure or error


class Terminal:
    """The streams, the environment and the clock of a run.

    The clock is part of it because ages, rates and delays are only ever shown here.
    """

    def __init__(
        self, stdin: TextIO, stdout: TextIO, stderr: TextIO, environ: Mapping[str, str], clock: Clock | None = None
    ) -> None:
        self.stdin = stdin
        self.stdout = SafeStream(stdout, stop_without_reader=True)
        self.stderr = SafeStream(stderr)
        self.environ = environ
        self.clock = clock or Clock()
        self.color: Color = "auto"
        """When to print colors; auto: on terminals, unless the environment says otherwise."""
        self.quiet = False
        self.location = ""
        """The option that names the store of this run, as `--store models`, for the commands in hints."""
        """True to print only results and errors."""
        self._drawing: Console | None = None
        self._warnings: set[str] = set()

    def is_tty(self, *, err: bool = False) -> bool:
        """Return whether standard output (with `err`, standard error) is a terminal."""
        return bool(self._stream(err=err).isatty())

    def is_styled(self, *, err: bool = False) -> bool:
        """Return whether text on a stream has colors; an empty variable is not set (no-color.org, force-color.org)."""
        if self.color != "auto":
            return self.color == "always"
        if self.environ.get("NO_COLOR"):
            return False
        return bool(self.environ.get("FORCE_COLOR")) or (self.is_tty(err=err) and self.environ.get("TERM") not in _DUMB)

    @property
    def animated(self) -> bool:
        """True if standard error is a terminal that can redraw a line."""
        return self.is_tty(err=True) and self.environ.get("TERM", "") not in _DUMB

    @property
    def table_width(self) -> int | None:
        """Width that tables must not exceed, in columns; None without a terminal and COLUMNS."""
        return self.width if self.is_tty() or self.environ.get("COLUMNS") else None

    @property
    def width(self) -> int:
        """Width of standard output in columns."""
        if (columns := self.environ.get("COLUMNS", "")).isdecimal() and int(columns):
            return int(columns)
        try:
            return os.get_terminal_size(self.stdout.fileno()).columns or _WIDTH
        except OSError:  # also raised for a stream without a file
            return _WIDTH

    def write(self, pieces: Iterable[Piece], *, err: bool = False, end: str = "\n") -> None:
        """Write pieces for people as one line, styled on a terminal; control characters and newlines are escaped."""
        self.write_lines([pieces], err=err, end=end)

    def write_lines(self, lines: Iterable[Iterable[Piece]], *, err: bool = False, end: str = "\n") -> None:
        """Write several lines as `write` does."""
        stream = self._stream(err=err)
        console = self._drawing if stream.isatty() else None
        if console is None and not self.is_styled(err=err):
            is_read_for_commands, rest = self._is_read_for_commands(), iter(lines)
            while texts := ["".join([text for text, _ in pieces]) for pieces in islice(rest, _LINES)]:
                if not "".join(texts).isprintable():
                    texts = [*map(visible, texts)]
                if is_read_for_commands:
                    texts = [*map(self.escape_commands, texts)]
                stream.write(end.join(texts) + end)
            return
        from rich.text import Text

        console = console or self.console(err=err)
        for pieces in lines:
            escaped = ((self.escape_commands(visible(text)), style) for text, style in pieces)
            console.print(Text.assemble(*escaped), soft_wrap=True, highlight=False, end=end)

    def print(self, text: str = "", *, err: bool = False, end: str = "\n") -> None:
        """Write a text for people as one line, and flush."""
        self.write([(text, "")], err=err, end=end)
        self._stream(err=err).flush()

    def print_lines(self, text: str, *, err: bool = False) -> None:
        """Print a text for people of several lines."""
        self.write_lines(([(line, "")] for line in text.removesuffix("\n").split("\n")), err=err)
        self._stream(err=err).flush()

    def write_content(self, content: str | bytes) -> None:
        """Write content for programs to standard output: byte for byte, but escaped on a terminal."""
        if not self.is_tty():
            self.stdout.write_bytes(content if isinstance(content, bytes) else content.encode(errors="replace"))
            return
        text = content if isinstance(content, str) else content.decode(errors="replace")
        self.stdout.write(escape_controls(text, keep="\n\t"))
        self.stdout.flush()

    def write_without_commands(self, text: str) -> bool:
        """Write content as `write_content` does, but so that a CI system obeys no line of it.

        GitHub obeys none between two commands of ours ("Stopping workflow commands"); for others, lines are escaped.
        Return False if they are.
        """
        if not any(map(self._has_command, text.splitlines())):
            self.write_content(text)
            return True
        can_stop = not any(map(self.environ.get, _ALWAYS_READS_COMMANDS))
        if can_stop:
            from secrets import token_hex  # nobody can guess it

            token = token_hex(16)
            end = "" if text.endswith("\n") else "\n"
            text = f"::stop-commands::{token}\n{text}{end}::{token}::\n"
        else:
            text = "".join(map(self.escape_commands, text.splitlines(keepends=True)))
        self.write_content(text)
        return can_stop

    def _has_command(self, line: str) -> bool:
        return self._is_read_for_commands() and _COMMAND.search(line) is not None

    def _is_read_for_commands(self) -> bool:
        return any(map(self.environ.get, (*_CAN_STOP_COMMANDS, *_ALWAYS_READS_COMMANDS)))

    def escape_commands(self, line: str) -> str:
        """Return a line of output in which a CI system finds no command."""
        return _COMMAND.sub(_escape_last, line) if self._has_command(line) else line

    def print_error(self, message: str, hint: str | None, details: Iterable[str] = ()) -> None:
        """Print an error, its details and its hint on standard error; secrets that they quote are redacted."""
        self._report([("error: ", "bold red"), (message, "")], hint, details)

    def complete(self, hint: str) -> str:
        """Return a hint whose commands on stored models name the store that this run uses."""
        if not self.location:
            return hint
        return re.sub(_ON_STORE, lambda found: f"`{found[1]} {self.location}`", hint)

    def _report(self, pieces: Iterable[Piece], hint: str | None = None, details: Iterable[str] = ()) -> None:
        """Print a line, details and a hint on standard error, without secrets."""
        from modelfile.redaction import redact  # 1 ms that not every command pays

        lines = [pieces, *([(f"  {line}", "")] for line in details)]
        if hint:
            lines.append([("help: ", "bold cyan"), (self.complete(hint), "")])
        self.write_lines(([(redact(text), style) for text, style in line] for line in lines), err=True)

    def print_warning(self, message: str, hint: str | None = None, details: Iterable[str] = ()) -> None:
        """Print a warning as `print_error` does an error, each warning only once."""
        if self.quiet or message in self._warnings:
            return
        self._warnings.add(message)
        self._report([("warning: ", "bold yellow"), (message, "")], hint, details)

    def print_note(self, message: str) -> None:
        """Print a note on standard error; secrets that it quotes are redacted."""
        if not self.quiet:
            self._report([(message, "dim")])

    def confirm(self, question: str) -> bool:
        """Ask a question on standard error; return whether the answer is yes."""
        self.print(f"{question} [y/N] ", err=True, end="")
        return self.stdin.readline().strip().lower() in ("y", "yes")

    def show_status(self, text: str) -> None:
        """Overwrite the last line on standard error; an empty text removes it."""
        self.stderr.write(f"\r{text}" if text else "\r\x1b[K")
        self.stderr.flush()

    def console(self, *, err: bool = False) -> Console:
        """Return a rich console for a stream."""
        from rich.console import Console  # 25 ms, paid only on a terminal

        environ = {name: value for name, value in self.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
        styled = self.is_styled(err=err)
        is_plain = styled and not (self.is_tty(err=err) and self.environ.get("TERM") not in _DUMB)
        return Console(
            file=cast("TextIO", self._stream(err=err)),
            force_terminal=styled or None,
            color_system="standard" if is_plain else "auto",
            no_color=not styled,
            _environ=environ,
        )

    @contextlib.contextmanager
    def above(self, console: Console) -> Iterator[None]:
        """Write to a terminal above what the console draws there, while the context is open."""
        before, self._drawing = self._drawing, console
        try:
            yield
        finally:
            self._drawing = before

    def _stream(self, *, err: bool) -> SafeStream:
        return self.stderr if err else self.stdout


current: Final[ContextVar[Terminal]] = ContextVar("current")
"""Terminal of the run; `modelfile.cli.app.main` sets it."""


def visible(text: str, *, keep: str = "") -> str:
    """Return a text that is safe on a terminal: tabs as spaces, control and format characters as their code."""
    if "\t" not in keep:
        text = text.replace("\t", " ")
    if text.isprintable() or (keep and all(map(str.isprintable, text.split(keep)))):
        return text
    return "".join(
        character if character.isprintable() or character in keep else code_point(character) for character in text
    )


def escape_inner_commands(text: str) -> str:
    """Return a text without commands to a CI system that need not start a line, as `##vso[` of Azure Pipelines."""
    return _INNER_COMMAND.sub(_escape_last, text)


def _escape_last(found: re.Match[str]) -> str:
    return found[0][:-1] + code_point(found[0][-1])
