"""Count the work of a function in lines run and in text copied, which are the same on each machine."""

import gc
import sys
from collections.abc import Callable, Iterator
from functools import _lru_cache_wrapper
from types import FrameType
from typing import Any, Final, TypeAlias

from tests.support.paths import ROOT

_SOURCES: Final = str(ROOT / "src")
Count: TypeAlias = Callable[[Callable[[], object]], int]
"""Returns the work of a call."""
GROWTH: Final = 2.5
"""Upper limit of the factor by which work grows when its input doubles; 2 is linear, 4 quadratic."""
_DEEPEST: Final = 4
"""Number of containers within each other in which text is looked for."""


def count_operations(function: Callable[[], object]) -> int:
    """Return the number of lines of `modelfile` that a call runs; passes through a loop count, calls into C do not."""
    count = 0

    def count_line(_frame: FrameType, event: str) -> None:
        nonlocal count
        count += event == "line"

    _trace(function, count_line)
    return count


def count_copied(function: Callable[[], object]) -> int:
    """Return the number of characters and bytes in the texts that a call binds to variables, or puts into containers.

    This counts work of C that `count_operations` does not: the result of each `+=`, slice or `replace`. It takes time
    to the square of what the variables contain, so the input must be small.
    """
    count = 0
    seen: dict[FrameType, dict[int, int]] = {}

    def count_new(frame: FrameType, event: str) -> None:
        nonlocal count
        sizes = {id(text): len(text) for text in _texts(list(frame.f_locals.values()), _DEEPEST)}
        before = seen.get(frame, sizes)
        count += sum(size for key, size in sizes.items() if before.get(key) != size)
        seen[frame] = sizes
        if event == "return":
            del seen[frame]

    _trace(function, count_new)
    return count


def _texts(value: object, depth: int) -> Iterator[str | bytes]:
    """Yield the texts of a value, and of those in it."""
    if isinstance(value, str | bytes):
        yield value
    elif depth and isinstance(value, list | tuple | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item, depth - 1)


def _trace(function: Callable[[], object], on_event: Callable[[FrameType, str], None]) -> None:
    """Call a function, and the other one at each event of the frames of `modelfile`.

    Garbage of earlier tests is not collected during a count, as that may run lines, too.
    """

    def trace(frame: FrameType, _event: str, _: Any) -> Any:
        return trace_line if frame.f_code.co_filename.startswith(_SOURCES) else None

    def trace_line(frame: FrameType, event: str, _: Any) -> Any:
        on_event(frame, event)
        return trace_line

    before, collects = sys.gettrace(), gc.isenabled()
    gc.disable()
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before)
        if collects:
            gc.enable()


def growth(prepare: Callable[[int], Callable[[], object]], size: int, count: Count = count_operations) -> float:
    """Return by how much more work the step from 2 to 4 sizes is than that from 1 to 2.

    Args:
        prepare: Returns the function to count for an input of a size.
        size: The smallest size.
        count: Returns the work of a call.
    """
    prepare(1)()  # imports and tables
    works = []
    for factor in (1, 2, 4):
        _clear_caches()
        works.append(count(prepare(size * factor)))
    one, two, four = works
    return (four - two) / max(two - one, size)


def _clear_caches() -> None:
    """Forget the results of earlier calls, which may be those of another test; tables stay."""
    for name, module in [*sys.modules.items()]:
        for value in [*vars(module).values()] if name.startswith("modelfile.") else ():
            if isinstance(value, _lru_cache_wrapper) and value.cache_parameters()["maxsize"] is not None:
                value.cache_clear()
