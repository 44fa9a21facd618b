"""The server or the folder of models that the options of a command select, and how it is opened."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack
from contextvars import ContextVar
from enum import Enum, auto
from functools import partial
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Final, TypeAlias

from modelfile.cli.options import load_project, open_registry, registry_settings, timeouts
from modelfile.errors import InputError, ServerUnreachable, UsageError
from modelfile.report.terminal import current

if TYPE_CHECKING:  # 20 ms that commands on stored models do not need
    from modelfile.addresses import ServerAddress
    from modelfile.project.config import Config
    from modelfile.stores.disk.store import FolderStore
    from modelfile.stores.protocol import Store

OpenStore: TypeAlias = "Callable[[ServerAddress], AbstractContextManager[Store]]"
"""Function that opens the store of a server."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")

Location: TypeAlias = "ServerAddress | Path"
"""The server, or the absolute path of the folder, that a command works on."""


def _open_server(address: ServerAddress, *, withheld: str = "") -> AbstractContextManager[Store]:
    from modelfile.stores.open import open_store

    terminal = current.get()
    key = terminal.environ.get("OLLAMA_API_KEY", "")
    return open_store(
        address,
        key=key,
        withheld=withheld,
        timeouts=timeouts(),
        on_warning=terminal.print_warning,
        route=lambda name: registry_settings(load_project().config).route(name),
    )


opener: Final[ContextVar[OpenStore]] = ContextVar("opener", default=_open_server)
"""Function that opens stores in this run; `modelfile.cli.app.main` may set another."""


def address_of(host: str | None) -> ServerAddress:
    """Return the address of a server, by default from OLLAMA_HOST; warn about a port that Ollama ignores.

    Raises:
        UsageError: The address is not valid.
    """
    from modelfile.addresses import ServerAddress

    terminal = current.get()
    text = terminal.environ.get("OLLAMA_HOST", "") if host is None else host
    return ServerAddress.parse(text, terminal.print_warning)


class Use(Enum):
    """The use of a store by a command, which decides on the folders that it may have."""

    READ = auto()
    """It reads: if nobody names a store and no server answers, the folder of the server will do."""
    PLAN = auto()
    """It shows what it would do: a folder may be empty or missing."""
    CHANGE = auto()
    """It changes models that are there."""
    CREATE = auto()
    """It adds models: an empty or missing folder becomes a store."""


def location_of(host: str | None, store: str | None, config: Config | None = None) -> Location:
    """Return the server or the folder that a command works on.

    Options win over MF_STORE, this over OLLAMA_HOST, and this over `store` in the configuration.

    Args:
        host: The address of --host.
        store: The folder of --store.
        config: The configuration; default: that of the current folder, which is read if it may decide.

    Raises:
        UsageError: Both options are given, or the address is not valid.
    """
    if host is not None:
        if store is not None:
            raise UsageError("--host and --store cannot be used together", hint="pass only one of them")
        current.get().location = f"--host {quote(host)}"
        return address_of(host)
    folder = _folder_named(store)
    if folder is None and not current.get().environ.get("OLLAMA_HOST"):
        folder = (config or _configuration()).store_folder
    return folder or address_of(None)


def folder_of(store: str | None, use: Use) -> Path:
    """Return the folder that `store:` means, or a command for folders only.

    It is that of --store, MF_STORE, or `store` in the configuration; to read, otherwise that of the server.

    Raises:
        UsageError: There is none.
    """
    folder = _folder_named(store) or _configuration().store_folder
    if folder is None and use is Use.READ and (of_server := _folder_of_server()) and of_server.is_dir():
        return of_server
    if folder is None:
        raise UsageError("no folder of models was named", hint="pass `--store DIR`, or set MF_STORE")
    return folder


def _folder_named(store: str | None) -> Path | None:
    """Return the folder of --store, or else of MF_STORE."""
    from modelfile.filesystem import expand

    text, hint = (
        (current.get().environ.get("MF_STORE", "") if store is None else store).strip(),
        "write `--store models`",
    )
    if store is not None and not text:
        raise UsageError("--store needs the path of a folder", hint=hint)
    if _CONTROL.search(text):
        raise UsageError(f"{'MF_STORE' if store is None else '--store'} has a control character", hint=hint)
    if store is not None:
        current.get().location = f"--store {quote(text)}"
    return expand(text, Path.cwd()) if text else None


def _folder_of_server() -> Path | None:
    from modelfile.stores.disk.layout import models_folder

    return models_folder(current.get().environ)


def _configuration() -> Config:
    """Return the configuration of the current folder; a project costs 20 ms more."""
    from modelfile.project.config import Config, find_config, load_config

    path = find_config(Path())
    return load_config(path) if path else Config()


def names_of(names: Iterable[str], host: str | None, store: str | None) -> list[str]:
    """Return the names of models in arguments of a command for one store, without `model:` or `store:`.

    Raises:
        UsageError: One has another prefix, or `store:`, and the command works on a server.
    """
    from modelfile.names import name_on_server

    in_folder = isinstance(location_of(host, store), Path)
    return [name_on_server(name, in_folder=in_folder) for name in names]


def open_store(
    host: str | None,
    store: str | None = None,
    *,
    use: Use = Use.CHANGE,
    ollama: str = "",
    config: Config | None = None,
) -> AbstractContextManager[Store]:
    """Open the store of a server or of a folder: see `location_of`.

    A folder is opened when it is needed.

    Args:
        host: The address of --host.
        store: The folder of --store.
        use: What is done with it.
        ollama: The version of --ollama, for a folder.
        config: The configuration; default: that of the current folder, which is read if it may decide.

    Raises:
        UsageError: Both options are given, the address is not valid, or a version is given for a server.
    """
    location = location_of(host, store, config)
    if use is Use.READ and host is None and not ollama and location == _default_address():
        return _open_default(location)
    if isinstance(location, Path):
        return _open_folder_when_used(location, use, ollama)
    return open_at(location, use=use, ollama=ollama)


def open_at(location: Location, *, use: Use = Use.CHANGE, ollama: str = "") -> AbstractContextManager[Store]:
    """Open the store at a location.

    Raises:
        UsageError: A version is given for a server.
        InputError: The folder is no store that can be used.
    """
    if isinstance(location, Path):
        return open_folder(location, use=use, ollama=ollama)
    if ollama:
        raise UsageError("--ollama can be used with a folder only", hint="pass `--store DIR`, or leave it out")
    return opener.get()(location)


def _default_address() -> ServerAddress:
    from modelfile.addresses import ServerAddress

    return ServerAddress.parse("")


@contextlib.contextmanager
def open_folder(folder: Path, *, use: Use, ollama: str = "") -> Iterator[FolderStore]:
    """Open a folder of models; registries are opened when they are needed.

    Args:
        folder: The folder.
        use: What is done with it.
        ollama: The version of Ollama that it is written for; default: that of the configuration.

    Raises:
        UsageError: The version is not one of Ollama's.
        InputError: The folder is no store that can be used.
    """
    from modelfile.stores.lazy import lazy
    from modelfile.stores.open import open_folder as open_path

    with ExitStack() as closing:
        registry = lazy(lambda: closing.enter_context(open_registry(load_project().config)))
        store = open_path(
            folder,
            ollama=_ollama_of(ollama or _configuration().ollama),
            registry=registry,
            create=use is Use.CREATE,
            missing_ok=use is Use.PLAN,
            on_warning=current.get().print_warning,
        )
        yield closing.enter_context(store)


def open_named_folder(store: str | None, use: Use) -> AbstractContextManager[FolderStore]:
    """Open the folder that the commands of `mf store` work on: see `folder_of`."""
    return open_folder(folder_of(store, Use.READ), use=use)


@contextlib.contextmanager
def _open_folder_when_used(folder: Path, use: Use, ollama: str) -> Iterator[Store]:
    """Open a folder only if it is needed: it may be missing where two Modelfiles are compared."""
    from modelfile.stores.lazy import lazy
    from modelfile.stores.protocol import StoreLocation

    with ExitStack() as closing:
        yield lazy(
            lambda: closing.enter_context(open_folder(folder, use=use, ollama=ollama)),
            location=StoreLocation(url=str(folder)),
        )


@contextlib.contextmanager
def open_prefixed(store: str | None) -> Iterator[Store]:
    """Open the folder that `store:` means, to read it, if it is needed."""
    from modelfile.stores.lazy import lazy

    with ExitStack() as closing:
        yield lazy(lambda: closing.enter_context(open_named_folder(store, Use.READ)))


def _ollama_of(version: str | None) -> str:
    """Return a version of Ollama in the notation of servers; empty for none."""
    from modelfile.catalog.versions import Version

    try:
        return str(Version.parse(version)) if version else ""
    except ValueError as error:
        raise UsageError(str(error), hint="write a version as in `--ollama 0.24.0`") from None


@contextlib.contextmanager
def _open_default(address: ServerAddress) -> Iterator[Store]:
    """Open the server at the default address or, if none answers, the folder that it would use; ask when needed."""
    from modelfile.stores.lazy import first_to_answer, lazy

    terminal = current.get()

    def read_folder(closing: ExitStack, error: ServerUnreachable) -> Store | None:
        if folder := _folder_of_server():
            with contextlib.suppress(InputError):
                store = closing.enter_context(open_folder(folder, use=Use.READ))
                terminal.print_note(f"{error.message}: reading the models in {folder}")
                return store
        return None

    with ExitStack() as closing:
        server = closing.enter_context(opener.get()(address))
        yield lazy(lambda: first_to_answer(server, partial(read_folder, closing)))


def open_planned(location: Location, *, use: Use, ollama: str = "") -> AbstractContextManager[Store]:
    """Open a store that only a plan names, as far as that is safe, or that the user has configured, too.

    The key is not sent to another server than that of the user, and no other folder becomes a store.

    Raises:
        InputError: The folder is no store that can be used.
    """
    if isinstance(location, Path):
        return _open_planned_folder(location, use=use, ollama=ollama)
    from modelfile.addresses import ServerAddress

    opened, configured = opener.get(), None
    with contextlib.suppress(UsageError):  # an invalid address is nobody's
        configured = ServerAddress.parse(current.get().environ.get("OLLAMA_HOST", ""))
    if opened is not _open_server or location == configured:
        return open_at(location, ollama=ollama)
    return _open_server(location, withheld=f"only the plan names this server: pass `--host {location}` to confirm it")


@contextlib.contextmanager
def _open_planned_folder(folder: Path, *, use: Use, ollama: str) -> Iterator[Store]:
    from modelfile.stores.disk.layout import open_layout

    if folder != location_of(None, None):
        try:
            open_layout(folder, create=False)
        except InputError as error:
            hint = f"only the plan names this folder: pass `--store {quote(str(folder))}` to confirm it"
            raise InputError(error.message, hint=hint) from error
    with open_folder(folder, use=use, ollama=ollama) as store:
        yield store
