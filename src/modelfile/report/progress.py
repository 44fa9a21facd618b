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
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[detail]}", markup=False),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(title, total=None, detail="")

        def listen(now: Progress) -> None:
            bars.update(task, total=now.total or None, completed=now.completed, detail=describe(now))

        yield listen


def describe(now: Progress) -> str:
    """What is being done, and of how many bytes how many are done."""
    from rich.filesize import decimal

    return f"{now.status} {decimal(now.completed)} of {decimal(now.total)}" if now.total else now.status
