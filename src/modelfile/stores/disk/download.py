"""Downloads of layers into a store: parts in parallel, resumed after any end, hashed as they grow, whole or invisible.

A partial download is Ollama's own, so that each can go on where the other has stopped: see `disk.partial`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from queue import Empty, SimpleQueue
from threading import Condition, Thread
from typing import TYPE_CHECKING, Final

from modelfile.catalog.behaviors import PULLS_EXACT_MANIFESTS
from modelfile.catalog.versions import release
from modelfile.errors import DiskFull, InputError, NotFound, RangeIgnored, VerificationError
from modelfile.events import Events, Progress
from modelfile.locks import name_lock
from modelfile.manifest import Layer, Manifest, as_stored, reduced
from modelfile.names import ModelName, shorten_digest
from modelfile.stores.disk.blobs import Blobs
from modelfile.stores.disk.files import check_space, open_own, write_all, writing_to
from modelfile.stores.disk.layout import BLOBS, Layout
from modelfile.stores.disk.partial import Part, PartialBlob, locked_part, partial_files, remove_files, writing_part
from modelfile.stores.protocol import Registry
from modelfile.stores.uploads import Stopped, join_all

if TYPE_CHECKING:
    from pathlib import Path

    from modelfile.stores.disk.store import FolderStore

_THREADS: Final = 8
"""Parts that are downloaded at once; Ollama has 16 for each layer."""
_CHUNK: Final = 1 << 20
"""Bytes hashed at once."""
_POLL: Final = 0.05
"""Longest wait in which Ctrl-C is not noticed, in seconds."""
_MOST_LOCKS: Final = 32
"""Largest number of layers that are locked, of which each needs an open file: a model of tensors has thousands."""
_TRIES: Final = 3
"""Tries if the registry knows no ranges, so that a download that is cut begins again, or if files vanish."""


class _Damaged(Exception):
    """A partial download whose bytes are not those of its digest."""


def pull_model(name: ModelName, store: FolderStore, registry: Registry, events: Events) -> None:
    """Pull a model from its registry: layers in parallel, then the manifest.

    Raises:
        NotFound: The registry has no such model.
        ModelfileError: As of `fetch_model`.
    """
    events(Progress(status="pulling manifest"))
    if (manifest := registry.resolve(name)) is None:
        raise NotFound(f"{name} not found on {registry.url(name)}", hint="check its name and tag")
    fetch_model(name, manifest, store, registry, events, name=name)


def fetch_model(
    source: ModelName, manifest: Manifest, store: FolderStore, registry: Registry, events: Events, *, name: ModelName
) -> None:
    """Download the layers of a manifest, and give it to a name; what only the name's former model had is removed.

    Args:
        source: The model in a registry that has the layers.
        manifest: Its manifest, now or formerly.
        store: The store.
        registry: The registries.
        events: Receives progress.
        name: The name in the store.

    Raises:
        DiskFull: The disk has too little free space; nothing was downloaded.
        InputError: The store cannot be written.
        ServerError: The registry fails; the next download goes on where this one has ended.
        VerificationError: The registry sends other bytes than the manifest says.
    """
    store.check_writable()
    manifest = as_stored(manifest, f"the manifest of {source}")
    download_layers(source, manifest.blobs, store.layout, store.blobs, registry, events)
    events(Progress(status="writing manifest"))
    version = release(store.ollama)
    is_exact = version is None or version >= PULLS_EXACT_MANIFESTS
    store.write_manifest(name, manifest.text if is_exact else reduced(manifest.text))
    events(Progress(status="success"))


def download_layers(
    name: ModelName, layers: Iterable[Layer], layout: Layout, blobs: Blobs, registry: Registry, events: Events
) -> None:
    """Download the layers that a store lacks; each becomes visible when its bytes are those of its digest.

    Raises:
        DiskFull: The disk has less free space than they need; nothing was downloaded.
        InputError: They cannot be written.
        ServerError: The registry fails; what was downloaded is used by the next download.
        VerificationError: The registry sends other bytes than those of a digest.
    """
    wanted = {layer.digest: layer for layer in layers}
    tries = _Tries(name, registry)
    while True:
        with ExitStack() as locks:
            lacking = _lock_missing(name, wanted, layout, blobs, events, locks)
            try:
                partial = _partial_blobs(lacking, wanted, layout, single=tries.without_ranges > 0)
                _check_space(name, partial, layout.root)
                if partial:
                    _Downloads(name, partial, registry, events).run(blobs)
            except (RangeIgnored, _Damaged, InputError) as error:
                tries.check(error)
            else:
                return


class _Tries:
    """The tries of a download, and the failures after which another one helps."""

    def __init__(self, name: ModelName, registry: Registry) -> None:
        self.without_ranges = 0
        """Tries that failed because the registry knows no ranges."""
        self._vanished = 0
        """Tries during which another program, such as a server that downloads the same, has moved a file."""
        self._damaged = set[str]()
        self._name = name
        self._registry = registry

    def check(self, error: RangeIgnored | _Damaged | InputError) -> None:
        """Return if another try may help.

        Raises:
            VerificationError: The registry sends other bytes than those of a digest.
            RangeIgnored, InputError: The failure, if it stays.
        """
        match error:
            case RangeIgnored():
                self.without_ranges += 1
            case _Damaged():
                digest, was_resumed = error.args
                if digest not in self._damaged and was_resumed:
                    self._damaged.add(digest)
                    return
                what = f"{self._registry.url(self._name)} sends other bytes than those of {digest}"
                hint = "run the command again; if that does not help, the model in the registry is damaged"
                raise VerificationError(f"cannot pull {self._name}: {what}", hint=hint) from None
            case _ if isinstance(error.__cause__, FileNotFoundError):
                self._vanished += 1
            case _:
                raise error
        if _TRIES in (self.without_ranges, self._vanished):
            raise error


def _lock_missing(
    name: ModelName, wanted: Mapping[str, Layer], layout: Layout, blobs: Blobs, events: Events, locks: ExitStack
) -> list[Layer]:
    """Return the layers that a store lacks, once no other process downloads them."""
    missing = [digest for digest, layer in wanted.items() if blobs.size(digest) != layer.size]
    large = sorted(missing, key=lambda digest: -wanted[digest].size)[:_MOST_LOCKS]
    for digest in sorted(large):  # in one order, so that no two processes wait for each other
        locks.enter_context(name_lock(f"blob {digest}", str(layout.root), events, f"download for {name}"))
    return [wanted[digest] for digest in missing if blobs.size(digest) != wanted[digest].size]


def _partial_blobs(
    lacking: Sequence[Layer], wanted: Iterable[str], layout: Layout, *, single: bool
) -> list[PartialBlob]:
    """Return the partial downloads of layers; what is left of those that are there already is removed."""
    files = partial_files(layout.root / BLOBS)
    digests = {layer.digest for layer in lacking}
    for digest in wanted:
        if digest not in digests:
            remove_files(files.get(layout.blob(digest).name, ()))
    return [
        PartialBlob(layer, path, files.get(path.name, ()), single=single)
        for layer in lacking
        for path in [layout.blob(layer.digest)]
    ]


def _check_space(name: ModelName, partial: Sequence[PartialBlob], root: Path) -> None:
    try:
        check_space(root, sum(one.layer.size - one.completed for one in partial), f"pull {name}")
    except DiskFull:
        for one in partial:
            if not one.completed:
                one.discard()
        raise


class _Downloads:
    """Partial downloads that go on together."""

    def __init__(self, name: ModelName, partial: Sequence[PartialBlob], registry: Registry, events: Events) -> None:
        self._name = name
        self._partial = partial
        self._registry = registry
        self._events = events
        self._total = sum(one.layer.size for one in partial)
        self._completed = sum(one.completed for one in partial)
        self._failure: BaseException | None = None
        self._stopped = False
        self._changed = Condition()
        """Notified when there are more bytes, or no more are to come."""

    def run(self, blobs: Blobs) -> None:
        """Download all, and make each a blob once it is whole."""
        waiting = SimpleQueue[tuple[PartialBlob, Part]]()
        count = 0
        for one in self._partial:
            for part in one.parts:
                if not part.is_complete:
                    waiting.put((one, part))
                    count += 1
        with locked_part(self._partial[-1].path):  # the last to become a blob
            self._run(blobs, waiting, min(_THREADS, count))

    def _run(self, blobs: Blobs, waiting: SimpleQueue[tuple[PartialBlob, Part]], threads: int) -> None:
        self._report()
        workers = [Thread(target=self._work, args=(waiting,), daemon=True) for _ in range(threads)]
        for worker in workers:
            worker.start()
        adopted = 0
        try:
            for one in self._partial:
                self._verify(one)
                one.adopt(blobs)
                adopted += 1
        except KeyboardInterrupt:
            self._stopped = True
            self._registry.interrupt()
            raise
        finally:
            self._stopped = True
            join_all(workers)
            for one in self._partial[adopted:]:
                if one.path.exists():
                    one.save()

    def _work(self, waiting: SimpleQueue[tuple[PartialBlob, Part]]) -> None:
        try:
            while not self._stopped:
                self._receive(*waiting.get_nowait())
        except (Empty, Stopped):
            return
        except BaseException as error:  # noqa: BLE001  # raised by the thread that waits for this one
            with self._changed:
                self._failure = self._failure or error
                self._stopped = True
                self._changed.notify()

    def _receive(self, one: PartialBlob, part: Part) -> None:
        """Download the rest of a part; a file of its own lets no other thread write elsewhere."""
        with writing_to(one.path):
            file = open_own(one.path)
        with file:
            file.seek(part.position)

            def write(chunk: bytes) -> None:
                if self._stopped:
                    raise Stopped
                with writing_part(one.path):
                    write_all(file, chunk)
                part.add(len(chunk))
                self._count(len(chunk))

            self._registry.download(self._name, one.layer, part.position, part.offset + part.size, write)

    def _count(self, length: int) -> None:
        with self._changed:
            self._completed += length
            self._changed.notify()
            if not self._stopped:
                self._report()

    def _report(self) -> None:
        self._events(Progress(status=f"downloading {self._name}", total=self._total, completed=self._completed))

    def _verify(self, one: PartialBlob) -> None:
        """Hash a layer while it grows, and compare it with its digest."""
        digest, position = hashlib.sha256(), 0
        with writing_to(one.path), one.path.open("rb", buffering=0) as file:
            while position < one.layer.size:
                available = self._wait_for_more(one, position)
                while position < available:
                    chunk = file.read(min(_CHUNK, available - position))
                    if not chunk:
                        raise InputError(f"`{one.path}` was changed by another program", hint="run the command again")
                    digest.update(chunk)
                    position += len(chunk)
        if f"sha256:{digest.hexdigest()}" != one.layer.digest:
            one.discard()
            raise _Damaged(shorten_digest(one.layer.digest), one.was_resumed)

    def _wait_for_more(self, one: PartialBlob, position: int) -> int:
        """Return the end of what is there once it is after a position."""
        with self._changed:
            while (available := one.contiguous) <= position:
                if self._failure:
                    raise self._failure
                self._changed.wait(_POLL)
        return available
