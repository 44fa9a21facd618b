"""The terminal: the streams of a run, with color, width and drawing where they are a terminal."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, TextIO, TypeAlias, cast

from modelfile.characters import code_point
from modelfile.events import Clock

if TYPE_CHECKING:
    from rich.console import Console

Piece: TypeAlias = tuple[str, str]
"""A text and its style."""

_DUMB: Final = ("dumb", "unknown")
_WIDTH: Final = 80
"""Width in columns if the stream has none."""


class SafeStream:
    """Standard error that ignores failed writes, as with a full disk or a closed pipe."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text, and ignore failure."""
        with contextlib.suppress(OSError, ValueError):  # a closed stream raises ValueError
            return self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush the stream, and ignore failure."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Terminal:
    """The streams, the environment and the clock of a run.

    The clock is part of it because ages, rates and delays are only ever shown here.
    """

    def __init__(
        self, stdin: TextIO, stdout: TextIO, stderr: TextIO, environ: Mapping[str, str], clock: Clock | None = None
    ) -> None:
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = cast("TextIO", SafeStream(stderr))
        self.environ = environ
        self.clock = clock or Clock()
        self.quiet = False
        """True to print only results and errors."""
        self._drawing: Console | None = None
        self._warnings: set[str] = set()

    def is_tty(self, *, err: bool = False) -> bool:
        """Return whether standard output (with `err`, standard error) is a terminal."""
        return self._stream(err=err).isatty()

    @property
    def animated(self) -> bool:
        """True if standard error is a terminal that can redraw a line."""
        return self.is_tty(err=True) and self.environ.get("TERM", "") not in _DUMB

    @property
    def width(self) -> int:
        """Width of standard output in columns."""
        if (columns := self.environ.get("COLUMNS", "")).isdecimal() and int(columns):
            return int(columns)
        try:
            return os.get_terminal_size(self.stdout.fileno()).columns or _WIDTH
        except OSError:  # also raised for a stream without a file
            return _WIDTH

    def write(self, pieces: Iterable[Piece], *, err: bool = False, exact: bool = False) -> None:
        """Write pieces as one line, styled on a terminal; unless `exact`, with control characters made visible."""
        pieces = [(text if exact else visible(text, keep="\n"), style) for text, style in pieces]
        stream = self._stream(err=err)
        console = self._drawing if stream.isatty() else None
        if console is None:
            if not stream.isatty() or "NO_COLOR" in self.environ or self.environ.get("TERM") == "dumb":
                stream.write("".join(text for text, _ in pieces) + "\n")
                return
            console = self.console(err=err)
        from rich.text import Text

        console.print(Text.assemble(*pieces), soft_wrap=True, highlight=False)

    def print(self, text: str = "", *, err: bool = False, end: str = "\n") -> None:
        """Write a text and flush; on a terminal, control characters are made visible."""
        stream = self._stream(err=err)
        if stream.isatty():
            text = visible(text, keep="\n\t")
        if self._drawing and stream.isatty():
            self._drawing.out(text, end=end, highlight=False)
        else:
            stream.write(f"{text}{end}")
            stream.flush()

    def write_bytes(self, content: bytes) -> None:
        """Write bytes to standard output."""
        self.stdout.flush()
        self.stdout.buffer.write(content)

    def print_error(self, message: str, hint: str | None) -> None:
        """Print an error and its hint on standard error."""
        self.write([("error: ", "bold red"), (message, "")], err=True)
        if hint:
            self.write([("help: ", "bold cyan"), (hint, "")], err=True)

    def print_warning(self, message: str) -> None:
        """Print a warning on standard error, each only once."""
        if self.quiet or message in self._warnings:
            return
        self._warnings.add(message)
        self.write([("warning: ", "bold yellow"), (visible(message), "")], err=True)

    def print_note(self, message: str) -> None:
        """Print a note on standard error."""
        if not self.quiet:
            self.write([(visible(message), "dim")], err=True)

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

        return Console(file=self._stream(err=err), _environ=self.environ)

    @contextlib.contextmanager
    def above(self, console: Console) -> Iterator[None]:
        """Write to a terminal above what the console draws there, while the context is open."""
        before, self._drawing = self._drawing, console
        try:
            yield
        finally:
            self._drawing = before

    def _stream(self, *, err: bool) -> TextIO:
        return self.stderr if err else self.stdout


current: Final[ContextVar[Terminal]] = ContextVar("current")
"""Terminal of the run; `modelfile.cli.app.main` sets it."""


def visible(text: str, *, keep: str = "") -> str:
    """Return a text that is safe on a terminal: tabs as spaces, control and format characters as their code."""
    if "\t" not in keep:
        text = text.replace("\t", " ")
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character in keep else code_point(character) for character in text
    )
