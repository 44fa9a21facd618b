"""A store and a registry in memory, for tests and examples; the store behaves as Ollama 0.9.3 does (measured)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from threading import RLock
from typing import Self

from modelfile.catalog.versions import release
from modelfile.errors import InputError, NotFound, ServerError
from modelfile.events import Events, Progress, ignore
from modelfile.filesystem import open_regular
from modelfile.immutable import replace
from modelfile.manifest import Layer, Manifest, digest_of, portable
from modelfile.names import ModelName
from modelfile.recipe.model import DEFAULT_TEMPLATE, Model, fingerprint
from modelfile.recipe.recipe import Message, Recipe
from modelfile.recipe.values import canonical
from modelfile.stores.encoding import write_model
from modelfile.stores.protocol import ListedModel, StoredModel, StoreLocation, newest_first
from modelfile.weights.reading import Weights


class MemoryStore:
    """Models, their names and their blobs; several threads may use it at once."""

    def __init__(
        self,
        *,
        url: str = "memory:",
        ollama: str = "0.9.3",
        registry: Mapping[ModelName, Model] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Start empty; listings are in order only if the clock never returns a time twice."""
        self.location = StoreLocation(url=url)
        self.ollama = ollama
        self._registry = {_key(name): model for name, model in (registry or {}).items()}
        self._clock = clock
        self._models: dict[str, tuple[ListedModel, Model, str]] = {}  # with what FROM named
        self._blobs: dict[str, int] = {}  # sizes by digest, also of texts
        self._lock = RLock()

    @classmethod
    def with_models(cls, *names: str) -> Self:
        """Return a store that has a model of each name, with its own weights, and a registry that has them, too.

        Its clock counts days, so that examples that run on it always give the same.
        """
        registry = {ModelName.parse(name): Model(weights=(digest_of(name.encode()),)) for name in names}
        days = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in count())
        store = cls(registry=registry, clock=lambda: next(days))
        for name in registry:
            store.pull(name, ignore)
        return store

    def list(self) -> tuple[ListedModel, ...]:
        """Return the models that are here, the newest first."""
        with self._lock:
            return newest_first(listed for listed, *_ in self._models.values())

    def find(self, name: ModelName) -> StoredModel | None:
        """Return the model of a name; one whose weights are gone counts as none."""
        with self._lock:
            listed, model, parent = self._models.get(_key(name), (None, None, ""))
            if listed is None or model is None or not {*model.weights} <= self._blobs.keys():
                return None
            return StoredModel(name=listed.name, digest=listed.digest, model=model, parent=parent)

    def read(self, listed: ListedModel) -> StoredModel | None:
        """Return a listed model with its contents."""
        return self.find(listed.name)

    def weights(self, stored: StoredModel) -> tuple[Weights, ...]:
        """Return nothing: of weights only their size is here."""
        del stored
        return ()

    def has_blob(self, digest: str, size: int | None = None) -> bool:
        """Return whether the bytes of a digest are here."""
        del size  # what is here is whole
        return digest in self._blobs

    def places(self, size: int) -> bool:
        """Return that files are sent, as to a server."""
        del size
        return False

    def begin_placing(self, recipe: Recipe) -> None:
        """Begin nothing."""

    def put_blob(
        self,
        digest: str,
        path: Path,
        on_sent: Callable[[int], None],
        on_retry: Callable[[int, int], None] | None = None,
    ) -> None:
        """Take a file's bytes, whole or not at all."""
        del on_retry  # memory does not fail
        with open_regular(path) as file:
            content = file.read()
        if digest_of(content) != digest:
            raise InputError(f"`{path}` has changed since its digest was computed", hint="run the command again")
        on_sent(len(content))
        with self._lock:
            self._blobs |= {digest: len(content)}

    def for_base(self, *, is_named: bool) -> Self:
        """Return this store, which has one version."""
        del is_named
        return self

    def check_create(self, recipe: Recipe) -> None:
        """Accept every recipe."""

    def predict(self, recipe: Recipe, digests: Mapping[Path, str]) -> Model | None:
        """Return None: a build tells."""
        del recipe, digests
        return None

    def create(self, name: ModelName, recipe: Recipe, digests: Mapping[Path, str], events: Events) -> None:
        """Make a model of a recipe; a base that is not here is pulled. Types of weights are not modeled."""
        with self._lock:
            if missing := [digests[path] for path in recipe.local_files if digests[path] not in self._blobs]:
                raise ServerError(f"{self.location} refused: blob {missing[0]} not found")
            base = Model(weights=tuple(digests[path] for path in recipe.files))
            if recipe.base:
                source = ModelName.parse(recipe.base)
                if self.find(source) is None:
                    self.pull(source, events)
                base = self._get(source)
            made = base.with_recipe(recipe, digests, release(self.ollama))
            numbers = {parameter: canonical(value) for parameter, value in made.parameters.items()}
            messages = tuple(Message(message.role.lower(), message.content) for message in made.messages)
            parent = (
                str(ModelName.parse(recipe.base))
                if recipe.base
                else "".join(f"/{path.name}" for path in recipe.files[:1])
            )
            self._write(name, replace(made, parameters=numbers, messages=messages), events, parent)

    def pull(self, name: ModelName, events: Events) -> None:
        """Fetch a model from the registry."""
        if (model := self._registry.get(_key(name))) is None:
            raise ServerError(f"{self.location} refused: pull model manifest: file does not exist")
        with self._lock:
            self._write(name, model, events)

    def push(self, name: ModelName, events: Events) -> None:
        """Give the model of a name to the registry."""
        with self._lock:
            self._registry[_key(name)] = self._get(name)
        events(Progress(status="success"))

    def copy(self, source: ModelName, destination: ModelName) -> None:
        """Give a model another name; the layers of an overwritten one stay, as on a server until its next start."""
        with self._lock:
            model = self._get(source)
            if not source.same_as(destination):
                self._give(destination, model, self._models[_key(source)][2])

    def interrupt(self) -> None:
        """End nothing: nothing waits for memory."""

    def delete(self, name: ModelName) -> None:
        """Remove a name, and the layers that no other name needs."""
        with self._lock:
            model = self._get(name)
            del self._models[_key(name)]
            self._prune(model)

    def _get(self, name: ModelName) -> Model:
        if _key(name) not in self._models:
            raise NotFound(f"{self.location} refused: model {name} not found")
        return self._models[_key(name)][1]

    def _write(self, name: ModelName, model: Model, events: Events, parent: str = "") -> None:
        self._blobs = _layers(model) | self._blobs
        if former := self._give(name, model, parent):
            self._prune(former)
        events(Progress(status="success"))

    def _give(self, name: ModelName, model: Model, parent: str) -> Model | None:
        """Give a name contents, and return what it had."""
        listed, before, _ = self._models.get(_key(name), (None, None, ""))
        now = ListedModel(
            name=listed.name if listed else name,
            digest=digest_of(
                f"{self.location} {fingerprint(model)}".encode()
            ),  # another in every store, as Ollama's are
            size=sum(self._blobs.get(digest, 0) for digest in _layers(model)),
            modified=self._clock(),
        )
        self._models[_key(name)] = now, model, parent
        return before

    def _prune(self, model: Model) -> None:
        used = {digest for _, other, _ in self._models.values() for digest in _layers(other)}
        for digest in _layers(model).keys() - used:
            self._blobs.pop(digest, None)


class MemoryRegistry:
    """Registries of any host: the models that were pushed, by tag and by digest; what is gone from a tag stays."""

    def __init__(self, models: Mapping[ModelName, Model] | None = None) -> None:
        """Start with a version of each model."""
        self._tags: dict[str, dict[str, Manifest]] = {}
        self._blobs: dict[str, dict[str, bytes]] = {}
        for name, model in (models or {}).items():
            self.push(name, model)

    @classmethod
    def with_models(cls, *names: str) -> Self:
        """Return registries that have a model of each name, with the weights that MemoryStore.with_models gives it."""
        parsed = map(ModelName.parse, names)
        return cls({name: Model(weights=(digest_of(text.encode()),)) for name, text in zip(parsed, names, strict=True)})

    def push(self, name: ModelName, model: Model, files: Iterable[bytes] = ()) -> Manifest:
        """Move a tag to a model, and return its manifest; of weights, it has those whose contents are given."""
        contents = {digest_of(content): content for content in files}
        manifest, blobs = write_model(model, {digest: len(content) for digest, content in contents.items()})
        self._add(name, contents | blobs)
        return self._publish(name, manifest)

    def has(self, name: ModelName, layer: Layer) -> bool:
        """Return whether a layer was pushed to this model."""
        return len(self._blobs.get(_repository(name), {}).get(layer.digest, b"")) == layer.size

    def download(self, name: ModelName, layer: Layer, start: int, end: int, on_chunk: Callable[[bytes], None]) -> None:
        """Return a range of a layer in one piece."""
        on_chunk(self.read(name, layer)[start:end])

    def upload(
        self,
        name: ModelName,
        layer: Layer,
        content: Path | bytes,
        on_sent: Callable[[int], None],
        *,
        mount_from: Sequence[ModelName] = (),
    ) -> None:
        """Take a layer, unless it is here."""
        del mount_from
        if layer.digest not in self._blobs.get(_repository(name), {}):
            found = content if isinstance(content, bytes) else content.read_bytes()
            if (digest_of(found), len(found)) != (layer.digest, layer.size):
                raise ServerError(f"{self.url(name)} refused: digest invalid")
            self._add(name, {layer.digest: found})
            on_sent(len(found))

    def publish(self, name: ModelName, manifest: str) -> Manifest:
        """Move a tag to a manifest, without `from`."""
        published = Manifest.parse(portable(manifest), f"the manifest of {name}")
        if missing := [layer for layer in published.blobs if not self.has(name, layer)]:
            raise ServerError(f"{self.url(name)} refused: blob unknown: {missing[0].digest}")
        return self._publish(name, published)

    def _publish(self, name: ModelName, published: Manifest) -> Manifest:
        self._add(name, {published.digest: published.text.encode()})
        repository = _repository(name)
        self._tags[repository] = {**self._tags.get(repository, {}), name.tag: published}
        return published

    def _add(self, name: ModelName, blobs: Mapping[str, bytes]) -> None:
        repository = _repository(name)
        self._blobs[repository] = {**self._blobs.get(repository, {}), **blobs}

    def delete(self, name: ModelName) -> None:
        """Remove a tag; its manifest stays by digest."""
        del self._tags[_repository(name)][name.tag]

    def resolve(self, name: ModelName) -> Manifest | None:
        """Return the manifest of a tag; tags are as spelled."""
        return self._tags.get(_repository(name), {}).get(name.tag)

    def manifest(self, name: ModelName, digest: str) -> Manifest | None:
        """Return a manifest by digest."""
        content = self._blobs.get(_repository(name), {}).get(digest)
        return Manifest.parse(content, f"the manifest of {name}") if content else None

    def read(self, name: ModelName, layer: Layer) -> bytes:
        """Return the bytes of a layer that was pushed to this model."""
        content = self._blobs.get(_repository(name), {}).get(layer.digest)
        if content is None or len(content) != layer.size:
            raise NotFound(f"{self.url(name)} has no layer {layer.digest} of {name}")
        return content

    def tags(self, name: ModelName) -> tuple[str, ...] | None:
        """Return the tags of a model."""
        return tuple(sorted(self._tags.get(_repository(name), ())))

    def url(self, name: ModelName) -> str:
        """Return the URL that the host of a name has."""
        return f"https://{name.host.lower()}"

    def interrupt(self) -> None:
        """End nothing: nothing waits for memory."""


def _key(name: ModelName) -> str:
    return name.full.lower()


def _repository(name: ModelName) -> str:
    return _key(name).rpartition(":")[0]


def _layers(model: Model) -> dict[str, int]:
    """Return the sizes of a model's layers by digest; of files, they are known only where those were sent."""
    values = [json.dumps(value) for value in (dict(model.parameters), [*map(repr, model.messages)]) if value]
    texts = (model.template.removeprefix(DEFAULT_TEMPLATE), model.system, model.license, *values)
    files = dict.fromkeys((*model.weights, *model.adapters, *model.drafts), 1)
    return files | {digest_of(text.encode()): len(text) for text in texts if text}
