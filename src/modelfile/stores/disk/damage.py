"""The kinds of damage of a store, and the repairs of them, as values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeAlias

from modelfile.diagnostics import Severity
from modelfile.immutable import record
from modelfile.manifest import Layer
from modelfile.names import ModelName

CODES: Final[Mapping[str, tuple[Severity, str]]] = {
    "empty-manifest": (Severity.ERROR, "A manifest without a byte, as a power failure leaves it: no model."),
    "dangling-manifest": (Severity.ERROR, "A symlink to a manifest that is gone: no server can list any model."),
    "unreadable-manifest": (Severity.ERROR, "A manifest that is damaged or cannot be opened."),
    "misnamed-manifest": (Severity.WARNING, "A manifest whose path is not that of a model."),
    "symlinked-manifest": (Severity.WARNING, "A symlink to a manifest: a build over it changes the other model."),
    "case-clash": (Severity.WARNING, "Two names that differ in case only: Ollama uses one of them at random."),
    "missing-blob": (Severity.ERROR, "A blob that a manifest names is not there."),
    "dangling-blob": (Severity.ERROR, "A symlink to a blob that is gone."),
    "unreadable-blob": (Severity.ERROR, "A blob that cannot be opened or read."),
    "wrong-size": (Severity.ERROR, "A blob that has another size than its manifest says."),
    "wrong-digest": (Severity.ERROR, "A blob whose bytes have another digest than its name says."),
    "old-blob-name": (Severity.WARNING, "A blob with a colon in its name, which a server renames when it starts."),
    "wrong-mode": (Severity.WARNING, "A file that its owner cannot read, or that anybody can change."),
    "foreign-owner": (
        Severity.WARNING,
        "A file of another user than the store's: Ollama from 0.21 on cannot use it.",
    ),
    "foreign-file": (Severity.WARNING, "A file among the blobs that is not Ollama's: a starting server removes it."),
}
"""Severity and meaning of each code; codes never change."""


@record()
class FetchBlob:
    """Download a blob from a registry, and put it in the place of the damaged one."""

    layer: Layer
    names: tuple[ModelName, ...]
    """The models that name it, whose registries may have it."""


@record()
class FetchManifest:
    """Pull a model again."""

    name: ModelName
    or_remove: bool
    """True if the file has nothing to lose, and is removed if no registry has the model."""


@record()
class RemoveFile:
    """Remove a file that has nothing to lose."""


@record()
class RenameFile:
    """Rename a file, or remove it if there is one of the new name."""

    path: Path


@record()
class SetMode:
    """Give a file or folder its mode."""

    mode: int


@record()
class WriteCopy:
    """Write the content that a symlink leads to in its place."""


Repair: TypeAlias = FetchBlob | FetchManifest | RemoveFile | RenameFile | SetMode | WriteCopy


@record(kw_only=True)
class Damage:
    """A finding of a check."""

    code: str
    """One of `CODES`."""
    path: Path
    message: str
    hint: str | None = None
    repair: Repair | None = None
    """The way to repair it; None if a person has to decide."""

    @property
    def severity(self) -> Severity:
        """The severity of its code."""
        return CODES[self.code][0]

    @property
    def key(self) -> tuple[str, Path]:
        """The code and the file."""
        return self.code, self.path
