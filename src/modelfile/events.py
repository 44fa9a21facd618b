"""Progress events, and the callbacks that receive them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from modelfile.immutable import record

if TYPE_CHECKING:
    from datetime import datetime


@record(kw_only=True)
class Progress:
    """The progress of a transfer or of a build."""

    status: str
    total: int = 0
    """In bytes; 0 if there is nothing to count."""
    completed: int = 0


Events: TypeAlias = Callable[[Progress], None]
"""A callback that receives progress events."""


def ignore(_: Progress) -> None:
    """Ignore an event."""


class Clock:
    """The clock of this machine; tests pass one that they set themselves."""

    def monotonic(self) -> float:
        """Return a time in seconds that never goes back."""
        return time.monotonic()

    def now(self) -> datetime:
        """Return the date and time in UTC."""
        from datetime import UTC, datetime  # 2 ms that a lint does not need

        return datetime.now(UTC)
