"""Downloads of layers into a store: parts in parallel, resumed after any end, hashed as they grow, whole or invisible.

A partial download is Ollama's own, so that each can go on where the other has stopped: `sha256-<hex>-partial`, as long
as the layer, and a file `-partial-<N>` for each part, which says how much of it is there (server/download.go, v0.9.3 to
v0.33.0-rc2; measured on 0.9.3).
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Condition, Thread
from typing import TYPE_CHECKING, Any, Final

from modelfile.catalog.behaviors import PULLS_EXACT_MANIFESTS
from modelfile.catalog.versions import release
from modelfile.errors import DiskFull, InputError, NotFound, RangeIgnored, VerificationError
from modelfile.events import Events, Progress
from modelfile.filesystem import read_file
from modelfile.locks import name_lock
from modelfile.manifest import Layer, Manifest, reduced
from modelfile.names import ModelName, shorten_digest
from modelfile.stores.disk.blobs import Blobs
from modelfile.stores.disk.files import write_all, writing_to
from modelfile.stores.disk.layout import Layout
from modelfile.stores.protocol import Registry
from modelfile.stores.uploads import Stopped, join_all

if TYPE_CHECKING:
    from modelfile.stores.disk.store import FolderStore

_THREADS: Final = 8
"""Parts that are downloaded at once; Ollama has 16 for each layer."""
_SAVED: Final = 16_000_000
"""Bytes of a part after which its progress is saved: so many are lost at most if the process is killed."""
_CHUNK: Final = 1 << 20
"""Bytes hashed at once."""
_POLL: Final = 0.05
"""Longest wait in which Ctrl-C is not noticed, in seconds."""
_TRIES: Final = 3
"""Tries if a partial download turns out to be damaged, or the registry to know no ranges."""
_LARGEST_PART_FILE: Final = 1000
"""In bytes."""
_PART_FILE: Final = re.compile(r"(.+-partial)-([0-9]{1,9})")


class _Damaged(Exception):
    """A partial download whose bytes are not those of its digest."""


class Part:
    """A part of a partial download."""

    def __init__(self, path: Path, number: int, offset: int, size: int, completed: int = 0) -> None:
        self.offset = offset
        self.size = size
        self.completed = completed
        """Bytes that are there."""
        self._path = path
        self._number = number
        self._saved = completed

    @classmethod
    def load(cls, path: Path) -> Part:
        """Return the part that a file describes.

        Raises:
            InputError: It cannot be read.
            ValueError, KeyError, TypeError: It describes none.
        """
        value: Any = json.loads(read_file(path, limit=_LARGEST_PART_FILE))
        numbers = [value[key] for key in ("N", "Offset", "Size", "Completed")]
        if not all(type(number) is int and number >= 0 for number in numbers) or numbers[3] > numbers[2]:
            raise ValueError("not a part of a download")
        return cls(path, *numbers)

    @property
    def position(self) -> int:
        """The end of what is there, from the beginning of the layer."""
        return self.offset + self.completed

    @property
    def is_complete(self) -> bool:
        """True if nothing is missing."""
        return self.completed == self.size

    def add(self, length: int) -> None:
        """Count bytes that were written, and save the progress now and then."""
        self.completed += length
        if self.is_complete or self.completed - self._saved >= _SAVED:
            self.save()

    def save(self, *, create: bool = False) -> None:
        """Write the file: in one piece, and never shorter than it was, so that it is whole at any moment."""
        self._saved = self.completed
        fields = {"N": self._number, "Offset": self.offset, "Size": self.size, "Completed": self.completed}
        text = json.dumps(fields, separators=(",", ":")) + "\n"
        with writing_to(self._path), self._path.open("wb" if create else "r+b", buffering=0) as file:
            file.write(text.encode())


def remove_parts(target: Path) -> None:
    """Remove the files of a partial download whose blob is there: a process was killed before it did so."""
    for path in target.parent.glob(f"{target.name}-partial*"):
        if path.name == f"{target.name}-partial" or _PART_FILE.fullmatch(path.name):
            with suppress(OSError):
                path.unlink()


class PartialBlob:
    """The partial download of a layer; its files are those of Ollama."""

    def __init__(self, layer: Layer, target: Path, *, single: bool) -> None:
        """Read what an earlier download has left, or begin anew.

        Args:
            layer: The layer.
            target: The file that will be its blob.
            single: Whether the registry knows no ranges, so that there is one part, which cannot be resumed.
        """
        self.layer = layer
        self.path = target.with_name(f"{target.name}-partial")
        self.parts = self._load()
        self.was_resumed = any(part.completed for part in self.parts)
        """True if a part of it was there before."""
        if not self.parts or (single and self.completed < layer.size):
            self.discard()
            self.was_resumed = False
            self.parts = self._create(max(layer.size, 1) if single else layer.part_size)

    @property
    def completed(self) -> int:
        """The bytes that are there."""
        return sum(part.completed for part in self.parts)

    @property
    def contiguous(self) -> int:
        """The bytes that are there before the first gap."""
        return next((part.position for part in self.parts if not part.is_complete), self.layer.size)

    def save(self) -> None:
        """Save how much there is of each part."""
        for part in self.parts:
            part.save()

    def discard(self) -> None:
        """Remove all files."""
        for path in (self.path, *self._part_files()):
            with writing_to(path):
                path.unlink(missing_ok=True)

    def adopt(self, blobs: Blobs) -> None:
        """Make it a blob, which was compared with its digest."""
        files = self._part_files()
        blobs.adopt(self.path, self.layer.digest, self.layer.size)
        for path in files:
            with suppress(OSError):  # it is named by nothing any longer
                path.unlink()

    def _part_files(self) -> list[Path]:
        return [path for path in self.path.parent.glob(f"{self.path.name}-*") if _PART_FILE.fullmatch(path.name)]

    def _load(self) -> list[Part]:
        """Return the parts that an earlier download has left; none if they are not those of this layer."""
        try:
            if self.path.lstat().st_size != self.layer.size or self.path.is_symlink():
                return []
            parts = sorted(map(Part.load, self._part_files()), key=lambda part: part.offset)
        except (OSError, InputError, ValueError, KeyError, TypeError, RecursionError):
            return []
        ends = [part.offset + part.size for part in parts]
        return parts if [part.offset for part in parts] == [0, *ends[:-1]] and ends[-1:] == [self.layer.size] else []

    def _create(self, size: int) -> list[Part]:
        with writing_to(self.path), self.path.open("xb") as file:
            file.truncate(self.layer.size)
        parts = []
        for number, offset in enumerate(range(0, self.layer.size, size)):
            path = self.path.with_name(f"{self.path.name}-{number}")
            parts.append(Part(path, number, offset, min(size, self.layer.size - offset)))
            parts[-1].save(create=True)
        return parts


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
    layers = (manifest.config, *manifest.layers)
    download_layers(source, layers, store.layout, store.blobs, registry, events)
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
    single = False
    wanted = {layer.digest: layer for layer in layers}
    for tries in range(_TRIES):
        with ExitStack() as locks:
            lacking = _lock_missing(name, wanted, layout, blobs, events, locks)
            partial = [PartialBlob(layer, layout.blob(layer.digest), single=single) for layer in lacking]
            _check_space(name, partial, layout)
            try:
                if partial:
                    _Downloads(name, partial, registry, events).run(blobs)
            except RangeIgnored:
                if tries == _TRIES - 1:
                    raise
                single = True
            except _Damaged as error:
                if tries == _TRIES - 1 or not error.args[1]:
                    what = f"other bytes than those of {error.args[0]}"
                    message = f"cannot pull {name}: {registry.url(name)} sends {what}"
                    hint = "run the command again; if that does not help, the model in the registry is damaged"
                    raise VerificationError(message, hint=hint) from None
            else:
                return


def _lock_missing(
    name: ModelName, wanted: Mapping[str, Layer], layout: Layout, blobs: Blobs, events: Events, locks: ExitStack
) -> list[Layer]:
    """Return the layers that a store lacks, once no other process downloads them."""
    missing = [digest for digest, layer in wanted.items() if blobs.size(digest) != layer.size]
    for digest in sorted(missing):  # in one order, so that no two processes wait for each other
        locks.enter_context(name_lock(f"blob {digest}", str(layout.root), events, f"download for {name}"))
    for digest in wanted.keys() - missing:
        remove_parts(layout.blob(digest))
    return [wanted[digest] for digest in missing if blobs.size(digest) != wanted[digest].size]


def _check_space(name: ModelName, partial: Sequence[PartialBlob], layout: Layout) -> None:
    needed = sum(one.layer.size - one.completed for one in partial)
    with writing_to(layout.root):
        free = shutil.disk_usage(layout.root).free
    if needed > free:
        for one in partial:
            if not one.completed:
                one.discard()
        message = f"cannot pull {name}: it needs {needed:,} bytes, and the disk of `{layout.root}` has {free:,} free"
        raise DiskFull(message, hint="free some space, or use another folder; nothing was downloaded")


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
        self._report()
        workers = [Thread(target=self._work, args=(waiting,), daemon=True) for _ in range(min(_THREADS, count))]
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
            file = one.path.open("r+b", buffering=0)
        with file:
            file.seek(part.position)

            def write(chunk: bytes) -> None:
                if self._stopped:
                    raise Stopped
                with writing_to(one.path):
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
