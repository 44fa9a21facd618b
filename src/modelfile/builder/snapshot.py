"""The models of a store at one moment, with a cache of their contents and of earlier builds."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from modelfile.builder.forecast import observe
from modelfile.cache import read_entry, write_entry
from modelfile.catalog.versions import release
from modelfile.errors import InputError
from modelfile.immutable import asdict
from modelfile.names import ModelName
from modelfile.project.target import Target
from modelfile.recipe.model import Model
from modelfile.recipe.recipe import Message, Recipe
from modelfile.stores.ollama.wire import create_request
from modelfile.stores.protocol import ListedModel, Store, StoredModel, StoreLocation, find_listed

_ENTRIES: Final = "models"
_OF_FILES: Final = ("files", "adapters", "draft_files", "quantize")
_FROM_FILES: Final = ("template", "renderer", "parser")


def as_created(target: Target, store: Store) -> Store:
    """Return a store with the version of Ollama that creates the model of a target there."""
    with contextlib.suppress(InputError):  # reported by the checks of the Modelfile
        return store.for_base(is_named=target.base is not None)
    return store


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
        if listed is None or not listed.is_whole:
            return None
        if listed.name not in self._found:
            self._found[listed.name] = self._read(listed)
        return self._found[listed.name]

    def recall(self, listed: ListedModel) -> StoredModel | None:
        """Return a listed model if the cache knows its manifest; the store is not asked."""
        if known := recall_model(manifest_key(self._store.location, self._store.ollama, listed.digest)):
            model, fingerprint = known
            return StoredModel(name=listed.name, digest=listed.digest, model=model, known_fingerprint=fingerprint)
        return None

    def _read(self, listed: ListedModel) -> StoredModel | None:
        location, version = self._store.location, self._store.ollama
        if known := self.recall(listed):
            return known
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


def recall_observation(
    recipe: Recipe, digests: Mapping[Path, str], base: StoredModel | None, store: Store
) -> Model | None:
    """Return what the store makes of the files of a recipe; None if it was not seen or predicted.

    What a server makes of them is known from an earlier build from this machine; a folder knows it ahead.
    """
    fingerprint = base.fingerprint if base else None
    if known := recall_model(observation_key(store.location, store.ollama, recipe, digests, fingerprint)):
        return known[0]
    model = store.predict(recipe, digests)
    return observe(model, recipe) if model else None


def recall_model(key: str) -> tuple[Model, str] | None:
    """Return the model in the cache under a key, and its fingerprint, or None."""
    try:
        match read_entry(_ENTRIES, key):
            case {"model": dict(content), "fingerprint": str(fingerprint)}:
                return _parse(content), fingerprint
            case _:
                return None
    except (TypeError, KeyError, AttributeError):  # of another version of mf
        return None


def remember_model(key: str, model: Model, fingerprint: str) -> None:
    """Put a model and its fingerprint into the cache."""
    write_entry(_ENTRIES, key, {"model": asdict(model), "fingerprint": fingerprint})


def _parse(content: dict[str, Any]) -> Model:
    """Return the model of a cache entry.

    Raises:
        TypeError, KeyError, AttributeError: It is not one.
    """
    parameters = {
        name: _texts(value) if isinstance(value, list) else value for name, value in content["parameters"].items()
    }
    if not all(isinstance(value, bool | int | float | str | tuple) for value in parameters.values()):
        raise TypeError
    messages = tuple(Message(**message) for message in content["messages"])
    _texts([text for message in messages for text in (message.role, message.content)])
    lists = {name: _texts(content[name]) for name in ("weights", "adapters", "drafts")}
    model = Model(**{**content, **lists, "parameters": parameters, "messages": messages})
    _texts(
        [model.template, model.system, model.license, model.renderer, model.parser, model.requires, content["family"]]
    )
    return model


def _texts(items: list[Any]) -> tuple[str, ...]:
    if not all(isinstance(item, str) for item in items):
        raise TypeError
    return tuple(items)


def _key(parts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
