"""Check a store: its manifests against its blobs, names and modes, and the bytes of each blob against its digest.

Nothing is changed. Each kind of damage has a code, as `git fsck` has one for each message; what can be done about it is
a value, which `repair` executes: see `damage`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shlex import quote
from threading import Event, Lock
from typing import Final

from modelfile.errors import InputError
from modelfile.events import Events, Progress, ignore
from modelfile.filesystem import open_regular
from modelfile.manifest import Layer
from modelfile.names import ModelName, shorten_digest
from modelfile.stores.disk.damage import Damage, FetchBlob, FetchManifest, RemoveFile, RenameFile, SetMode, WriteCopy
from modelfile.stores.disk.inventory import DANGLING, FileKind, Inventory, StoredManifest, take_inventory
from modelfile.stores.disk.layout import BLOBS, MANIFESTS, Layout
from modelfile.stores.disk.manifests import EMPTY
from modelfile.stores.disk.store import FolderStore

_CHUNK: Final = 1 << 20
"""Bytes read at a time."""
_THREADS: Final = 4
"""Most blobs read at once."""
_REPAIR: Final = "run `mf store check --repair`"
_FILE_MODE: Final = 0o644
_FOLDER_MODE: Final = 0o755


def find_damage(store: FolderStore, events: Events = ignore, *, read_blobs: bool = True) -> Iterator[Damage]:
    """Yield the damage of a folder of models: first what shows without reading a blob, then wrong bytes.

    >>> import tempfile
    >>> import modelfile
    >>> with tempfile.TemporaryDirectory() as folder, modelfile.open_folder(Path(folder)) as store:
    ...     [*modelfile.find_damage(store)]
    []

    Args:
        store: The folder.
        events: Receives progress, of all bytes.
        read_blobs: Whether to read all blobs, and compare their digests.

    Raises:
        InputError: It cannot be read.
    """
    yield from check_layout(store.layout)
    if read_blobs:
        yield from check_blobs(store.layout, events)


def check_layout(layout: Layout) -> tuple[Damage, ...]:
    """Return the damage of a store that shows without reading a blob, sorted by path.

    What only seems damaged, because another program has written or removed a model in between, is not reported.

    Raises:
        InputError: A folder cannot be read.
    """
    found = _structure(layout)
    again = {damage.key for damage in _structure(layout)} if found else set()
    return tuple(damage for damage in found if damage.key in again)


def check_blobs(layout: Layout, events: Events = ignore) -> Iterator[Damage]:
    """Yield the blobs whose bytes are not those of their digests; all are read, a few at once.

    Args:
        layout: The store.
        events: Receives progress, of all bytes.

    Raises:
        InputError: A folder cannot be read.
    """
    inventory = take_inventory(layout)
    progress = _CheckedBytes(sum(blob.size for blob in inventory.blobs.values()), events)
    with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:
        try:
            for damage in pool.map(lambda digest: _read(digest, inventory, progress), inventory.blobs):
                if damage:
                    yield damage
        finally:
            progress.stopped.set()


class _CheckedBytes:
    """The bytes that several threads have read."""

    def __init__(self, total: int, events: Events) -> None:
        self.stopped = Event()
        self._total = total
        self._events = events
        self._done = 0
        self._lock = Lock()

    def add(self, count: int) -> None:
        """Count bytes, and report them."""
        with self._lock:
            self._done += count
            self._events(Progress(status="reading blobs", total=self._total, completed=self._done))


def _read(digest: str, inventory: Inventory, progress: _CheckedBytes) -> Damage | None:
    """Return the damage of a blob's bytes, unless its size or its mode explains it.

    A blob that was removed or replaced while it was read has none.
    """
    blob, found = inventory.blobs[digest], hashlib.sha256()
    path = blob.path
    if any(layer.size != blob.size for layer in _layers(digest, inventory.named.get(digest, ()))):
        return None
    try:
        with open_regular(path) as file:
            before = os.fstat(file.fileno())
            while not progress.stopped.is_set() and (piece := file.read(_CHUNK)):
                found.update(piece)
                progress.add(len(piece))
    except InputError as error:
        with contextlib.suppress(OSError):
            if path.stat().st_mode & stat.S_IRUSR:
                return _blob(digest, inventory, "unreadable-blob", error.message.partition(": ")[2])
        return None
    if progress.stopped.is_set() or f"sha256:{found.hexdigest()}" == digest or not _is_still(path, before):
        return None
    return _blob(digest, inventory, "wrong-digest", f"its bytes have the digest sha256:{found.hexdigest()[:12]}…")


def _is_still(path: Path, state: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.stat(), state)
    except OSError:
        return False


def _structure(layout: Layout) -> list[Damage]:
    inventory = take_inventory(layout)
    modes = {damage.path: damage for damage in _modes(layout, inventory)}
    found = [
        *(damage for damage in _manifests(inventory) if damage.path not in modes),
        *_spellings(inventory),
        *_missing(layout, inventory),
        *_sizes(inventory),
        *_others(inventory),
        *modes.values(),
    ]
    return sorted(found, key=lambda damage: (str(damage.path), damage.code))


def _manifests(inventory: Inventory) -> Iterator[Damage]:
    for stored in inventory.manifests:
        path, name = stored.path, stored.name
        if name is None:
            yield Damage(
                code="misnamed-manifest",
                path=path,
                message="its path is not that of a model",
                hint="move it out of the store: while it is there, a starting server prunes no blobs",
            )
        elif stored.manifest is None:
            yield _unreadable(stored, name)
        elif path.is_symlink():
            yield Damage(
                code="symlinked-manifest",
                path=path,
                message=f"a symlink to `{path.readlink()}`: a server that changes {name} changes that file",
                hint=_REPAIR,
                repair=WriteCopy(),
            )


def _unreadable(stored: StoredManifest, name: ModelName) -> Damage:
    code = {EMPTY: "empty-manifest", DANGLING: "dangling-manifest"}.get(stored.problem, "unreadable-manifest")
    return Damage(
        code=code,
        path=stored.path,
        message=f"the manifest of {name} cannot be read: {stored.problem}",
        hint=f"{_REPAIR}, or remove the file" if code == "unreadable-manifest" else _REPAIR,
        repair=FetchManifest(name, or_remove=code != "unreadable-manifest"),
    )


def _spellings(inventory: Inventory) -> Iterator[Damage]:
    """Yield parts of names that differ in case only: a server uses any of the spellings (server/manifest.go)."""
    for part in ("host", "namespace", "model", "tag"):
        spellings: dict[str, dict[str, StoredManifest]] = {}
        for stored in inventory.manifests:
            if stored.name:
                text = getattr(stored.name, part)
                spellings.setdefault(text.lower(), {}).setdefault(text, stored)
        for found in spellings.values():
            if len(found) > 1:
                first, *_, last = (f"`{stored.name}`" for stored in found.values())
                yield Damage(
                    code="case-clash",
                    path=[*found.values()][-1].path,
                    message=f"{first} and {last} spell the {part} differently: a server uses one spelling at random",
                    hint="copy the models of one spelling to the other with `mf cp`, then remove them with `mf rm`",
                )


def _missing(layout: Layout, inventory: Inventory) -> Iterator[Damage]:
    for digest, users in inventory.named.items():
        if digest not in inventory.blobs and not layout.blob(digest).with_name(digest).exists():
            code = "dangling-blob" if digest in inventory.dangling else "missing-blob"
            what = "it is a dangling symlink" if digest in inventory.dangling else "it is missing"
            yield _blob(digest, inventory, code, what, path=layout.blob(digest), users=users)
    for digest, path in inventory.dangling.items():
        if digest not in inventory.named:
            yield _blob(digest, inventory, "dangling-blob", "it is a dangling symlink", path=path)


def _sizes(inventory: Inventory) -> Iterator[Damage]:
    for digest, blob in inventory.blobs.items():
        for layer in _layers(digest, inventory.named.get(digest, ())):
            if layer.size != blob.size:
                yield _blob(digest, inventory, "wrong-size", f"it has {blob.size:,} bytes instead of {layer.size:,}")
                break


def _blob(
    digest: str,
    inventory: Inventory,
    code: str,
    what: str,
    *,
    path: Path | None = None,
    users: Sequence[StoredManifest] | None = None,
) -> Damage:
    users = inventory.named.get(digest, ()) if users is None else users
    names = tuple(stored.name for stored in users if stored.name)
    layer = next(_layers(digest, users), None)
    of = f" of {names[0]}" + (f" and {len(names) - 1} more" if names[1:] else "") if names else ""
    is_unread = code == "unreadable-blob"
    return Damage(
        code=code,
        path=path or inventory.blobs[digest].path,
        message=f"blob {shorten_digest(digest)}{of}: {what}",
        hint=None if is_unread else _REPAIR if names else f"no model names it: {_REPAIR}",
        repair=None if is_unread else FetchBlob(layer, names) if layer and names else RemoveFile(),
    )


def _layers(digest: str, users: Iterable[StoredManifest]) -> Iterator[Layer]:
    for stored in users:
        if stored.manifest:
            layers = stored.manifest.blobs
            yield from (layer for layer in layers if layer.digest == digest)


def _others(inventory: Inventory) -> Iterator[Damage]:
    for file in inventory.others[FileKind.OLD_NAME]:
        yield Damage(
            code="old-blob-name",
            path=file.path,
            message="named as by an old version of Ollama: a running server does not find it",
            hint=_REPAIR,
            repair=RenameFile(file.path.with_name(file.path.name.replace(":", "-", 1))),
        )
    for file in inventory.others[FileKind.FOREIGN]:
        if not file.path.name.startswith("."):
            yield Damage(
                code="foreign-file",
                path=file.path,
                message="not a file of Ollama: a server removes it when it starts",
                hint="move it out of the store",
            )


def _modes(layout: Layout, inventory: Inventory) -> Iterator[Damage]:
    """Yield files and folders with a mode or an owner that other programs, or this one, stumble over."""
    if os.name != "posix":
        return
    owner = (layout.root / BLOBS).stat().st_uid
    files = [*(stored.path for stored in inventory.manifests), *(blob.path for blob in inventory.blobs.values())]
    folders = {layout.root / BLOBS, layout.root / MANIFESTS}
    for stored in inventory.manifests:
        folders.update(stored.path.parents[:3])
    for path in sorted((*files, *folders)):
        try:
            state = path.lstat()
        except OSError:  # gone
            continue
        if not stat.S_ISLNK(state.st_mode):
            yield from _mode(path, state, owner)


def _mode(path: Path, state: os.stat_result, owner: int) -> Iterator[Damage]:
    is_folder = stat.S_ISDIR(state.st_mode)
    mode, needed = stat.S_IMODE(state.st_mode), stat.S_IRWXU if is_folder else stat.S_IRUSR
    if mode & needed != needed or mode & stat.S_IWOTH:
        what = "anybody can change it" if mode & stat.S_IWOTH else "its owner cannot read it"
        good = _FOLDER_MODE if is_folder else _FILE_MODE
        yield Damage(
            code="wrong-mode", path=path, message=f"{what}: mode {mode:04o}", hint=_REPAIR, repair=SetMode(good)
        )
    elif state.st_uid != owner:
        yield Damage(
            code="foreign-owner",
            path=path,
            message=f"it belongs to user {state.st_uid}, the store to user {owner}: Ollama from 0.21 on cannot use it",
            hint=f"run `sudo chown {owner} {quote(str(path))}`",
        )
