"""A clock for deadlines that only the test advances."""

import time
from dataclasses import replace
from threading import Event
from typing import Self

import pytest
from tests.fakes.script import Script


class AdvancedClock:
    """The module `time` with a monotonic clock that stands still until it is advanced.

    Attributes:
        step: Seconds by which each look at the clock advances it.
    """

    def __init__(self) -> None:
        self.step = 0.0
        self._now = 0.0

    @classmethod
    def replace(cls, monkeypatch: pytest.MonkeyPatch) -> Self:
        """Return a new clock that replaces the one of all deadlines."""
        clock = cls()
        monkeypatch.setattr("modelfile.stores.network.deadline.time", clock)
        return clock

    @classmethod
    def from_start_of(cls, script: Script, monkeypatch: pytest.MonkeyPatch) -> Script:
        """Replace the clock of all deadlines by one that stands still until a server answers by a script; return it.

        So no request expires before that because a machine is busy.
        """
        return replace(script, begun=ClockEvent(cls.replace(monkeypatch)))

    def advance(self, seconds: float) -> None:
        """Let some seconds pass."""
        self._now += seconds

    def monotonic(self) -> float:
        """Return the seconds that passed."""
        self._now += self.step
        return self._now

    def sleep(self, seconds: float) -> None:
        """Sleep, and let as much time pass on this clock."""
        time.sleep(seconds)
        self.advance(seconds)


class ClockEvent(Event):
    """An event from which on each look at a clock advances it by 2 ms; a wait for an answer looks every 20 ms."""

    def __init__(self, clock: AdvancedClock) -> None:
        super().__init__()
        self._clock = clock

    def set(self) -> None:
        """Start the clock, and set the event."""
        self._clock.step = 0.002
        super().set()
