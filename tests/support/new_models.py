"""Models that are created in a folder of the test's own: its weights, its bases, and parts of what is written."""

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from tests.support.tiny_gguf import typed_gguf

from modelfile.catalog.versions import Version
from modelfile.manifest import CONFIG_TYPE, LAYER_TYPE, MEDIA_TYPE, Manifest
from modelfile.names import ModelName
from modelfile.recipe.recipe import Recipe
from modelfile.stores.disk.create import Created, created
from modelfile.stores.disk.layout import open_layout
from modelfile.stores.disk.store import FolderStore

V093, V024, V033 = (Version.parse(text) for text in ("0.9.3", "0.24.0", "0.33.0-rc2"))
TINY: Final = "sha256:259a4beafa7d68b74c3fd5986b6515d6710bd7775263a109d09be30575375111"
"""The file of the traces, of which only the size and these facts count."""
REWRITTEN: Final = "sha256:fee17bc4ca4fea5120bb398866ee4e2f7183c3f75ffdb0c10ca2b9379b24dafd"
"""The file that 0.33 made of it."""
FILE: Final = Path("tiny.gguf")
BASE: Final = "tiny:v1"


def open_with_weights(folder: Path) -> FolderStore:
    """Return a store that has the weights of the traces."""
    store = FolderStore(open_layout(folder / "store", create=True))
    for digest, size in ((TINY, 60448), (REWRITTEN, 60512)):
        add_weights(store, digest, {"general.architecture": "llama", "general.file_type": 0}, size=size)
    return store


def add_weights(
    store: FolderStore, digest: str, metadata: Mapping[str, Any], shape: tuple[int, ...] = (14_208,), size: int = 0
) -> str:
    """Add a blob under a digest that is not its own, and return it."""
    store.layout.blob(digest).write_bytes(typed_gguf(metadata, {"x": shape}, size=size))
    return digest


def add_base(
    store: FolderStore, layers: Mapping[str, str | bytes], config: Mapping[str, Any], name: str = BASE
) -> None:
    """Add a model of layers: digests of weights, or contents, by their kinds."""

    def layer(media_type: str, content: str | bytes) -> dict[str, Any]:
        digest = content if isinstance(content, str) else store.blobs.put(content)[0]
        return {"mediaType": media_type, "digest": digest, "size": store.blobs.size(digest)}

    written = [layer(f"{LAYER_TYPE}{kind.rstrip('2')}", content) for kind, content in layers.items()]
    head = {"schemaVersion": 2, "mediaType": MEDIA_TYPE, "config": layer(CONFIG_TYPE, json.dumps(config).encode())}
    store.write_manifest(ModelName.parse(name), json.dumps(head | {"layers": written}))


def make(store: FolderStore, recipe: Recipe, version: Version, digests: Mapping[Path, str] | None = None) -> Created:
    base = store.manifest(ModelName.parse(recipe.base)) if recipe.base else None
    return created(recipe, {FILE: TINY, **(digests or {})}, base, store.blobs, version)


def config_of(made: Created) -> dict[str, Any]:
    digest = Manifest.parse(made.manifest, "it").config.digest
    config: dict[str, Any] = json.loads(made.blobs[digest])
    return config


def content_of(made: Created, kind: str) -> bytes:
    (layer,) = (layer for layer in Manifest.parse(made.manifest, "it").layers if layer.kind == kind)
    return made.blobs[layer.digest]


def kinds_of(made: Created) -> list[str]:
    return [layer.kind for layer in Manifest.parse(made.manifest, "it").layers]


def digest_of(content: str | bytes) -> str:
    return sha256(content if isinstance(content, bytes) else content.encode()).hexdigest()
