"""Carry models in a file: save them from a folder, and load them into another, with no network."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import nullcontext, suppress

from modelfile.errors import ModelfileError, NotFound, WouldReplace
from modelfile.events import Events, Progress, ignore
from modelfile.immutable import record
from modelfile.library.removal import find_models
from modelfile.library.replacement import is_immutable, would_replace
from modelfile.manifest import Manifest, portable
from modelfile.names import ModelName
from modelfile.project import DEFAULT_IMMUTABLE, DEFAULT_KEEP
from modelfile.stores.backups import back_up
from modelfile.stores.disk.archive import ArchivedModel, ArchiveReader, archive_of
from modelfile.stores.disk.copies import Hasher
from modelfile.stores.disk.files import check_space
from modelfile.stores.disk.store import FolderStore
from modelfile.stores.disk.tar import Readable


@record(kw_only=True)
class SavedModels:
    """Models that are to be saved, and the archive that has them."""

    models: tuple[ArchivedModel, ...]
    """The models, by name."""
    pieces: Iterator[bytes]
    """The pieces of the archive, each at most 1 MiB; they are read from the folder when they are asked for."""


def save_models(names: Iterable[str], store: FolderStore, events: Events = ignore) -> SavedModels:
    """Return an archive of models: an OCI image layout in a tar, the same for the same models on each machine.

    What a server noted about the origin of layers, as a path of its machine, is not in it.

    >>> import tempfile
    >>> import modelfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder, modelfile.open_folder(Path(folder)) as store:
    ...     modelfile.save_models([], store).models
    ()

    Args:
        names: Names of models, starts of their digests, or globs as `list_models` takes them.
        store: The folder that they are in.
        events: Receives progress.

    Raises:
        UsageError: A name is invalid, or a digest is ambiguous.
        NotFound: There is no such model.
        InputError: A model is damaged. The pieces raise it, too.
        VerificationError: Raised by the pieces: a blob has another digest.
    """
    listed, chosen = store.list(), dict[str, ArchivedModel]()
    for text in names:
        for model in find_models(text, listed, store):
            manifest = store.manifest(model.name)
            if manifest is None:  # removed in between
                raise NotFound(f"{model.name} not found {store.location.where}")
            exact = Manifest.parse(portable(manifest.text), f"the manifest of {model.name}")
            chosen[model.name.full] = ArchivedModel(model.name, exact)
    models = tuple(chosen[full] for full in sorted(chosen))
    return SavedModels(models=models, pieces=archive_of(models, store.blobs, events))


@record(kw_only=True)
class LoadedModel:
    """A model that was loaded."""

    name: ModelName
    digest: str
    """Digest of its manifest."""
    previous: str | None
    """Digest of the manifest that the name had before; None if it is new."""
    backup: ModelName | None
    """The alias of the model that was replaced."""


def load_models(  # noqa: PLR0913  # each is a choice of its own
    source: Readable,
    what: str,
    store: FolderStore,
    events: Events = ignore,
    *,
    immutable: Iterable[str] = DEFAULT_IMMUTABLE,
    approve: Callable[[Sequence[WouldReplace]], bool] = lambda _: False,
    keep: int = DEFAULT_KEEP,
) -> tuple[LoadedModel, ...]:
    """Load the models of an archive into a folder.

    Whether names have other models, and whether the disk has room, is known before anything is written. Each model
    appears when all its blobs are there; if the archive turns out to be damaged, none does, and the blobs are removed.

    >>> import io, tempfile
    >>> import modelfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder, modelfile.open_folder(Path(folder)) as store:
    ...     modelfile.load_models(io.BytesIO(), "models.tar", store)
    Traceback (most recent call last):
    ...
    modelfile.errors.InputError: cannot load `models.tar`: it is empty

    Args:
        source: The archive: a file, which is looked through first, or a stream.
        what: Its name, for messages.
        store: The folder.
        events: Receives progress.
        immutable: The patterns of immutable tags.
        approve: Asked once whether to replace the models of these names; default: no.
        keep: The number of backups that a tag may have; 0: none, and a replaced model is lost.

    Raises:
        WouldReplace: A name has another model, and that is not approved.
        InputError: The archive is damaged, or none of models; or the folder cannot be written to.
        DiskFull: The disk has too little free space.
    """
    archive, immutable = ArchiveReader(source, what), tuple(immutable)
    store.check_writable()
    before = {model.name: _digest(model.name, store) for model in archive.models}
    errors = [error for model in archive.models if (error := _replacement(model, store, immutable))]
    if errors and not approve(errors):
        raise errors[0]
    lacking = (layer.size for layer in archive.layers.values() if not store.has_blob(layer.digest, layer.size))
    check_space(store.layout.root, sum(lacking), f"load `{what}`")
    written: list[str] = []
    try:
        _write_blobs(archive, store, written, events)
        return tuple(_publish(model, store, before[model.name], immutable, keep) for model in archive.models)
    except BaseException:
        with suppress(ModelfileError):
            _remove(written, store)
        raise


def _digest(name: ModelName, store: FolderStore) -> str | None:
    manifest = store.manifest(name)
    return manifest.digest if manifest else None


def _replacement(model: ArchivedModel, store: FolderStore, immutable: Iterable[str]) -> WouldReplace | None:
    """Return the error if a name has another model."""
    current = store.manifest(model.name)
    if current is None or current.blobs == model.manifest.blobs:
        return None
    name = store.layout.spelled(model.name)
    is_fixed = is_immutable(name, immutable)
    return would_replace(name, store.location, current.digest, model.manifest.digest, immutable=is_fixed)


def _write_blobs(archive: ArchiveReader, store: FolderStore, written: list[str], events: Events) -> None:
    total, done = sum(layer.size for layer in archive.layers.values()), 0
    for layer, pieces in archive.blobs():
        is_new = not store.has_blob(layer.digest, layer.size)
        with store.blobs.writing(layer.digest, layer.size) if is_new else nullcontext(Hasher()) as writer:
            for piece in pieces:
                writer.write(piece)
                done += len(piece)
                events(Progress(status="loading", total=total, completed=done))
            archive.check(layer, writer.digest)
        if is_new:
            written.append(layer.digest)


def _publish(
    model: ArchivedModel, store: FolderStore, expected: str | None, immutable: Iterable[str], keep: int
) -> LoadedModel:
    """Give a name its model, and back up the one that it had; one that it got since it was looked at stays."""
    name, digest = store.layout.spelled(model.name), model.manifest.digest
    error, previous = _replacement(model, store, immutable), _digest(model.name, store)
    if error is None and previous is not None:
        return LoadedModel(name=name, digest=previous, previous=previous, backup=None)
    if error and previous != expected:
        raise error
    backup = back_up(name, store, keep) if previous is not None else None
    store.write_manifest(name, model.manifest.text)
    return LoadedModel(name=name, digest=digest, previous=previous, backup=backup)


def _remove(digests: Collection[str], store: FolderStore) -> None:
    """Remove blobs that were written for nothing."""
    with store.locked("loading of models"):
        if (named := store.named_blobs()) is not None:
            store.blobs.remove({*digests} - named, store.named_blobs)
