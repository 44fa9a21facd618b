"""Repeat a command whenever a Modelfile or the configuration changes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from modelfile.errors import InputError, ModelfileError
from modelfile.report.terminal import current

_START_MS: Final = 500
"""Time after which the watcher has certainly started, in milliseconds."""
_STEP_MS: Final = 200
"""Time within which changes count as one, in milliseconds."""


def repeat(once: Callable[[], object], files: Callable[[], list[str]], changes: Callable[[], Iterable[object]]) -> None:
    """Run a function now and after each change, until the changes end or Ctrl-C.

    Args:
        once: The function to run.
        files: Returns the files to compare; other changes are ignored.
        changes: Starts a watcher, and yields once it has started and whenever something may have changed.

    Raises:
        ModelfileError: The first run fails.
    """
    terminal = current.get()
    again = False
    while True:
        seen = _states(files)
        try:
            once()
        except ModelfileError as error:
            if not again:
                raise
            terminal.print_error(error.message, error.hint)
        terminal.stdout.flush()
        terminal.print_note("waiting for changes; press Ctrl-C to stop")
        if not any(now and now != seen for now in (_states(files) for _ in changes())):
            return
        again = True


def watch_changes(paths: Iterable[str], files: Iterable[str]) -> Iterator[object]:
    """Yield once folders and files are watched, then whenever something in them changes.

    Folders are watched recursively. A file is watched through its folder, because editors replace files; if folders are
    watched recursively, files outside of them are watched directly, which notices at least their replacement.
    """
    from watchfiles import watch

    folders = [path for path in paths if Path(path).is_dir()]
    present = [path for path in files if Path(path).exists()]
    watched = [*folders, *present] if folders else {Path(path).parent for path in present}
    started = False
    for changed in watch(
        *watched,
        watch_filter=_is_relevant,
        step=_STEP_MS,
        rust_timeout=_START_MS,
        yield_on_timeout=True,
        recursive=bool(folders),
    ):
        if changed or not started:
            yield changed
        started = True


def _is_relevant(_: object, path: str) -> bool:
    """Return whether a file is outside of the folders to ignore."""
    return not {".git", "node_modules", "__pycache__"} & {*Path(path).parts}


def _states(files: Callable[[], list[str]]) -> Mapping[str, tuple[int, int, int]]:
    states: dict[str, tuple[int, int, int]] = {}
    try:
        paths = files()
    except InputError:  # the last file is deleted, or is just being replaced
        return states
    for path in paths:
        with contextlib.suppress(OSError):  # deleted, which is a change, too
            stat = Path(path).stat()
            states[path] = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
    return states
