"""Progress of transfers, builds and checks on standard error.

A bar on a terminal, otherwise a line every few seconds; nothing for what takes less than half a second.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from typing import Final, TypeVar

from modelfile.events import Clock, Events, Progress, ignore
from modelfile.report.terminal import Terminal, visible

_T = TypeVar("_T")

_DELAY: Final = 0.5
"""Time before anything is shown, in seconds."""
_INTERVAL: Final = 5.0
"""Time between lines, in seconds."""
_REFRESH: Final = 0.1
"""Time between updates of a bar or a counter, in seconds."""
_WINDOW: Final = 10.0
"""Time over which a rate is measured, in seconds."""
_SAMPLE: Final = 0.5
"""Time between two samples of a rate, in seconds."""
_MINUTE: Final = 60
_HOUR: Final = 3600


@contextlib.contextmanager
def progress(title: str, terminal: Terminal) -> Iterator[Events]:
    """Yield a callback that shows progress events; several threads may call it."""
    if terminal.quiet:
        yield ignore
        return
    meter = Meter(title, terminal.clock)
    done = threading.Event()
    thread = threading.Thread(
        target=_show_bar if terminal.animated else _show_lines, args=(meter, done, terminal), daemon=True
    )
    thread.start()
    try:
        yield meter.record
    finally:
        done.set()
        thread.join()


def track(items: Sequence[_T], label: str, terminal: Terminal) -> Generator[_T]:
    """Yield the items, and show on a terminal how many are done, if that takes long enough."""
    if terminal.quiet or not terminal.animated:
        yield from items
        return
    meter = Meter(label, terminal.clock, interval=_REFRESH)
    shown = False
    try:
        for number, item in enumerate(items):
            yield item
            if meter.is_due():
                shown = True
                terminal.show_status(f"{label} {number + 1} of {len(items)}")
    finally:
        if shown:
            terminal.show_status("")


class Meter:
    """The latest progress event, its rate, and the time of the next line."""

    def __init__(self, title: str, clock: Clock, *, interval: float = _INTERVAL) -> None:
        self._clock = clock
        self._interval = interval
        self._lock = threading.Lock()
        self._now = Progress(status=title)
        began = clock.monotonic()
        self._began = began
        self._samples = deque([(began, 0)])
        """Bytes done at moments of this phase: the last ones, and one that is at least as old as the window."""
        self._last_line = began + _DELAY - interval
        self._grace = interval

    def record(self, now: Progress) -> None:
        """Record the latest progress event."""
        with self._lock:
            if (now.status, now.total) != (self._now.status, self._now.total):
                self._began = self._clock.monotonic()
                self._samples = deque([(self._began, now.completed)])
            self._now = now
            self._sample()

    def _sample(self) -> None:
        at = self._clock.monotonic()
        if at - self._samples[-1][0] >= _SAMPLE:
            self._samples.append((at, self._now.completed))
        while len(self._samples) > 1 and at - self._samples[1][0] >= _WINDOW:
            self._samples.popleft()

    def is_due(self) -> bool:
        """Return whether it is time for the next line."""
        with self._lock:
            now = self._clock.monotonic()
            waited = now - self._last_line
            if waited < self._interval or (waited < self._interval + self._grace and now - self._began < _DELAY):
                return False  # the second condition: a phase that has just begun may end at once
            self._last_line, self._grace = now, _DELAY
        return True

    def bytes_done(self) -> tuple[int | None, int]:
        """Return the total of bytes, None if unknown, and the bytes done."""
        now = self._now
        return now.total or None, now.completed

    def describe(self) -> str:
        """Return the status with bytes done, rate and remaining time."""
        with self._lock:
            self._sample()
            now, at, (since, before) = self._now, self._clock.monotonic(), self._samples[0]
            seconds, measured = at - self._began, at - since
        status = visible(now.status)
        waited = f", {_time(seconds)}" if seconds >= _INTERVAL else ""
        if not now.total or not now.completed:
            return f"{status}{waited}"
        unit, factor = _unit(now.total)
        text = f"{status} {_number(now.completed / factor)} of {_number(now.total / factor)} {unit}"
        rate = (now.completed - before) / measured if measured >= _DELAY else 0
        if rate <= 0 or now.completed >= now.total:
            return f"{text}{waited}"
        unit, factor = _unit(rate)
        left = _time((now.total - now.completed) / rate)
        return f"{text}, {_number(rate / factor)} {unit}/s, {left} left"


def _show_lines(meter: Meter, done: threading.Event, terminal: Terminal) -> None:
    while not done.wait(_REFRESH):
        if meter.is_due():
            terminal.print(meter.describe(), err=True)


def _show_bar(meter: Meter, done: threading.Event, terminal: Terminal) -> None:
    began = terminal.clock.monotonic()
    while not done.wait(_REFRESH):
        if terminal.clock.monotonic() - began >= _DELAY:
            draw_bar(meter, done, terminal)
            return


def draw_bar(meter: Meter, done: threading.Event, terminal: Terminal) -> None:
    """Draw a bar until `done` is set, then remove it."""
    from rich.progress import BarColumn, TextColumn  # 60 ms, spent while something slow runs anyway
    from rich.progress import Progress as Bars

    console = terminal.console(err=True)
    columns = (BarColumn(), TextColumn("{task.description}", markup=False))
    bars = Bars(
        *columns, console=console, transient=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
    )
    with bars, terminal.above(console):
        task = bars.add_task(meter.describe(), total=None)
        over = False
        while not over:
            total, completed = meter.bytes_done()
            bars.update(task, total=total, completed=completed, description=meter.describe(), refresh=True)
            over = done.wait(_REFRESH)


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
