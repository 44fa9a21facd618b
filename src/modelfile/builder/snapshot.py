"""The models of a store at one moment, with a cache of their contents and of earlier builds."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from modelfile.catalog.versions import release
from modelfile.filesystem import cache_folder, read_entry, write_entry
from modelfile.names import ModelName
from modelfile.recipe.model import Model
from modelfile.recipe.recipe import Message, Recipe
from modelfile.stores.ollama.wire import create_request
from modelfile.stores.protocol import ListedModel, Store, StoredModel, StoreLocation, find_listed

_OF_FILES: Final = ("files", "adapters", "draft_files", "quantize")
_FROM_FILES: Final = ("template", "renderer", "parser")


class Snapshot:
    """The models of a store, listed once; the contents of a manifest that is in the cache are not requested."""

    def __init__(self, store: Store) -> None:
        """List the models.

        Raises:
            ServerError: The store cannot answer.
        """
        self.listed: tuple[ListedModel, ...] = store.list()
        self._store = store
        self._found: dict[ModelName, StoredModel | None] = {}

    def find(self, name: ModelName) -> StoredModel | None:
        """Return the model of a name.

        Raises:
            ServerError: The store cannot answer.
        """
        listed = find_listed(name, self.listed)
        if listed is None:
            return None
        if listed.name not in self._found:
            self._found[listed.name] = self._read(listed)
        return self._found[listed.name]

    def _read(self, listed: ListedModel) -> StoredModel | None:
        location, version = self._store.location, self._store.ollama
        if known := recall_model(manifest_key(location, version, listed.digest)):
            model, fingerprint = known
            return StoredModel(name=listed.name, digest=listed.digest, model=model, known_fingerprint=fingerprint)
        if stored := self._store.find(listed.name):
            remember_model(manifest_key(location, version, stored.digest), stored.model, stored.fingerprint)
        return stored


def manifest_key(location: StoreLocation, version: str, digest: str) -> str:
    """Return the key of the model that a store has in a manifest."""
    return _key({"place": str(location), "version": version, "manifest": digest})


def observation_key(
    location: StoreLocation, version: str, recipe: Recipe, digests: Mapping[Path, str], base: str | None
) -> str:
    """Return the key of what a server creates from the files of a recipe; its other instructions may have any value.

    Args:
        location: The server.
        version: Its version.
        recipe: The recipe; of its other instructions, only their names are in the key.
        digests: `sha256:…` of every local file.
        base: The fingerprint of its base.
    """
    request = create_request(recipe, digests, release(version))
    files = {key: request[key] for key in _OF_FILES if key in request}
    if "quantize" in files:
        files["quantize"] = files["quantize"].upper()  # one type, however it is written
    says = [*(key for key in _FROM_FILES if key in request), *sorted(request.get("parameters", ()))]
    return _key({"place": str(location), "version": version, "files": files, "says": says, "base": base})


def recall_model(key: str) -> tuple[Model, str] | None:
    """Return the model in the cache under a key, and its fingerprint, or None."""
    entry = _entry(key)
    if entry is None:
        return None
    try:
        checksum, text = read_entry(entry).split(b"\n", 1)
        if checksum.decode() != _checksum(text):
            return None
        content = json.loads(text)
        return _parse(content["model"]), content["fingerprint"]
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def remember_model(key: str, model: Model, fingerprint: str) -> None:
    """Put a model and its fingerprint into the cache."""
    if entry := _entry(key):
        text = json.dumps({"model": dataclasses.asdict(model), "fingerprint": fingerprint})
        write_entry(entry, f"{_checksum(text.encode())}\n{text}")


def _checksum(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def _parse(content: dict[str, Any]) -> Model:
    return Model(
        **{
            **content,
            **{name: tuple(content[name]) for name in ("weights", "adapters", "drafts")},
            "parameters": {
                name: tuple(value) if isinstance(value, list) else value
                for name, value in content["parameters"].items()
            },
            "messages": tuple(Message(**message) for message in content["messages"]),
        }
    )


def _key(parts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _entry(key: str) -> Path | None:
    folder = cache_folder()
    return folder / "models" / key if folder else None
