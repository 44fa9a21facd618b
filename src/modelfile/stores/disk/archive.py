"""Models in one file: a tar archive with an OCI image layout, which skopeo and crane read, too.

Source: OCI image-spec v1.1, image-layout.md and annotations.md. The manifests are those of the store, to the byte; the
same models give the same archive on each machine. The index and the manifests come first, so that a stream can be
loaded piece by piece: what may follow, and how large it is, is known before it comes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from io import FileIO
from typing import Any, Final, TypeAlias, TypeVar

from modelfile.errors import InputError, UsageError, VerificationError, cannot_read
from modelfile.events import Events, Progress, ignore
from modelfile.filesystem import open_regular
from modelfile.immutable import record
from modelfile.manifest import OCI_TYPE, Layer, Manifest, as_oci, as_stored, digest_of, is_digest
from modelfile.names import ModelName, shorten_digest
from modelfile.stores.disk.blobs import Blobs
from modelfile.stores.disk.tar import CHUNK, END, Entry, Readable, TarReader, header, padding

_T = TypeVar("_T")

_LAYOUT, _INDEX, _BLOBS = "oci-layout", "index.json", "blobs/sha256/"
_FOLDERS: Final = ("", "blobs", "blobs/sha256")
_LAYOUT_TEXT: Final = b'{"imageLayoutVersion":"1.0.0"}'
_INDEX_TYPE: Final = "application/vnd.oci.image.index.v1+json"
_OCI_NAME: Final = "org.opencontainers.image.ref.name"
"""Annotation by which skopeo and crane find an image."""
_FULL_NAME: Final = "io.containerd.image.name"
"""Annotation with the full name of an image, by which containerd imports it."""
_REFERENCE: Final = re.compile(r"[A-Za-z0-9]+(?:(?:[-._:@+/]|--)[A-Za-z0-9]+)*")
"""Names that OCI allows as `org.opencontainers.image.ref.name`."""
_MAX_JSON: Final = 12 << 20
"""Largest size of the index and of a manifest with an annotation, in bytes."""
_MAX_MANIFESTS: Final = 32 << 20
"""Largest size of all manifests, in bytes."""
_DAMAGED: Final = "load an archive as it was saved, whole; decompress a compressed one first, as with `zstd -d`"
_STREAM_HINT: Final = "write it to a file, then load the file"
_CHECK: Final = "run `mf store check --repair` to restore it"


@record()
class ArchivedModel:
    """A model of an archive."""

    name: ModelName
    manifest: Manifest


def archive_of(models: Iterable[ArchivedModel], blobs: Blobs, events: Events = ignore) -> Iterator[bytes]:
    """Yield the pieces of an archive of models; each blob is compared with its digest.

    Args:
        models: The models, in any order.
        blobs: The blobs of their store; at most 1 MiB of one is in memory.
        events: Receives progress.

    Raises:
        InputError: A blob is missing or has another size than its manifest says; nothing was yielded.
        VerificationError: A blob has another digest; the archive is incomplete.
    """
    chosen = sorted(models, key=lambda model: model.name.full)
    layers = layers_of(chosen)
    for layer in layers.values():
        _check_size(layer, blobs)
    texts = {model.name: as_oci(model.manifest) for model in chosen}
    manifests = dict(sorted((_entry_name(digest_of(text)), text) for text in texts.values()))
    for name, text in {_LAYOUT: _LAYOUT_TEXT, _INDEX: _index(texts), **manifests}.items():
        yield header(name, len(text)) + text + padding(len(text))
    total, done = sum(layer.size for layer in layers.values()), 0
    for layer in layers.values():
        yield header(_entry_name(layer.digest), layer.size)
        for piece in _verified(layer, blobs):
            yield piece
            done += len(piece)
            events(Progress(status="saving", total=total, completed=done))
        yield padding(layer.size)
    yield END


def _check_size(layer: Layer, blobs: Blobs) -> None:
    size = blobs.size(layer.digest)
    if size != layer.size:
        what = "is missing" if size is None else f"has {size:,} bytes instead of {layer.size:,}"
        raise InputError(f"blob {shorten_digest(layer.digest)} {what}", hint=_CHECK)


def _verified(layer: Layer, blobs: Blobs) -> Iterator[bytes]:
    """Yield a blob in pieces; raise an error at its end if it is not what its digest says."""
    digest, left = hashlib.sha256(), layer.size
    with open_regular(blobs.path(layer.digest)) as file:
        while left and (piece := file.read(min(left, CHUNK))):
            digest.update(piece)
            left -= len(piece)
            yield piece
    if left or f"sha256:{digest.hexdigest()}" != layer.digest:
        what = f"blob {shorten_digest(layer.digest)} is damaged: its content has another digest"
        raise VerificationError(what, hint=_CHECK)


def _entry_name(digest: str) -> str:
    return _BLOBS + digest.partition(":")[2]


def _index(manifests: Mapping[ModelName, bytes]) -> bytes:
    described = [
        {
            "mediaType": OCI_TYPE,
            "digest": digest_of(text),
            "size": len(text),
            "annotations": {_FULL_NAME: name.full}
            | ({_OCI_NAME: name.full} if _REFERENCE.fullmatch(name.full) else {}),
        }
        for name, text in manifests.items()
    ]
    return _dumped({"schemaVersion": 2, "mediaType": _INDEX_TYPE, "manifests": described})


def _dumped(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def layers_of(models: Iterable[ArchivedModel]) -> dict[str, Layer]:
    """Return the blobs that models consist of, by digest.

    Raises:
        InputError: Two manifests give a blob different sizes.
    """
    found: dict[str, Layer] = {}
    for model in models:
        for layer in model.manifest.blobs:
            if found.setdefault(layer.digest, layer).size != layer.size:
                raise InputError(f"two manifests give blob {shorten_digest(layer.digest)} different sizes")
    return dict(sorted(found.items()))


Content: TypeAlias = tuple[Entry, Iterator[bytes]]
"""An entry of an archive, and its contents in pieces."""


class ArchiveReader:
    """The models of an archive, and their blobs.

    A file is looked through at once, so that all that is wrong with it but wrong digests is known before a blob is
    read. Of a stream, the index and the manifests have to come first, as `archive_of` writes them.
    """

    def __init__(self, source: Readable, what: str) -> None:
        """Read the index and the manifests.

        Args:
            source: A file, or a stream.
            what: Its name for messages.

        Raises:
            InputError: It is no archive of models, or it is damaged.
        """
        self._what = what
        self._has_layout = False
        self._names: dict[str, tuple[ModelName, str]] = {}  # with the digests of manifests, by name in lower case
        self._sizes: dict[str, int] = {}  # of manifests, by digest
        with naming(what):
            self._files = _scan(source) if isinstance(source, FileIO) else None
            self._contents = self._of_file(source) if isinstance(source, FileIO) else _of_stream(source)
            self.models = self._read_models()
            """Sorted by name."""
            self.layers = layers_of(self.models)
            """The blobs that they consist of, by digest."""
            if self._files is not None:
                self._check_files(self._files)

    def blobs(self) -> Iterator[tuple[Layer, Iterator[bytes]]]:
        """Yield each blob once, with its contents in pieces, which have to be read before the next blob.

        Whoever reads them computes their digest, and has `check` compare it.

        Raises:
            InputError: The archive is damaged.
        """
        left = dict(self.layers)
        for entry, pieces in self._named(self._contents):
            with naming(self._what):
                if self._is_frame(entry, pieces):
                    continue
                layer = left.pop(_digest(entry), None)
                if layer is None:
                    raise InputError(f"`{entry.name}` belongs to no model in it")
                _check_entry(entry, layer.size)
            yield layer, self._named(pieces)
        with naming(self._what):
            if left:
                raise InputError(f"blob {shorten_digest(next(iter(left)))} is missing")
            if not self._has_layout:
                raise InputError(f"`{_LAYOUT}` is missing")

    def check(self, layer: Layer, digest: str) -> None:
        """Compare the digest of a blob's contents with that of its name.

        Raises:
            InputError: They differ.
        """
        with naming(self._what):
            if digest != layer.digest:
                raise InputError(f"blob {shorten_digest(layer.digest)} has another digest")

    def _of_file(self, file: FileIO) -> Iterator[Content]:
        """Yield the entries of a file: the index, then the manifests that it names, then the others by name."""
        entries = dict(sorted((self._files or {}).items()))
        for name in (_LAYOUT, _INDEX):
            if entry := entries.pop(name, None):
                yield entry, _pieces_at(file, entry)
        for digest in self._sizes:
            if entry := entries.pop(_entry_name(digest), None):
                yield entry, _pieces_at(file, entry)
        for entry in entries.values():
            yield entry, _pieces_at(file, entry)

    def _check_files(self, files: Mapping[str, Entry]) -> None:
        """Check that a file has all entries that its models need, and no other."""
        sizes = self._sizes | {digest: layer.size for digest, layer in self.layers.items()}
        for digest, size in sizes.items():
            if (entry := files.get(_entry_name(digest))) is None:
                raise InputError(f"blob {shorten_digest(digest)} is missing")
            _check_entry(entry, size)
        if _LAYOUT not in files:
            raise InputError(f"`{_LAYOUT}` is missing")
        for name, entry in files.items():
            if not entry.is_folder and name not in (_LAYOUT, _INDEX) and _digest(entry) not in sizes:
                raise InputError(f"`{name}` belongs to no model in it")

    def _read_models(self) -> tuple[ArchivedModel, ...]:
        texts: dict[str, Manifest] = {}
        while not self._names or len(texts) < len(self._sizes):
            entry, pieces = next(self._contents, (None, iter(())))
            digest = _digest(entry) if entry else ""
            if entry and self._is_frame(entry, pieces):
                continue
            if entry and entry.name == _INDEX:
                self._read_index(_whole(entry, pieces, _MAX_JSON))
            elif entry and digest in self._sizes and digest not in texts:
                texts[digest] = self._read_manifest(entry, pieces, digest)
            elif entry and self._files is None:
                raise InputError("its index and its manifests are not at its start", hint=_STREAM_HINT)
            else:
                missing = [f"manifest {shorten_digest(digest)}" for digest in self._sizes if digest not in texts]
                raise InputError(f"{next(iter(missing), f'`{_INDEX}`')} is missing")
        models = (ArchivedModel(name, texts[digest]) for name, digest in self._names.values())
        return tuple(sorted(models, key=lambda model: model.name.full))

    def _read_manifest(self, entry: Entry, pieces: Iterator[bytes], digest: str) -> Manifest:
        _check_entry(entry, self._sizes[digest])
        text, what = _whole(entry, pieces, _MAX_JSON), f"manifest {shorten_digest(digest)}"
        if digest_of(text) != digest:
            raise InputError(f"{what} has another digest")
        return as_stored(Manifest.parse(text, what), what)

    def _read_index(self, text: bytes) -> None:
        try:
            entries = json.loads(text)["manifests"]
            found = [(_name_of(entry), entry["digest"], entry["size"]) for entry in entries]
            is_valid = all(is_digest(digest) and type(size) is int and size >= 0 for _, digest, size in found)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise InputError(f"`{_INDEX}` is no index of an image layout") from error
        if not is_valid:
            raise InputError(f"`{_INDEX}` is no index of an image layout")
        if not found:
            raise InputError("there is no model in it")
        for name, digest, size in found:
            if self._names.setdefault(name.full.lower(), (name, digest)) != (name, digest):
                raise InputError(f"it has two models {name}")
            if self._sizes.setdefault(digest, size) != size:
                raise InputError(f"its index gives manifest {shorten_digest(digest)} two sizes")
        if sum(self._sizes.values()) > _MAX_MANIFESTS:
            raise InputError(f"its manifests are larger than {_MAX_MANIFESTS >> 20} MiB")

    def _is_frame(self, entry: Entry, pieces: Iterator[bytes]) -> bool:
        """Return whether an entry is a folder or `oci-layout`, after a check of its contents."""
        if entry.is_folder and entry.name in _FOLDERS:
            return True
        if entry.name != _LAYOUT or entry.is_folder:
            return False
        with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError, RecursionError):
            self._has_layout = json.loads(_whole(entry, pieces, _MAX_JSON))["imageLayoutVersion"].startswith("1.")
        if not self._has_layout:
            raise InputError(f"`{_LAYOUT}` is not that of an image layout of version 1")
        return True

    def _named(self, values: Iterator[_T]) -> Iterator[_T]:
        """Yield values, and name the archive in errors of their iterator."""
        while True:
            with naming(self._what):
                try:
                    value = next(values)
                except StopIteration:
                    return
            yield value


@contextlib.contextmanager
def naming(what: str) -> Iterator[None]:
    """Name an archive in errors that only give a reason."""
    try:
        yield
    except InputError as error:
        raise InputError(f"cannot load `{what}`: {error.message}", hint=error.hint or _DAMAGED) from error
    except OSError as error:
        raise cannot_read(what, error) from error


def _scan(file: FileIO) -> dict[str, Entry]:
    length = os.fstat(file.fileno()).st_size
    return {entry.name: entry for entry in TarReader(file, length).entries()}


def _of_stream(stream: Readable) -> Iterator[Content]:
    reader = TarReader(stream)
    for entry in reader.entries():
        yield entry, reader.chunks(entry)


def _pieces_at(file: FileIO, entry: Entry) -> Iterator[bytes]:
    file.seek(entry.offset)
    left = entry.size
    while left:
        if not (piece := file.read(min(left, CHUNK))):
            raise InputError(f"it became shorter while `{entry.name}` was read")
        left -= len(piece)
        yield piece


def _whole(entry: Entry, pieces: Iterator[bytes], limit: int) -> bytes:
    if entry.size > limit:
        raise InputError(f"`{entry.name}` has more than {limit >> 20} MiB")
    return b"".join(pieces)


def _check_entry(entry: Entry, size: int) -> None:
    if entry.is_folder or entry.size != size:
        raise InputError(f"`{entry.name}` has {entry.size:,} bytes instead of {size:,}")


def _digest(entry: Entry) -> str:
    return f"sha256:{entry.name.removeprefix(_BLOBS)}" if entry.name.startswith(_BLOBS) else ""


def _name_of(described: Any) -> ModelName:
    """Return the name of a model in the index.

    Raises:
        InputError: It has none, or is none of a model.
    """
    annotations = described.get("annotations") or {}
    text = annotations.get(_FULL_NAME) or annotations.get(_OCI_NAME)
    if not isinstance(text, str):
        raise InputError(f"a model in it has no name: its index lacks the annotation {_OCI_NAME}")
    try:
        return ModelName.parse(text)
    except UsageError as error:
        raise InputError(error.message, hint=error.hint) from error
