"""The disk space that the models of a store take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from modelfile.immutable import record
from modelfile.manifest import Manifest
from modelfile.names import ModelName
from modelfile.stores.disk.inventory import FileKind, Inventory, StoredFile, digests_of, take_inventory
from modelfile.stores.disk.store import FolderStore


@record(kw_only=True)
class ModelUsage:
    """The disk space of a model, in bytes; a blob that it names twice counts once."""

    name: ModelName
    digest: str
    """Digest of the text of its manifest."""
    unique: int
    """Size of the blobs that no other model names: the space that its removal would free."""
    shared: int
    """Size of the blobs that other models name, too."""
    missing: tuple[str, ...]
    """Digests of blobs that it names and the store does not have."""

    @property
    def size(self) -> int:
        """The size of all its blobs."""
        return self.unique + self.shared


@record(kw_only=True)
class Amount:
    """A number of files, and their size in bytes."""

    files: int
    size: int

    @classmethod
    def of(cls, files: Iterable[StoredFile]) -> Amount:
        """Return the amount of files."""
        sizes = [file.size for file in files]
        return cls(files=len(sizes), size=sum(sizes))


@record(kw_only=True)
class Usage:
    """The disk space of a store."""

    models: tuple[ModelUsage, ...]
    """The largest first."""
    blobs: Amount
    """All whole blobs."""
    unnamed: Amount
    """The whole blobs that no model names."""
    partial: Amount
    """Parts of downloads."""
    temporary: Amount
    """Temporary files, also of programs that run."""
    unreadable: tuple[Path, ...]
    """Manifests that cannot be read; the blobs that they name count as unnamed."""


def disk_usage(store: FolderStore) -> Usage:
    """Return the disk space of the models of a folder, and of the rest.

    >>> import tempfile
    >>> import modelfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder, modelfile.open_folder(Path(folder)) as store:
    ...     modelfile.disk_usage(store).blobs
    Amount(files=0, size=0)

    Args:
        store: The folder.

    Raises:
        InputError: It cannot be read.
    """
    return usage_of(take_inventory(store.layout))


def usage_of(inventory: Inventory) -> Usage:
    """Return the disk space of the models of an inventory, and of the rest."""
    users = {digest: len(manifests) for digest, manifests in inventory.named.items()}
    models = (_usage(name, manifest, inventory.blobs, users) for name, manifest in inventory.models)
    return Usage(
        models=tuple(sorted(models, key=lambda model: (-model.size, str(model.name)))),
        blobs=Amount.of(inventory.blobs.values()),
        unnamed=Amount.of(inventory.unnamed.values()),
        partial=Amount.of(inventory.others[FileKind.PARTIAL]),
        temporary=Amount.of((*inventory.others[FileKind.TEMPORARY], *inventory.others[FileKind.OWN_TEMPORARY])),
        unreadable=tuple(stored.path for stored in inventory.unreadable),
    )


def _usage(
    name: ModelName, manifest: Manifest, blobs: Mapping[str, StoredFile], users: Mapping[str, int]
) -> ModelUsage:
    digests = digests_of(manifest)
    sizes = {digest: blobs[digest].size for digest in digests if digest in blobs}
    return ModelUsage(
        name=name,
        digest=manifest.digest,
        unique=sum(size for digest, size in sizes.items() if users[digest] == 1),
        shared=sum(size for digest, size in sizes.items() if users[digest] > 1),
        missing=tuple(digest for digest in digests if digest not in sizes),
    )
