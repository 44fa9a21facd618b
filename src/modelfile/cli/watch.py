"""Do something again whenever a file changes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NoReturn

from modelfile.errors import InputError
from modelfile.report.terminal import print_note

_PAUSE: Final = 0.3
"""In seconds: soon enough to feel at once, and no load."""


def repeat(once: Callable[[], object], files: Callable[[], list[str]]) -> NoReturn:
    """Do it now, and again whenever one of the files changes, comes or goes; ends with Ctrl-C."""
    while True:
        seen = _states(files)
        once()
        print_note("waiting for a change; Ctrl-C ends it")
        while (now := _states(files)) == seen or not now:
            time.sleep(_PAUSE)


def _states(files: Callable[[], list[str]]) -> dict[str, tuple[int, int]]:
    states: dict[str, tuple[int, int]] = {}
    try:
        paths = files()
    except InputError:  # the last one is gone, or is just being replaced
        return states
    for path in paths:
        with contextlib.suppress(OSError):  # gone: that is a change, too
            stat = Path(path).stat()
            states[path] = (stat.st_mtime_ns, stat.st_ino)
    return states
