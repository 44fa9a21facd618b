"""The protocols of model stores and registries, and the values that they exchange."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from modelfile.addresses import is_loopback_host
from modelfile.errors import UsageError, VerificationError
from modelfile.events import Events
from modelfile.immutable import field, record, replace
from modelfile.manifest import Layer, Manifest
from modelfile.names import ModelName, registry_host

if TYPE_CHECKING:  # 20 ms that a listing does not need
    from modelfile.recipe.model import Model
    from modelfile.recipe.recipe import Recipe
    from modelfile.weights.reading import Weights

_FILES: Final = (".gguf", ".safetensors", ".bin", ".pth")
"""Endings of the names of weights."""


@record(kw_only=True)
class StoreLocation:
    """The location of a store; str() gives its text for messages and keys.

    >>> StoreLocation(url="http://gpu-1:11434").where, StoreLocation(url="/srv/models").where
    ('on http://gpu-1:11434', 'in /srv/models')
    """

    url: str
    """The URL of a server, or the absolute path of a folder."""

    @property
    def is_folder(self) -> bool:
        """True for a folder."""
        return Path(self.url).is_absolute()

    @property
    def noun(self) -> str:
        """The kind of store in a message: `server`, or `store` for a folder."""
        return "store" if self.is_folder else "server"

    @property
    def where(self) -> str:
        """The text after a model that is there, as in `bot:v1 on http://gpu-1:11434`."""
        return f"in {self}" if self.is_folder else f"on {self}"

    @property
    def there(self) -> str:
        """The same without the location itself, as in `restore the base on the server`."""
        return "in the store" if self.is_folder else "on the server"

    def __str__(self) -> str:
        return self.url


@record(kw_only=True, slots=False)
class StoredModel:
    """A model in a store, with its contents."""

    name: ModelName
    digest: str
    """Ollama's digest (`sha256:…`) of the manifest; differs between machines for the same model."""
    model: Model
    family: str = ""
    """Architecture of the weights, such as `qwen3`; empty if unknown."""
    quantization: str = ""
    """Type of the weights in the store's words; empty if unknown."""
    size: str = ""
    """Number of parameters in the weights in the store's words, such as `3.2B`; empty if unknown."""
    parent: str = field(default="", compare=False)
    """The base that its FROM named, as the store recorded it: a model or a file; empty for models as pulled."""
    blobs: Path | None = field(default=None, compare=False)
    """The folder of its blobs, as the store calls it: that of a server may be on another machine; None if unknown."""
    capabilities: tuple[str, ...] | None = field(default=None, compare=False)
    """The capabilities that a server reports; None if nothing reports them."""
    context_length: int = field(default=0, compare=False)
    """The number of tokens that the weights were trained for; 0 if unknown."""
    known_fingerprint: str | None = field(default=None, compare=False, repr=False)
    """The fingerprint, if it was computed before."""

    @property
    def base_name(self) -> ModelName | None:
        """The name of the base that its FROM named; None if that was a file, or is not known."""
        return parsed_name(self.parent)

    @cached_property
    def fingerprint(self) -> str:
        """The fingerprint of its contents (`mf1:…`)."""
        from modelfile.recipe.model import fingerprint

        return self.known_fingerprint or fingerprint(self.model)


def parsed_name(parent: str) -> ModelName | None:
    """Return the name of a model in what a server noted of the origin of another; None if that is a file, or nothing.

    >>> str(parsed_name("llama3.2:3b")), parsed_name("/usr/share/ollama/.ollama/models/blobs/sha256-0123")
    ('llama3.2:3b', None)
    """
    try:
        return None if parent.lower().endswith(_FILES) else ModelName.parse(parent)
    except UsageError:
        return None


@record(kw_only=True)
class ListedModel:
    """A model in the listing of a store."""

    name: ModelName
    digest: str
    """Ollama's digest (`sha256:…`), as in StoredModel."""
    size: int
    """Total size of its layers in bytes; other models may share them."""
    modified: datetime
    """Time of the last change to the name's contents."""
    is_whole: bool = field(default=True, compare=False)
    """False if the store knows that it lacks a part of the model, which then cannot be read."""


def newest_first(listed: Iterable[ListedModel]) -> tuple[ListedModel, ...]:
    """Return models in the order of a listing."""
    return tuple(sorted(listed, key=lambda model: (-model.modified.timestamp(), str(model.name))))


def find_listed(name: ModelName, listed: Iterable[ListedModel]) -> ListedModel | None:
    """Return the model that is listed under a name: as it is spelled, or else in another case."""
    same = [model for model in listed if model.name.same_as(name)]
    return next((model for model in same if model.name.full == name.full), same[0] if same else None)


def retry_status(attempt: int, attempts: int) -> str:
    """Return the status of a transfer that is made again."""
    return f"the connection broke: attempt {attempt} of {attempts}"


def missing_after(done: str, name: ModelName, location: StoreLocation) -> VerificationError:
    """Return the error for a store that reports success, as in `pulled`, and does not have the model."""
    return VerificationError(
        f"{location} reported that it {done} {name}, but does not have it",
        hint="run `mf store check`" if location.is_folder else "see the server's log",
    )


class Store(Protocol):
    """An Ollama server, the folder of one, or a stand-in."""

    @property
    def location(self) -> StoreLocation:
        """Location of the store."""

    @property
    def ollama(self) -> str:
        """Version of Ollama, of the server or whose bytes a folder gets, in its own notation; requested once."""

    def list(self) -> tuple[ListedModel, ...]:
        """Return the models in the store, the newest first."""

    def find(self, name: ModelName) -> StoredModel | None:
        """Return the model of a name; None if the store has none."""

    def read(self, listed: ListedModel) -> StoredModel | None:
        """Return a listed model with its contents; None if the store no longer has it, or cannot read it."""

    def weights(self, stored: StoredModel) -> tuple[Weights, ...]:
        """Return the weights of a model with their headers, as far as the store tells; empty if it does not."""

    def has_blob(self, digest: str, size: int | None = None) -> bool:
        """Return whether the store has the blob of a digest.

        Args:
            digest: The digest.
            size: Its size in bytes, if known: a folder compares it, a server trusts the name.
        """

    def places(self, size: int) -> bool:
        """Return whether `put_blob` puts files into the folder of the store without sending them.

        Args:
            size: The total size of the files in bytes: to find the folder of a server pays for large ones only.
        """

    def begin_placing(self, recipe: Recipe) -> None:
        """Begin to put the files of a recipe, which are being hashed, into the folder of the store, if it does so.

        Nothing of them appears before `put_blob`.
        """

    def put_blob(
        self,
        digest: str,
        path: Path,
        on_sent: Callable[[int], None],
        on_retry: Callable[[int, int], None] | None = None,
    ) -> None:
        """Upload a file as a blob.

        Args:
            digest: Its digest.
            path: The file.
            on_sent: Called with the size of each chunk, negative if it must be sent again.
            on_retry: Called before a retry with the number of the attempt, and of all attempts.
        """

    def for_base(self, *, is_named: bool) -> Store:
        """Return this store as it creates models of a kind: a folder for which no version was asked has two.

        Args:
            is_named: Whether the models are FROM the name of another, which every version can do without a server.
        """

    def check_create(self, recipe: Recipe) -> None:
        """Check that the store can create a model of a recipe, before anything is written.

        Raises:
            UsageError: It cannot, such as a folder that would have to quantize; the message says why.
            InputError: A file of the recipe cannot be read.
        """

    def predict(self, recipe: Recipe, digests: Mapping[Path, str]) -> Model | None:
        """Return the model that a recipe of local files gives, from their headers; None if only a build can tell."""

    def create(self, name: ModelName, recipe: Recipe, digests: Mapping[Path, str], events: Events) -> None:
        """Create a model from a recipe; the store must have the blobs of its files."""

    def pull(self, name: ModelName, events: Events) -> None:
        """Pull a model from its registry."""

    def push(self, name: ModelName, events: Events) -> None:
        """Push a model to its registry."""

    def copy(self, source: ModelName, destination: ModelName) -> None:
        """Copy a model to another name; this takes no disk space."""

    def delete(self, name: ModelName) -> None:
        """Delete a name, and the layers that no other name needs."""

    def interrupt(self) -> None:
        """End all requests that are under way in other threads, after Ctrl-C; new ones may follow."""


@record(kw_only=True)
class RegistrySettings:
    """The registries that may be asked, and how; from the configuration."""

    allowed: tuple[str, ...] | None = None
    """The hosts that may be asked; None: any."""
    mirrors: Mapping[str, str] = field(default_factory=dict)
    """URLs to ask instead of hosts, by host."""
    insecure: tuple[str, ...] = ()
    """The hosts that are asked over plain http, as loopback hosts are; any other is asked over https."""
    all_insecure: bool = False
    """True to ask every host over plain http, for `--insecure`."""

    def allows_plain(self, host: str) -> bool:
        """Return whether a host, which may have a port, is asked over plain http."""
        return self.all_insecure or host.lower() in map(str.lower, self.insecure) or is_loopback_host(host)

    def route(self, name: ModelName) -> tuple[ModelName, bool]:
        """Return the name that a server is to pull a model by, and whether over plain http.

        It is that of the mirror, unless this has a path, which no name can have.

        >>> settings = RegistrySettings(mirrors={"registry.ollama.ai": "https://mirror.example"})
        >>> name, is_plain = settings.route(ModelName.parse("llama3.2:3b"))
        >>> str(name), is_plain
        ('mirror.example/library/llama3.2:3b', False)
        """
        mirrors = {registry_host(host): url for host, url in self.mirrors.items()}
        scheme, _, host = mirrors.get(registry_host(name.host), "").rstrip("/").partition("://")
        if not host or "/" in host:
            return name, self.allows_plain(name.host)
        return replace(name, host=host), scheme == "http" and self.allows_plain(host)


class Registry(Protocol):
    """All registries of a command, each asked by the host of a name; several threads may use it at once.

    Each method raises a ServerError that names the model and the host if the registry cannot be reached, rejects the
    request, or gives an invalid answer, and a UsageError if the configuration does not allow the host.
    """

    def resolve(self, name: ModelName) -> Manifest | None:
        """Return the manifest that a name has now; None if the registry has no such model or tag."""

    def manifest(self, name: ModelName, digest: str) -> Manifest | None:
        """Return the manifest of a model by its digest; None if the registry does not have it, or serves none so."""

    def read(self, name: ModelName, layer: Layer) -> bytes:
        """Return the bytes of the config or a small layer, which have its size and digest."""

    def has(self, name: ModelName, layer: Layer) -> bool:
        """Return whether the registry has a layer of a model, in its size."""

    def download(self, name: ModelName, layer: Layer, start: int, end: int, on_chunk: Callable[[bytes], None]) -> None:
        """Download a range of a layer; retries go on where the connection broke.

        Args:
            name: The model.
            layer: The layer.
            start: First byte.
            end: End of the range, after the last byte; at most the size of the layer.
            on_chunk: Called with the bytes, in order.
        """

    def upload(
        self,
        name: ModelName,
        layer: Layer,
        content: Path | bytes,
        on_sent: Callable[[int], None],
        *,
        mount_from: Sequence[ModelName] = (),
    ) -> None:
        """Upload a layer that the registry lacks, and check that it has it then.

        Args:
            name: The model.
            layer: The layer.
            content: Its bytes, or the file that has them.
            on_sent: Called with the number of bytes after each piece, negative if they must be sent again.
            mount_from: Models of the same registry that may have the layer, which is then mounted.
        """

    def publish(self, name: ModelName, manifest: str) -> Manifest:
        """Give a tag a manifest, whose layers the registry must have.

        Args:
            name: The model.
            manifest: The text of the manifest.
        """

    def tags(self, name: ModelName) -> tuple[str, ...] | None:
        """Return the tags of a model, sorted; None if the registry cannot list them."""

    def url(self, name: ModelName) -> str:
        """Return the URL of the registry that is asked for a name, without a path."""

    def interrupt(self) -> None:
        """End all requests that are under way in other threads, after Ctrl-C; new ones may follow."""
