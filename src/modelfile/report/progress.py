"""Progress of transfers and builds, on a terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

from modelfile.store.base import Progress


@contextlib.contextmanager
def progress(title: str) -> Iterator[Callable[[Progress], None]]:
    """A listener that shows what it is told on standard error, if that is a terminal; silent else."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(title, total=None)

        def listen(now: Progress) -> None:
            bars.update(task, description=now.status, total=now.total or None, completed=now.completed)

        yield listen
