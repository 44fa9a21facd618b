"""Copies of models from one store to another, and downloads of locked bases by their digests.

Blobs can be read from a folder, and not from a server: so a model is copied from a folder, to a folder or to a server.
A folder gets the same manifest; a server gets the weights, and creates the model from them, which must have the same
fingerprint.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from modelfile.cache import cache_folder
from modelfile.errors import InputError, UsageError, VerificationError
from modelfile.events import Events, Progress
from modelfile.immutable import replace
from modelfile.locks import name_lock
from modelfile.manifest import Layer, Manifest
from modelfile.names import ModelName
from modelfile.stores.staging import staging_name
from modelfile.stores.uploads import upload_all

if TYPE_CHECKING:
    from modelfile.recipe.model import Model
    from modelfile.recipe.recipe import Recipe
    from modelfile.stores.disk.layout import Layout
    from modelfile.stores.disk.store import FolderStore
    from modelfile.stores.protocol import Registry, Store, StoredModel

_DOWNLOADS: Final = "downloads"
"""The folder in the cache for weights on their way to a server."""
WEIGHTS: Final = frozenset({"model", "projector", "adapter", "draft"})
"""Kinds of the layers that a server is sent as files; it gets all others in the request."""


def as_folder(store: Store) -> FolderStore | None:
    """Return a store as the folder that it is; None if it is a server."""
    return cast("FolderStore", store) if store.location.is_folder else None


def copy_model(source: Store, name: ModelName, target: Store, new: ModelName, events: Events) -> None:
    """Copy a model to another store; what the new name has there is replaced.

    Args:
        source: The store that has the model: a folder.
        name: The name of the model there.
        target: The other store.
        new: The name that the model gets there.
        events: Receives progress.

    Raises:
        UsageError: The source is a server, whose weights cannot be read.
        InputError: The model is missing or damaged.
        ServerError: The target fails.
        VerificationError: The target makes another model of the same weights; it is removed.
    """
    if (folder := as_folder(source)) is None:
        hint = "name the folder of its models with --store, or push the model to a registry and pull it from there"
        raise UsageError(f"cannot copy {name} from {source.location}: a server does not give out weights", hint=hint)
    manifest, stored = folder.manifest(name), folder.find(name)
    if manifest is None or stored is None:
        raise InputError(f"{name} not found, or not whole, in {source.location}", hint="run `mf store check`")
    layers = {layer.digest: layer for layer in (*manifest.layers, manifest.config)}
    if (to := as_folder(target)) is not None:
        to.check_writable()
        _send({digest: folder.blobs.path(digest) for digest in layers}, to, layers, events)
        to.write_manifest(new, manifest.text)
        return
    _recreate(stored.model, _files(manifest), folder.blobs.path, target, new, events)


def fetch_base(
    name: ModelName, manifest: Manifest, target: Store, alias: ModelName, registry: Registry, events: Events
) -> None:
    """Download a base as it was when it was locked into a store; a registry still has its layers by their digests.

    Args:
        name: The name of the base in its registry.
        manifest: Its former manifest.
        target: The store.
        alias: The name that it gets there, such as its pin alias; another model of that name is replaced.
        registry: The registries.
        events: Receives progress.

    Raises:
        DiskFull: There is too little space for the download.
        ServerError: The registry or the target fails.
        VerificationError: The registry sends other bytes, or the target makes another model of them.
    """
    if (folder := as_folder(target)) is not None:
        from modelfile.stores.disk.download import fetch_model

        fetch_model(name, manifest, folder, registry, events, name=alias)
        return
    from modelfile.stores.disk.blobs import Blobs
    from modelfile.stores.disk.download import download_layers
    from modelfile.stores.encoding import read_model

    def read(layer: Layer) -> bytes:
        return registry.read(name, layer)

    files = _files(manifest)
    missing = [layer for layer in files.values() if not target.has_blob(layer.digest, layer.size)]
    with _downloads(missing, events) as layout:
        blobs = Blobs(layout)
        download_layers(name, missing, layout, blobs, registry, events)
        _recreate(read_model(manifest, read), files, blobs.path, target, alias, events)
        for layer in missing:
            blobs.path(layer.digest).unlink(missing_ok=True)


@contextlib.contextmanager
def _downloads(layers: Sequence[Layer], events: Events) -> Iterator[Layout]:
    """Yield a folder for weights on their way to a server; it stays after a failure, so that the next try resumes.

    Downloads of other layers that nobody resumed for a day are removed first.
    """
    from tempfile import TemporaryDirectory

    from modelfile.stores.disk.layout import open_layout

    with contextlib.ExitStack() as stack:
        cache = cache_folder()
        root = cache / _DOWNLOADS if cache else Path(stack.enter_context(TemporaryDirectory(prefix="mf-")))
        stack.enter_context(name_lock(_DOWNLOADS, str(root), events, "download of a base"))
        layout = open_layout(root, create=True)
        _discard_others(layout, layers)
        yield layout


def _discard_others(layout: Layout, layers: Sequence[Layer]) -> None:
    """Remove old downloads of other layers than these."""
    from modelfile.stores.disk.prune import plan_prune, prune
    from modelfile.stores.disk.store import FolderStore

    resumed = tuple(layout.blob(layer.digest).name for layer in layers)
    store = FolderStore(layout)
    plan = plan_prune(store)
    prune(replace(plan, stale=tuple(one for one in plan.stale if not one.path.name.startswith(resumed))), store)


def _files(manifest: Manifest) -> dict[str, Layer]:
    return {layer.digest: layer for layer in manifest.layers if layer.kind in WEIGHTS}


def _send(paths: Mapping[str, Path], target: Store, layers: Mapping[str, Layer], events: Events) -> None:
    """Send the files of layers that a store lacks."""
    lacking = {path: digest for digest, path in paths.items() if not target.has_blob(digest, layers[digest].size)}
    if lacking:
        upload_all(lacking, target, events)


def _recreate(
    model: Model,
    files: Mapping[str, Layer],
    path_of: Callable[[str], Path],
    target: Store,
    name: ModelName,
    events: Events,
) -> None:
    """Create a model on a server from its weights and texts, under a staging tag until it is the same model."""
    from modelfile.stores.backups import replace_tag

    _send({digest: path_of(digest) for digest in files}, target, files, events)
    recipe, digests = _recipe(model)
    staging = staging_name(name)
    with name_lock(staging.full, str(target.location), events, f"copy of {name}"):
        try:
            target.create(staging, recipe, digests, events)
            _check_same(model, target.find(staging), target, name)
            replace_tag(staging, name, target)
        finally:
            with contextlib.suppress(Exception):  # what led here says more
                target.delete(staging)
    events(Progress(status="success"))


def _recipe(model: Model) -> tuple[Recipe, dict[Path, str]]:
    """Return the recipe that a server creates a model from, and the digests of its files, which have made-up names."""
    from modelfile.recipe.recipe import Recipe

    digests: dict[Path, str] = {}

    def named(kind: str, found: tuple[str, ...]) -> tuple[Path, ...]:
        paths = {Path(f"{kind}-{number}.gguf"): digest for number, digest in enumerate(found)}
        digests.update(paths)
        return tuple(paths)

    recipe = Recipe(
        files=named("model", model.weights),
        adapters=named("adapter", model.adapters),
        drafts=named("draft", model.drafts),
        template=model.template,
        system=model.system,
        licenses=(model.license,) if model.license else (),
        parameters=model.parameters,
        messages=model.messages,
        renderer=model.renderer,
        parser=model.parser,
        requires=model.requires,
    )
    return recipe, digests


def _check_same(model: Model, created: StoredModel | None, target: Store, name: ModelName) -> None:
    from modelfile.differ.models import compare_models
    from modelfile.recipe.model import fingerprint

    if created is None or created.fingerprint != fingerprint(model):
        parts = ", ".join(change.title for change in compare_models(model, created.model)) if created else "missing"
        raise VerificationError(
            f"Ollama {target.ollama} at {target.location} makes another model of the weights of {name}: {parts}",
            hint="use the version of Ollama that made it, or a folder: `--store DIR`",
        )
