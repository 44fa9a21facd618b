"""Count the work of a function in lines run, which is the same on each machine."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

from tests.support.paths import ROOT

_SOURCES: Final = str(ROOT / "src")
GROWTH: Final = 2.5
"""Upper limit of the factor by which work grows when its input doubles; 2 is linear, 4 quadratic."""


def count_operations(function: Callable[[], object]) -> int:
    """Return the number of lines of `modelfile` that a call runs; passes through a loop count, calls into C do not."""
    count = 0

    def trace(frame: FrameType, _event: str, _: Any) -> Any:
        return count_line if frame.f_code.co_filename.startswith(_SOURCES) else None

    def count_line(_frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        count += event == "line"
        return count_line

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before)
    return count


def growth(prepare: Callable[[int], Callable[[], object]], size: int) -> float:
    """Return by how much more work the step from 2 to 4 sizes is than that from 1 to 2.

    Args:
        prepare: Returns the function to count for an input of a size.
        size: The smallest size.
    """
    prepare(1)()  # imports and caches
    one, two, four = (count_operations(prepare(size * factor)) for factor in (1, 2, 4))
    return (four - two) / max(two - one, size)
