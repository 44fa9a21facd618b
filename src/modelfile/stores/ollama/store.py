"""A running Ollama server as a store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from threading import Condition, Lock
from typing import TYPE_CHECKING, Final, Literal, Protocol, Self

from modelfile.catalog.versions import NEWEST, release
from modelfile.errors import NotFound, ServerError, UsageError
from modelfile.events import Events, Progress
from modelfile.immutable import replace
from modelfile.names import ModelName
from modelfile.stores.network.retry import ignore_retry
from modelfile.stores.ollama.client import Client
from modelfile.stores.ollama.wire import ProgressWire, blobs_folder, create_request, read_show
from modelfile.stores.protocol import (
    ListedModel,
    RegistrySettings,
    StoredModel,
    StoreLocation,
    find_listed,
    newest_first,
    retry_status,
)
from modelfile.weights.digests import size_of

if TYPE_CHECKING:
    from modelfile.recipe.model import Model
    from modelfile.recipe.recipe import Recipe
    from modelfile.weights.reading import Weights

_WORTH_PLACING: Final = 4 << 20
"""Size in bytes from which on it pays to look for the folder of the server, which takes some milliseconds."""
_TEXTS: Final = ("general.", "tokenizer.")
"""Starts of keys whose arrays are texts, or have an element for each token."""
_CREATIONS: Final = 5
"""How often a model is created if the server removes its folder during the creation."""
_NO_FOLDER: Final = ": no such file or directory"
_NAMED: Final = 3
"""Number of invalid names that a warning shows."""
_SHOWN: Final = 80
"""Number of characters that it shows of each."""


class Placer(Protocol):
    """The blobs in the folder of a server on this machine, which is ours to write to."""

    def begin(self, path: Path) -> None:
        """Begin to copy a file that is being hashed."""

    def place(self, path: Path, digest: str, on_sent: Callable[[int], None]) -> None:
        """Make a blob of a file, and report the bytes of each piece."""


class _SharedLock:
    """A lock that is shared by many, or exclusive to one.

    Ollama walks over all manifests for many answers, and fails if one is gone before it is read, or the folder of a new
    one: a deletion removes empty folders, too (server/images.go; seen in 0.9.3). So a deletion waits until nothing else
    is asked, and everything else waits for it, but for what takes long.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._sharing = 0

    @contextmanager
    def shared(self) -> Iterator[None]:
        with self._changed:
            self._sharing += 1
        try:
            yield
        finally:
            with self._changed:
                self._sharing -= 1
                self._changed.notify_all()

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: self._sharing == 0)
            yield


class ServerStore:
    """The models of one Ollama server."""

    def __init__(
        self,
        client: Client,
        on_warning: Callable[[str], None] = lambda _: None,
        *,
        route: Callable[[ModelName], tuple[ModelName, bool]] | None = None,
        find_placer: Callable[[Callable[[str], bool]], Placer | None] = lambda _: None,
    ) -> None:
        """Connect to nothing yet.

        Args:
            client: The server.
            on_warning: Called with a warning if the server lists models with invalid names.
            route: Returns the name to pull a model by, of its registry or a mirror, and whether over plain http.
            find_placer: Returns the blobs in the folder of the server, if it is on this machine and ours; called with
                `has_blob`, to prove that.
        """
        self._client = client
        self._on_warning = on_warning
        self._route = route or RegistrySettings().route
        self._find_placer = find_placer
        self._found: Placer | Literal["unsought"] | None = "unsought"
        self._finding = Lock()
        self._manifests = _SharedLock()
        self.location = StoreLocation(url=client.url)

    @cached_property
    def ollama(self) -> str:
        """The server's version."""
        return self._client.version()

    def list(self) -> tuple[ListedModel, ...]:
        """Return the models that the server has, the newest first; those with invalid names cannot be used."""
        listed, invalid = list[ListedModel](), list[str]()
        with self._manifests.shared():
            tags = self._client.tags()
        for tag in tags:
            try:
                name = ModelName.parse(tag.name)
            except UsageError:
                invalid.append(tag.name)
            else:
                listed.append(
                    ListedModel(name=name, digest=f"sha256:{tag.digest}", size=tag.size, modified=tag.modified_at)
                )
        if invalid:
            names = ", ".join(f"`{self._client.clean(name[:_SHOWN])}`" for name in invalid[:_NAMED])
            more = f" and {len(invalid) - _NAMED} more" if len(invalid) > _NAMED else ""
            self._on_warning(f"{self.location} lists invalid model names, which are ignored: {names}{more}")
        return newest_first(listed)

    def find(self, name: ModelName) -> StoredModel | None:
        """Return the model of a name, if the server has it; with the name as the server spells it."""
        listed = find_listed(name, self.list())
        return self.read(listed) if listed else None

    def read(self, listed: ListedModel) -> StoredModel | None:
        """Return a listed model with its contents, if the server still has it; the models are not listed again."""
        try:
            with self._manifests.shared():
                show = self._client.show(str(listed.name))
        except NotFound:
            return None  # removed in between; or 0.9.3 lists a model whose making failed
        return StoredModel(
            name=listed.name,
            digest=listed.digest,
            model=read_show(show),
            family=show.family,
            quantization=show.quantization_level,
            size=show.parameter_size,
            parent=show.parent,
            blobs=blobs_folder(show),
            capabilities=show.capabilities,
            context_length=show.context_length,
        )

    def weights(self, stored: StoredModel) -> tuple[Weights, ...]:
        """Return the weights of a model as the server describes them; numbers of single layers are a second request."""
        from modelfile.weights.facts import facts_of, header_from_info, tensors_of_info
        from modelfile.weights.reading import Weights

        name = str(stored.name)
        info = self._client.info(name)
        if any(value is None and not key.startswith(_TEXTS) for key, value in info.model_info.items()):
            info = self._client.info(name, verbose=True)
        tensors = tensors_of_info(info.tensors)
        header = header_from_info(info.model_info, tensors)
        facts = replace(facts_of(header, release(self.ollama) or NEWEST), chat_template=None, size=None, needed=None)
        found = Weights(
            name=name,
            facts=facts,
            header=header,
            digests=stored.model.weights,
            list_tensors=lambda: tensors,
        )
        return (found,)

    def has_blob(self, digest: str, size: int | None = None) -> bool:
        """Return whether the server has the bytes of a digest."""
        del size  # the server does not tell
        return self._client.has_blob(digest)

    def places(self, size: int) -> bool:
        """Return whether the server's folder was found on this machine, and is ours to write to."""
        return size >= _WORTH_PLACING and self._placer() is not None

    def _placer(self) -> Placer | None:
        with self._finding:
            if self._found == "unsought":
                self._found = self._find_placer(self._client.has_blob)
            return self._found

    def begin_placing(self, recipe: Recipe) -> None:
        """Begin to copy the files of a recipe into the server's folder, if it is ours."""
        files = recipe.local_files
        placer = self._placer() if self.places(sum(map(size_of, files))) else None
        if placer:
            self._client.warm_up()
            for path in files:
                placer.begin(path)

    def put_blob(
        self,
        digest: str,
        path: Path,
        on_sent: Callable[[int], None],
        on_retry: Callable[[int, int], None] | None = None,
    ) -> None:
        """Put a file into the server's folder, or upload it, so that the server checks its digest."""
        placer = self._placer() if self.places(size_of(path)) else None
        if placer:
            self._client.warm_up()
            placer.place(path, digest, on_sent)
        else:
            self._client.push_blob(digest, path, on_sent, on_retry or ignore_retry)
        if not self._client.has_blob(digest):
            raise ServerError(
                f"{self.location} accepted `{path}` but does not have it",
                hint="see the server's log: its disk may be full",
            )

    def for_base(self, *, is_named: bool) -> Self:
        """Return this store, which has one version."""
        del is_named
        return self

    def check_create(self, recipe: Recipe) -> None:
        """Accept every recipe; what the server cannot do, it says itself."""

    def predict(self, recipe: Recipe, digests: Mapping[Path, str]) -> Model | None:
        """Return None: the server makes of weights what it wants."""
        del recipe, digests
        return None

    def create(self, name: ModelName, recipe: Recipe, digests: Mapping[Path, str], events: Events) -> None:
        """Make a model of a recipe.

        Ollama removes empty folders of manifests after it has deleted a model: also the one that it has just made for
        another model (`PruneDirectory`, seen in 0.9.3). Then it refuses this one, and can make it again.
        """
        request = create_request(recipe, digests, release(self.ollama))
        for left in reversed(range(_CREATIONS)):
            try:
                _report(self._client.create(str(name), request), events)
            except ServerError as error:
                if not (left and "manifests" in error.message and error.message.endswith(_NO_FOLDER)):
                    raise
            else:
                return

    def pull(self, name: ModelName, events: Events) -> None:
        """Fetch a model from its registry, or from the mirror of that, of which no name remains."""

        def on_retry(attempt: int, attempts: int) -> None:
            events(Progress(status=retry_status(attempt, attempts)))

        source, is_plain = self._route(name)
        was_listed = source == name or find_listed(source, self.list()) is not None
        _report(self._client.pull(str(source), on_retry, insecure=is_plain), events)
        if source != name:
            self.copy(source, name)
        if not was_listed:
            self.delete(source)

    def push(self, name: ModelName, events: Events) -> None:
        """Have the server push a model to its registry."""
        source, is_plain = self._route(name)  # a push goes past mirrors
        _report(self._client.push(str(name), insecure=is_plain and source == name), events)

    def copy(self, source: ModelName, destination: ModelName) -> None:
        """Give a model another name."""
        with self._manifests.shared():
            self._client.copy(str(source), str(destination))

    def delete(self, name: ModelName) -> None:
        """Remove a name."""
        with self._manifests.exclusive():
            self._client.delete(str(name))

    def interrupt(self) -> None:
        """End all requests that are under way in other threads."""
        self._client.interrupt()


def _report(lines: Iterator[ProgressWire], events: Events) -> None:
    for line in lines:
        events(Progress(status=line.status, total=line.total, completed=line.completed))
