"""The folder of an Ollama server as a store: models are read and written with no server running.

Source: server/{create,images,manifest,routes}.go, v0.9.3 to v0.33.0-rc2, and measured on 0.9.3.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from modelfile.catalog.behaviors import KEEPS_WEIGHTS
from modelfile.catalog.versions import NEWEST, release
from modelfile.errors import InputError, ModelfileError, NotFound, UsageError, VerificationError
from modelfile.events import Events, Progress
from modelfile.manifest import Layer, Manifest, parent_of
from modelfile.names import ModelName, shorten_digest
from modelfile.stores.disk.blobs import Blobs
from modelfile.stores.disk.changes import Changes
from modelfile.stores.disk.layout import BLOBS, Layout, reject_foreign
from modelfile.stores.disk.manifests import References, listed_digest, read_manifest
from modelfile.stores.protocol import ListedModel, Registry, StoredModel, StoreLocation, newest_first

if TYPE_CHECKING:
    from modelfile.recipe.model import Model
    from modelfile.recipe.recipe import Recipe
    from modelfile.weights.reading import Weights

DEFAULT_OLLAMA: Final = str(KEEPS_WEIGHTS)
"""The version whose bytes are written by default: the newest that takes weights from files as they are."""
_TRIES: Final = 3
"""Tries to create a model while another program removes its blobs."""
_CHECK: Final = "run `mf store check` to see what is damaged"


class FolderStore:
    """The models in a folder, as Ollama lays them out; several threads and processes may use it at once."""

    def __init__(
        self,
        layout: Layout,
        *,
        ollama: str = "",
        registry: Registry | None = None,
        on_warning: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Read nothing yet.

        Args:
            layout: The folder.
            ollama: The version of Ollama whose bytes are written (default: 0.24.0).
            registry: The registries to pull from and push to; without, both are errors.
            on_warning: Called once with each warning, such as one of a damaged manifest, which is not listed.
        """
        self.layout = layout
        self.blobs = Blobs(layout)
        self.location = StoreLocation(url=str(layout.root))
        self.ollama = ollama or DEFAULT_OLLAMA
        self._asked = release(ollama)
        self._registry = registry
        self._on_warning = on_warning
        self._warned: set[str] = set()
        self._accepted: list[Recipe] = []
        self._references = References(layout, self._warn)
        self._changes = Changes(layout, self.blobs, self._references.digests)

    def list(self) -> tuple[ListedModel, ...]:
        """Return the models in the folder, the newest first; damaged ones are reported.

        Those whose manifest cannot be read are not listed.
        """
        listed = []
        for name, path in self.layout.manifests():
            try:
                listed.append(self._listed(name, path))
            except InputError as error:
                if os.path.lexists(path):  # not removed in between
                    self._warn(f"`{path}` is no manifest of a model, and is ignored: {error.message}")
        return newest_first(listed)

    def find(self, name: ModelName) -> StoredModel | None:
        """Return the model of a name, as the store spells it; one whose weights are gone counts as none.

        Raises:
            InputError: Its manifest or a small blob of it is damaged.
        """
        return self._find(self.layout.spelled(name))

    def read(self, listed: ListedModel) -> StoredModel | None:
        """Return a listed model with its contents; None if it is gone or damaged."""
        try:
            return self._find(listed.name)
        except InputError as error:
            self._warn(error.message)
            return None

    def manifest(self, name: ModelName) -> Manifest | None:
        """Return the manifest of a name; None if there is none.

        Raises:
            InputError: It is damaged.
        """
        found = self._load(self.layout.spelled(name))
        return found[1] if found else None

    def write_manifest(self, name: ModelName, text: str) -> None:
        """Give a name a manifest, whose blobs are there: readers see the old or the new one.

        The blobs are checked once more when it is there: from then on nobody removes them. If another program has
        removed one in between, the name gets back the manifest that it had. As after a create or pull of Ollama, the
        blobs of the previous manifest that no other names are removed.

        Args:
            name: The name, which is spelled as in the store.
            text: The text of the manifest.

        Raises:
            InputError: It cannot be written, or the config is no JSON object.
            VerificationError: A blob is missing or has another size than the manifest says.
        """
        manifest = Manifest.parse(text, f"the manifest of {name}")
        self.check_writable()
        self._check_config(name, manifest.config)
        with self._changes.begun():
            self._changes.put(self.layout.spelled(name), manifest, former_goes=True)

    def weights(self, stored: StoredModel) -> tuple[Weights, ...]:
        """Return the weights and adapters of a model by the headers of blobs; those of other formats are left out.

        Raises:
            InputError: A blob cannot be read, or is truncated or corrupt.
        """
        from modelfile.weights.content_type import MAGICS, read_head
        from modelfile.weights.facts import facts_of
        from modelfile.weights.reading import Weights

        found = []
        for digest in (*stored.model.weights, *stored.model.adapters):
            path = self.blobs.path(digest)
            if read_head(path).startswith(MAGICS):
                header = self.blobs.header(digest)
                name, facts = str(stored.name), facts_of(header, self._asked or NEWEST)
                found.append(Weights(name=name, facts=facts, header=header, files={path: header}, digests=(digest,)))
        return tuple(found)

    def _check_config(self, name: ModelName, config: Layer) -> None:
        """Check that a config is one that Ollama can read."""
        from modelfile.stores.encoding import read_config

        try:
            if self.has_blob(config.digest, config.size):
                read_config(self.blobs.read(config))
        except InputError as error:
            raise InputError(f"{name} is not a model of Ollama: {error.message}", hint=error.hint) from error

    def has_blob(self, digest: str, size: int | None = None) -> bool:
        """Return whether the folder has the blob of a digest, in its size if that is given."""
        found = self.blobs.size(digest)
        return found is not None and size in (None, found)

    def places(self, size: int) -> bool:
        """Return that files are never sent."""
        del size
        return True

    def begin_placing(self, recipe: Recipe) -> None:
        """Begin to copy the files of a recipe, unless it needs a server."""
        with contextlib.suppress(ModelfileError):  # reported before it is created
            self.check_create(recipe)
            self.check_writable()
            for path in recipe.local_files:
                self.blobs.begin(path)

    def put_blob(
        self,
        digest: str,
        path: Path,
        on_sent: Callable[[int], None],
        on_retry: Callable[[int, int], None] | None = None,
    ) -> None:
        """Place a file: it shares its blocks where the file system can, and is copied where not."""
        del on_retry  # a disk is not asked twice
        self.check_writable()
        self.blobs.place(path, digest, on_sent)

    def for_base(self, *, is_named: bool) -> FolderStore:
        """Return this store, or the same with the newest version if none was asked for and models are FROM a name."""
        if self._asked or not is_named:
            return self
        newest = FolderStore(self.layout, ollama=str(NEWEST), registry=self._registry, on_warning=self._on_warning)
        newest._warned = self._warned  # of the same class
        return newest

    def check_create(self, recipe: Recipe) -> None:
        """Check that a recipe needs no server: neither its files nor its base, if that is there.

        Raises:
            UsageError: The release of Ollama does something that only a server can do.
            InputError: Only a server can tell what a file gives, or create a model from the base.
        """
        from modelfile.stores.disk.create import check_base, check_create, version_for

        if not any(recipe is accepted for accepted in self._accepted):  # a build checks twice, and create checks all
            check_create(recipe, version_for(recipe, self._asked), self.has_blob)
            self._accepted.append(recipe)
        if recipe.base and (base := self.manifest(ModelName.parse(recipe.base))):
            check_base(recipe.base, base)

    def predict(self, recipe: Recipe, digests: Mapping[Path, str]) -> Model | None:
        """Return the model that a recipe of local files gives; the store need not have their blobs."""
        from modelfile.stores.disk.create import predict, version_for

        return predict(recipe, digests, self.blobs, version_for(recipe, self._asked))

    def create(self, name: ModelName, recipe: Recipe, digests: Mapping[Path, str], events: Events) -> None:
        """Create a model from a recipe, byte for byte as Ollama does; a base that is not there is pulled.

        Raises:
            UsageError: The release of Ollama does something that only a server can do.
            InputError: A file or blob cannot be read or written, or needs a server.
            VerificationError: A blob was removed in between.
        """
        from modelfile.stores.disk.create import created, version_for

        version = version_for(recipe, self._asked)
        self.check_writable()
        base = self._base(recipe, events)
        for tries in range(1, _TRIES + 1):
            self._bring_files(recipe, digests)
            try:
                made = created(recipe, digests, base, self.blobs, version)
                self.blobs.put_all(made.blobs.values())
                self.write_manifest(name, made.manifest)
                break
            except (InputError, VerificationError) as error:
                is_gone = any(not self.has_blob(digests[path]) for path in recipe.local_files)
                if tries == _TRIES or not (is_gone or isinstance(error, VerificationError)):
                    raise
        events(Progress(status="success"))

    def _bring_files(self, recipe: Recipe, digests: Mapping[Path, str]) -> None:
        """Place the files of a recipe again if another program has removed their blobs."""
        for path in recipe.local_files:
            if not self.has_blob(digests[path]):
                try:
                    self.blobs.place(path, digests[path], lambda _: None)
                except InputError as error:
                    message = f"{self.location} refused: blob {shorten_digest(digests[path])} not found"
                    raise NotFound(f"{message}: {error.message}", hint=error.hint) from error

    def _base(self, recipe: Recipe, events: Events) -> Manifest | None:
        if not recipe.base:
            return None
        name = ModelName.parse(recipe.base)
        if (found := self.manifest(name)) is None:
            self.pull(name, events)
            found = self.manifest(name)
        if found is None:
            raise self._not_found(name)
        return found

    def pull(self, name: ModelName, events: Events) -> None:
        """Pull a model from its registry; see `disk.download`."""
        from modelfile.stores.disk.download import pull_model

        pull_model(name, self, self._registries(f"pull {name} into"), events)

    def fetch(self, source: ModelName, manifest: Manifest, events: Events, *, name: ModelName | None = None) -> None:
        """Download the layers of a manifest, and give it to a name; see `disk.download`."""
        from modelfile.stores.disk.download import fetch_model

        fetch_model(source, manifest, self, self._registries(f"pull {source} into"), events, name=name or source)

    def push(self, name: ModelName, events: Events) -> None:
        """Push a model to its registry; see `disk.upload`."""
        from modelfile.stores.disk.upload import push_model

        push_model(self.layout.spelled(name), self, self._registries(f"push {name} from"), events)

    def _registries(self, task: str) -> Registry:
        if self._registry is None:
            raise UsageError(f"cannot {task} {self.location}: no registry was given")
        return self._registry

    def check_writable(self) -> None:
        """Check that the folder may be written to.

        Raises:
            InputError: It belongs to another user.
        """
        reject_foreign(self.layout.root)

    def tidy(self) -> None:
        """Remove what killed processes left: temporary files, and blobs that were being removed."""
        self._changes.tidy()

    def copy(self, source: ModelName, destination: ModelName) -> None:
        """Copy a manifest to another name, byte for byte."""
        self.check_writable()
        with self._changes.begun():
            found = self._load(self.layout.spelled(source))
            if found is None:
                raise self._not_found(source)
            if (spelled := self.layout.spelled(destination)).full != self.layout.spelled(source).full:
                self._changes.put(spelled, found[1], former_goes=False)

    def delete(self, name: ModelName) -> None:
        """Delete a name: its manifest first, then the blobs that no manifest names.

        If another manifest is damaged, no blob is removed, as it may be one of that.
        """
        self.check_writable()
        with self._changes.begun():
            path = self.layout.manifest(self.layout.spelled(name))
            if not os.path.lexists(path):
                raise self._not_found(name)
            self._changes.delete(name, path)

    def interrupt(self) -> None:
        """End nothing: a disk is not waited for."""

    def named_blobs(self) -> set[str] | None:
        """Return the digests that manifests name; None if a manifest cannot be read, and nobody knows what it names."""
        return self._references.digests()

    def _listed(self, name: ModelName | None, path: Path) -> ListedModel:
        if name is None:
            raise InputError("it is not named as a model is")
        content, modified = read_manifest(path)
        manifest = Manifest.parse(content, "it")
        lacking = next((layer for layer in manifest.blobs if not self.has_blob(layer.digest, layer.size)), None)
        if lacking:
            self._warn(f"{name} {self.location.where} is damaged: {self._changes.damage(lacking)}")
        return ListedModel(
            name=name,
            digest=listed_digest(content),
            size=manifest.size,
            modified=modified,
            is_whole=lacking is None,
        )

    def _find(self, name: ModelName) -> StoredModel | None:
        from modelfile.stores.encoding import read_details, read_model

        if (found := self._load(name)) is None:
            return None
        content, manifest = found
        if any(not self.has_blob(layer.digest, layer.size) for layer in manifest.layers):
            return None  # also a server cannot read it
        try:
            model = read_model(manifest, self.blobs.read)
            details = read_details(self.blobs.read(manifest.config))
        except InputError as error:
            message = f"cannot read {name} in {self.location}: {error.message}"
            raise InputError(message, hint=error.hint or _CHECK) from error
        return StoredModel(
            name=name,
            digest=listed_digest(content),
            model=model,
            parent=parent_of(manifest),
            blobs=self.layout.root / BLOBS,
            **details,
        )

    def _load(self, name: ModelName) -> tuple[bytes, Manifest] | None:
        path = self.layout.manifest(name)
        return self._parse(name, path) if os.path.lexists(path) else None

    def _parse(self, name: ModelName, path: Path) -> tuple[bytes, Manifest]:
        try:
            content, _ = read_manifest(path)
            return content, Manifest.parse(content, f"the manifest of {name}")
        except InputError as error:
            raise InputError(error.message, hint=_CHECK) from error

    def locked(self, task: str) -> contextlib.AbstractContextManager[None]:
        """Hold the lock of the store; see `disk.changes`."""
        return self._changes.locked(task)

    def _not_found(self, name: ModelName) -> NotFound:
        return NotFound(f"{self.location} refused: model {name} not found")

    def _warn(self, message: str) -> None:
        if message not in self._warned:
            self._warned.add(message)
            self._on_warning(message)
