"""Progress of transfers and builds on standard error: a bar on a terminal, else a plain line every few seconds.

What takes less than half a second is not worth a word.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from modelfile.events import Events, Progress
from modelfile.report.terminal import above, visible

if TYPE_CHECKING:
    from rich.console import Console
from collections.abc import Generator, Sequence
from typing import TypeVar

_QUIET: Final = 0.5
"""In seconds; all times are."""
_EVERY: Final = 5.0
_MOMENT: Final = 0.1
_MINUTE: Final = 60
_HOUR: Final = 3600

clock: Callable[[], float] = time.monotonic


@contextlib.contextmanager
def progress(title: str) -> Iterator[Events]:
    """A listener that shows what it is told; several threads may tell it."""
    meter = Meter(title, clock)
    terminal = sys.stderr.isatty() and os.environ.get("TERM", "") not in ("dumb", "unknown")
    done = threading.Event()
    shown = threading.Thread(target=_show_bar if terminal else _show_lines, args=(meter, done), daemon=True)
    shown.start()
    try:
        yield meter.hear
    finally:
        done.set()
        shown.join()


class Meter:
    """What has been heard last, and how fast it goes."""

    def __init__(self, title: str, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._began = clock()
        self._now = Progress(status=title)
        self._first = (self._began, 0)
        self._said = self._began + _QUIET - _EVERY
        self._grace = _EVERY

    def hear(self, now: Progress) -> None:
        """Be told."""
        with self._lock:
            if (now.status, now.total) != (self._now.status, self._now.total):
                self._first = (self._clock(), now.completed)
            self._now = now

    def due(self) -> str | None:
        """A line, if it is time for one."""
        with self._lock:
            now = self._clock()
            waited = now - self._said
            if waited < _EVERY or (waited < _EVERY + self._grace and now - self._first[0] < _QUIET):
                return None  # the second: what has only just begun may be over as soon
            self._said, self._grace = now, _QUIET
        return self.describe()

    def share(self) -> tuple[int | None, int]:
        """Of how many bytes how many are done."""
        now = self._now
        return now.total or None, now.completed

    def describe(self) -> str:
        """What is being done, how much of it is, how fast, and how long it will take."""
        with self._lock:
            now, (since, before) = self._now, self._first
            seconds = self._clock() - since
        status = visible(now.status)
        waited = f", {_time(seconds)}" if seconds >= _EVERY else ""
        if not now.total or not now.completed:
            return f"{status}{waited}"
        unit, factor = _unit(now.total)
        text = f"{status} {_number(now.completed / factor)} of {_number(now.total / factor)} {unit}"
        rate = (now.completed - before) / seconds if seconds >= _QUIET else 0
        if rate <= 0 or now.completed >= now.total:
            return f"{text}{waited}"
        unit, factor = _unit(rate)
        left = _time((now.total - now.completed) / rate)
        return f"{text}, {_number(rate / factor)} {unit}/s, {left} left"


def _show_lines(meter: Meter, done: threading.Event) -> None:
    while not done.wait(_MOMENT):
        if line := meter.due():
            with contextlib.suppress(OSError, ValueError):  # nobody reads it, and that is no reason to fail
                sys.stderr.write(f"{line}\n")
                sys.stderr.flush()


def _show_bar(meter: Meter, done: threading.Event) -> None:
    if not done.wait(_QUIET):
        from rich.console import Console  # 60 ms, which nobody waits for here

        draw_bar(meter, done, Console(stderr=True))


def draw_bar(meter: Meter, done: threading.Event, console: Console) -> None:
    """Draw a bar until it is done, and take it away."""
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bars

    columns = (BarColumn(), TextColumn("{task.description}", markup=False))
    to_terminal = sys.stdout.isatty()  # else what is printed meanwhile is a result, and has nothing to do here
    with (
        Bars(*columns, console=console, transient=True, auto_refresh=False, redirect_stdout=to_terminal) as bars,
        above(console),
    ):
        task = bars.add_task(meter.describe(), total=None)
        over = False
        while not over:
            total, completed = meter.share()
            bars.update(task, total=total, completed=completed, description=meter.describe(), refresh=True)
            over = done.wait(_MOMENT)


def _unit(size: float) -> tuple[str, int]:
    for power, unit in ((4, "TB"), (3, "GB"), (2, "MB"), (1, "kB")):
        if size >= 1000**power:
            return unit, 1000**power
    return "B", 1


def _number(value: float) -> str:
    return f"{value:.1f}" if 0 < value < 10 and not value.is_integer() else f"{value:.0f}"  # noqa: PLR2004  # two digits


def _time(seconds: float) -> str:
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    return f"{seconds // _HOUR:.0f} h {seconds % _HOUR / _MINUTE:.0f} min"


_T = TypeVar("_T")

_PATIENCE: Final = 0.5
"""Of seconds: what is done by then shows nothing."""


def counted(items: Sequence[_T], what: str) -> Generator[_T]:
    """The items; on standard error, if that is a terminal, a line says how many are done once it takes its time."""
    if not sys.stderr.isatty():
        yield from items
        return
    start = shown = time.monotonic()
    try:
        for number, item in enumerate(items):
            yield item
            now = time.monotonic()
            if now - start > _PATIENCE and now - shown > _PATIENCE / 5:
                shown = now
                sys.stderr.write(f"\r{what} {number + 1} of {len(items)}")
                sys.stderr.flush()
    finally:
        if shown != start:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
