"""Open a store by its address."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from modelfile.addresses import ServerAddress
from modelfile.errors import ServerError, ServerUnreachable
from modelfile.names import ModelName
from modelfile.stores.network.deadline import TIMEOUTS, Timeouts
from modelfile.stores.network.retry import BACKOFF, Backoff
from modelfile.stores.protocol import Registry, RegistrySettings, Store

if TYPE_CHECKING:
    from modelfile.stores.disk.store import FolderStore
    from modelfile.stores.ollama.store import Placer

_PROBE: Final = Timeouts(first=5, connect=5, answer=5)


@contextmanager
def open_store(  # noqa: PLR0913  # each is a choice of its own
    address: ServerAddress,
    *,
    key: str = "",
    withheld: str = "",
    backoff: Backoff | None = None,
    timeouts: Timeouts | None = None,
    on_warning: Callable[[str], None] = lambda _: None,
    route: Callable[[ModelName], tuple[ModelName, bool]] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Iterator[Store]:
    """Open the store of an Ollama server; no request is sent yet.

    >>> import modelfile
    >>> with modelfile.open_store(modelfile.ServerAddress.parse("gpu-1:8080")) as store:
    ...     print(store.location)
    http://gpu-1:8080

    Args:
        address: The address of the server; `ServerAddress.parse` takes what OLLAMA_HOST takes.
        key: The bearer token for a proxy before the server; sent over https and to loopback only.
        withheld: Why the key is not sent to this server, and what to do; default: it is sent.
        backoff: The retry policy (default: BACKOFF).
        timeouts: The timeouts of requests (default: TIMEOUTS).
        on_warning: Called with warnings, such as invalid names in the server's list, which are ignored.
        route: Returns the name that the server is to pull a model by, and whether over plain http, as
            `RegistrySettings.route` does; default: its own, over plain http from the server's own machine only.
        environ: The environment variables; OLLAMA_MODELS may name the folder of a server on this machine, into which
            weights are put without sending them; default: those of this process.

    Raises:
        UsageError: The key is invalid.
    """
    from modelfile.stores.ollama.client import Client  # which a folder does not need
    from modelfile.stores.ollama.store import ServerStore
    from modelfile.stores.ollama.transport import Transport

    transport = Transport(
        address, key=key, withheld=withheld, backoff=backoff or BACKOFF, timeouts=timeouts or TIMEOUTS
    )
    with Client(transport) as client, ExitStack() as opened:
        yield ServerStore(client, on_warning, route=route, find_placer=_finder(address, environ, opened))


def _finder(
    address: ServerAddress, environ: Mapping[str, str] | None, opened: ExitStack
) -> Callable[[Callable[[str], bool]], Placer | None]:
    """Return the function that looks for the folder of a server; it finds none unless the server is on this machine."""

    def find(has_blob: Callable[[str], bool]) -> Placer | None:
        if not address.is_loopback:
            return None
        from modelfile.stores.disk.placement import find_blobs, folders_of_servers

        blobs = find_blobs(folders_of_servers(os.environ if environ is None else environ), has_blob)
        return opened.enter_context(closing(blobs)) if blobs else None

    return find


@contextmanager
def open_registry(
    settings: RegistrySettings | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    backoff: Backoff | None = None,
    timeouts: Timeouts | None = None,
) -> Iterator[Registry]:
    """Open the registries of model names; no request is sent yet.

    >>> import modelfile
    >>> from modelfile.names import ModelName
    >>> with modelfile.open_registry() as registry:
    ...     print(registry.url(ModelName.parse("hf.co/team/model")))
    https://hf.co

    Args:
        settings: The registries that may be asked, and how; default: any, over https.
        environ: The environment variables, for credentials; default: those of this process.
        backoff: The retry policy (default: BACKOFF).
        timeouts: The timeouts of requests (default: TIMEOUTS).
    """
    from modelfile.stores.registry.remote import RegistryClient  # which a listing does not need

    client = RegistryClient(
        settings or RegistrySettings(), environ=environ, backoff=backoff or BACKOFF, timeouts=timeouts
    )
    with closing(client):
        yield client


@contextmanager
def open_folder(
    path: Path,
    *,
    ollama: str = "",
    registry: Registry | None = None,
    create: bool = True,
    missing_ok: bool = False,
    on_warning: Callable[[str], None] = lambda _: None,
) -> Iterator[FolderStore]:
    """Open a folder of models as a store; no server is needed, and one may run on it.

    >>> import tempfile
    >>> import modelfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder, modelfile.open_folder(Path(folder)) as store:
    ...     print(store.list(), store.ollama)
    () 0.24.0

    Args:
        path: The folder, as that of OLLAMA_MODELS.
        ollama: The version of Ollama whose bytes are written (default: 0.24.0, the newest that leaves weights as they
            are).
        registry: The registries to pull from and push to.
        create: Whether the store is to be written to: a folder that is empty or does not exist becomes a store, and
            what killed processes left is removed.
        missing_ok: Whether a folder that is empty or does not exist counts as a store without models.
        on_warning: Called with warnings, such as damaged manifests, which are ignored.

    Raises:
        InputError: The folder is no store, cannot be read, or belongs to another user.
    """
    from modelfile.stores.disk.layout import open_layout
    from modelfile.stores.disk.store import FolderStore

    layout = open_layout(path, create=create, missing_ok=missing_ok)
    store = FolderStore(layout, ollama=ollama, registry=registry, on_warning=on_warning)
    if create:
        store.tidy()
    with closing(store.blobs):
        yield store


def reach(address: ServerAddress) -> None:
    """Check that a registry answers at an address, once and without a key; any answer counts.

    Raises:
        ServerUnreachable: Nothing answers within a few seconds.
    """
    from modelfile.stores.ollama.transport import Transport

    with closing(Transport(address, backoff=Backoff(tries=1), timeouts=_PROBE)) as transport:
        try:
            transport.ask("GET", "/v2/", missing_ok=True)
        except ServerUnreachable:
            raise
        except ServerError:  # an answer, though not one of Ollama's
            return
