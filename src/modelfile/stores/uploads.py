"""Transfers into a store: pull a base from its registry, upload local files, and probe what it makes of them."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final, TypeVar

from modelfile.errors import InputError, ModelfileError, RegistryUnreachable, ServerError
from modelfile.events import Events, Progress
from modelfile.locks import name_lock
from modelfile.names import ModelName
from modelfile.stores.protocol import Store, missing_after, retry_status
from modelfile.stores.staging import staging_name
from modelfile.weights import digests
from modelfile.weights.digests import size_of

if TYPE_CHECKING:
    from modelfile.recipe.model import Model
    from modelfile.recipe.recipe import Recipe

_T = TypeVar("_T")

_THREADS: Final = 4
_GRACE: Final = 1.0
"""Longest wait for threads after a failure, in seconds."""
_POLL_INTERVAL: Final = 0.05
"""In seconds; Windows notices Ctrl-C only between two waits."""


def pull_base(base: ModelName, store: Store, events: Events) -> None:
    """Pull a base from its registry.

    Raises:
        ServerError: It cannot be pulled.
    """
    hint = "check its name and tag; if it is a path, check that the file exists"
    pull_model(base, store, events, named=f"base {base}", hint=hint)


def pull_model(name: ModelName, store: Store, events: Events, *, named: str, hint: str | None = None) -> None:
    """Pull a model from its registry.

    Args:
        name: The name of the model.
        store: The store that pulls it.
        events: Receives progress.
        named: The model in messages.
        hint: The hint of an error of the server, instead of its own.

    Raises:
        ServerError: It cannot be pulled.
    """
    try:
        store.pull(name, events)
    except RegistryUnreachable as error:
        raise RegistryUnreachable(f"cannot pull {named}: {error.message}", hint=error.hint) from error
    except ServerError as error:
        if type(error) is not ServerError:
            raise
        hint = (
            hint
            or error.hint
            or f"check its name and tag, and whether the {store.location.noun} can reach the registry"
        )
        raise ServerError(f"cannot pull {named}: {error.message}", hint=hint) from error


def upload_all(digests: Mapping[Path, str], store: Store, events: Events) -> None:
    """Upload the files that the store lacks, several at a time; a failure or an interruption stops all uploads.

    A store that puts files into its folder gets them there.

    If another build on this machine is uploading a file, wait for it instead of uploading it twice.

    Raises:
        InputError: A file cannot be read, or has changed since its digest was computed.
        ServerError: The store rejected a file.
    """
    paths = {digest: path for path, digest in digests.items()}
    what, total = f"{len(paths)} files", sum(map(size_of, paths.values()))
    if len(paths) == 1:
        what = next(iter(paths.values())).name
    progress = UploadProgress(f"{'placing' if store.places(total) else 'uploading'} {what}", total, events)
    try:
        run_in_parallel([partial(_upload, path, digest, store, progress, events) for digest, path in paths.items()])
    finally:
        progress.stop()


class Stopped(Exception):
    """Another transfer of the same model has failed, or it was interrupted."""


class UploadProgress:
    """The progress of several uploads together, in threads."""

    def __init__(self, status: str, total: int, events: Events) -> None:
        """Report nothing yet.

        Args:
            status: What is done, for events.
            total: The size of all uploads in bytes.
            events: Receives progress.
        """
        self._status = status
        self._total = total
        self._events = events
        self._sent = 0
        self._stopped = False
        self._lock = threading.Lock()

    def add(self, length: int) -> None:
        """Count uploaded bytes, and report them."""
        with self._lock:
            if self._stopped:
                raise Stopped
            self._sent += length
            self._events(Progress(status=self._status, total=self._total, completed=self._sent))

    def retry(self, attempt: int, attempts: int) -> None:
        """Report that the connection broke, and that a file is sent again."""
        with self._lock:
            if self._stopped:
                raise Stopped
            status = f"{self._status}: {retry_status(attempt, attempts)}"
            self._events(Progress(status=status, total=self._total, completed=self._sent))

    def skip(self, length: int) -> None:
        """Subtract bytes that the store already has."""
        with self._lock:
            self._total -= length

    def stop(self) -> None:
        """Stop every upload at its next chunk."""
        with self._lock:
            self._stopped = True


def _upload(path: Path, digest: str, store: Store, progress: UploadProgress, events: Events) -> None:
    with name_lock(f"blob {digest}", str(store.location), events, f"upload of {path.name}"):
        if store.has_blob(digest, size_of(path)):
            progress.skip(size_of(path))
            return
        progress.add(0)
        try:
            store.put_blob(digest, path, progress.add, progress.retry)
        except InputError:
            digests.forget_digest(path)
            raise


def run_in_parallel(
    tasks: Sequence[Callable[[], None]], threads: int = _THREADS, stop: Callable[[], None] | None = None
) -> None:
    """Run tasks in a few threads; raise a failure at once.

    The threads are daemons, so that one waiting for a silent server does not delay the exit of the program.

    Args:
        tasks: The tasks.
        threads: The number of threads.
        stop: Ends the tasks that go on after a failure, which are then waited for, though not for long.
    """
    if len(tasks) == 1:
        tasks[0]()
        return
    waiting: SimpleQueue[Callable[[], None]] = SimpleQueue()
    ended: SimpleQueue[BaseException | None] = SimpleQueue()
    for task in tasks:
        waiting.put(task)
    count = min(threads, len(tasks))
    workers = [threading.Thread(target=_work, args=(waiting, ended), daemon=True) for _ in range(count)]
    for worker in workers:
        worker.start()
    failure: BaseException | None = None
    try:
        failure = next((error for _ in tasks if (error := next_of(ended))), None)
    except BaseException as error:
        failure = error
        raise
    finally:
        if failure and stop:
            stop()
            join_all(workers)
    if failure:
        raise failure


def _work(waiting: SimpleQueue[Callable[[], None]], ended: SimpleQueue[BaseException | None]) -> None:
    try:
        while True:
            waiting.get_nowait()()
            ended.put(None)
    except Empty:
        return
    except BaseException as error:  # noqa: BLE001  # raised again by the thread that waits
        ended.put(error)


def join_all(workers: Iterable[threading.Thread]) -> None:
    """Wait for threads that are about to end, though not for long."""
    end = time.monotonic() + _GRACE
    for worker in workers:
        worker.join(max(end - time.monotonic(), 0))


def next_of(queue: SimpleQueue[_T]) -> _T:
    """Return the next item; Ctrl-C ends the wait."""
    while True:
        with contextlib.suppress(Empty):
            return queue.get(timeout=_POLL_INTERVAL)


def probe(bare: Recipe, digests: Mapping[Path, str], store: Store, events: Events) -> Model:
    """Create a model from local files alone: the store may add a template and parameters, rewrite or convert files.

    Raises:
        UsageError, InputError, ServerError: The store cannot create it.
    """
    store.check_create(bare)
    first = bare.local_files[0]
    name = staging_name(ModelName(model="mf-probe", tag=digests[first].replace(":", "-")))
    with name_lock(name.full, str(store.location), events, f"pin of {first.name}"):  # deleting it deletes its blobs
        upload_all({path: digests[path] for path in bare.local_files}, store, events)
        try:
            store.create(name, bare, digests, events)
            found = store.find(name)
            if found is None:
                raise missing_after("created", name, store.location)
            return found.model
        finally:
            with contextlib.suppress(ModelfileError):  # an error in the block above matters more
                store.delete(name)
