"""Bring a base or files into a store."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final, TypeVar

from modelfile.errors import InputError, ServerError
from modelfile.events import Events, Progress
from modelfile.filesystem import name_lock
from modelfile.names import ModelName
from modelfile.stores.protocol import Store
from modelfile.weights import digests
from modelfile.weights.digests import size_of

_T = TypeVar("_T")

_SIDE_BY_SIDE: Final = 4
_MOMENT: Final = 0.2
"""In seconds: Windows hears of Ctrl-C only between two waits."""


def fetch(base: ModelName, store: Store, events: Events) -> None:
    """Pull a base from its registry.

    Raises:
        ServerError: It is not to be had.
    """
    try:
        for progress in store.fetch(base):
            events(progress)
    except ServerError as error:
        if type(error) is not ServerError:
            raise
        raise ServerError(
            f"the base {base} is not on the server and cannot be pulled: {error.message}",
            hint="check its name and tag; if it is meant as a path, it has to exist beside the Modelfile",
        ) from error


def send_all(digests: Mapping[Path, str], store: Store, events: Events) -> None:
    """Upload the files that the store lacks, some of them side by side; a failure or an interruption stops them all.

    What another build on this machine sends at the same moment is waited for, and not sent twice.

    Raises:
        InputError: A file cannot be read, or has changed since its digest was computed.
        ServerError: The store did not take one.
    """
    paths = {digest: path for path, digest in digests.items()}
    tally = _Tally(paths.values(), events)
    try:
        _side_by_side([partial(_send, path, digest, store, tally, events) for digest, path in paths.items()])
    finally:
        tally.stop()


class _Stopped(Exception):
    """Another upload has failed."""


class _Tally:
    """What all uploads together have sent."""

    def __init__(self, paths: Collection[Path], events: Events) -> None:
        what = next(iter(paths)).name if len(paths) == 1 else f"{len(paths)} files"
        self._status = f"uploading {what}"
        self._total = sum(map(size_of, paths))
        self._sent = 0
        self._events = events
        self._stopped = False
        self._lock = threading.Lock()

    def add(self, length: int) -> None:
        """Count what has been sent."""
        with self._lock:
            if self._stopped:
                raise _Stopped
            self._sent += length
            self._events(Progress(status=self._status, total=self._total, completed=self._sent))

    def leave_out(self, length: int) -> None:
        """Count what need not be sent."""
        with self._lock:
            self._total -= length

    def stop(self) -> None:
        """Let whoever counts next stop."""
        with self._lock:
            self._stopped = True


def _send(path: Path, digest: str, store: Store, tally: _Tally, events: Events) -> None:
    with name_lock(f"blob {digest}", store.place, events, f"upload of {path.name}"):
        if store.has_blob(digest):
            tally.leave_out(size_of(path))
            return
        tally.add(0)
        try:
            store.put_blob(digest, path, tally.add)
        except InputError:
            digests.forget_digest(path)
            raise


def _side_by_side(tasks: Sequence[Callable[[], None]]) -> None:
    """Do tasks in a few threads; a failure is raised at once.

    One that waits for a server for good does not hold up the end of the program: the threads are daemons.
    """
    if len(tasks) == 1:
        tasks[0]()
        return
    waiting: SimpleQueue[Callable[[], None]] = SimpleQueue()
    ended: SimpleQueue[BaseException | None] = SimpleQueue()
    for task in tasks:
        waiting.put(task)

    def work() -> None:
        try:
            while True:
                waiting.get_nowait()()
                ended.put(None)
        except Empty:
            return
        except BaseException as error:  # noqa: BLE001  # raised again below
            ended.put(error)

    for _ in range(min(_SIDE_BY_SIDE, len(tasks))):
        threading.Thread(target=work, daemon=True).start()
    for _ in tasks:
        if error := next_of(ended):
            raise error


def next_of(queue: SimpleQueue[_T]) -> _T:
    """Wait for the next item, and for Ctrl-C."""
    while True:
        with contextlib.suppress(Empty):
            return queue.get(timeout=_MOMENT)
