"""A clock for deadlines that only the test advances."""

import time
from typing import Self

import pytest


class AdvancedClock:
    """The module `time` with a monotonic clock that stands still until it is advanced."""

    def __init__(self) -> None:
        self._now = 0.0

    @classmethod
    def replace(cls, monkeypatch: pytest.MonkeyPatch) -> Self:
        """Return a new clock that replaces the one of all deadlines."""
        clock = cls()
        monkeypatch.setattr("modelfile.stores.network.deadline.time", clock)
        return clock

    def advance(self, seconds: float) -> None:
        """Let some seconds pass."""
        self._now += seconds

    def monotonic(self) -> float:
        """Return the seconds that passed."""
        return self._now

    sleep = staticmethod(time.sleep)
