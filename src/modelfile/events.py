"""How far something is: told by what does it, heard by what shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A moment of a transfer or of a build."""

    status: str
    total: int = 0
    """In bytes; 0 where there is nothing to count."""
    completed: int = 0


Events: TypeAlias = Callable[[Progress], None]
"""Is told how it goes."""


def ignore(_: Progress) -> None:
    """Listen to nothing."""
