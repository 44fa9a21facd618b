"""Health of this machine for `mf`: programs, server, store, keys, cache and project, each examined by one function."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from modelfile.addresses import ServerAddress
from modelfile.cache import cache_folder, cache_problem
from modelfile.characters import escape_controls
from modelfile.errors import InputError, ModelfileError, ServerUnreachable
from modelfile.filesystem import format_size, home_folder
from modelfile.git import git_version
from modelfile.immutable import record
from modelfile.names import ModelName, registry_host
from modelfile.project.project import Project
from modelfile.stores.protocol import Store

if TYPE_CHECKING:
    from modelfile.catalog.versions import Version
    from modelfile.stores.disk.store import FolderStore

REGISTRY: Final = ServerAddress(scheme="https", host="registry.ollama.ai", port=443)
"""The registry that names without a host mean."""
_LOW_SPACE: Final = 5_000_000_000
"""Free space, in bytes, below which a build of a small model may fail."""
_MAX_VERSION: Final = 40
"""Most characters of a server's version that are shown."""
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_SERVICE_STORE: Final = Path("/usr/share/ollama/.ollama/models")
"""Store of a server that Ollama's installer for Linux has set up as a service (its docs/linux.md)."""


class Status(StrEnum):
    """The result of a check."""

    OK = "ok"
    SKIPPED = "skipped"
    """Not examined, for the reason in the message."""
    WARNING = "warning"
    """Works, but should be changed."""
    ERROR = "error"
    """Does not work."""


@record(kw_only=True)
class Check:
    """One examined part: what was found, and what to do about it."""

    name: str
    status: Status
    message: str
    hint: str | None = None


def diagnose(
    project: Project,
    open_server: Callable[[], AbstractContextManager[Store]],
    environ: Mapping[str, str],
    *,
    registry: ServerAddress | None = REGISTRY,
    folder: Path | None = None,
) -> Iterator[Check]:
    """Examine this machine, the server and a project; nothing is changed, and no key is read or returned.

    >>> import contextlib, modelfile
    >>> from modelfile.stores.memory import MemoryStore
    >>> server = contextlib.nullcontext(MemoryStore())
    >>> checks = modelfile.diagnose(modelfile.Project(), lambda: server, {}, registry=None)
    >>> [check.name for check in checks][:4]
    ['mf', 'python', 'system', 'git']

    Args:
        project: The project whose configuration and lock are read.
        open_server: Opens the store of the server.
        environ: The environment variables.
        registry: The registry to connect to; None to connect to none.
        folder: The folder of models that is used instead of the server, if there is one.

    Yields:
        The checks, in the order in which they are made.
    """
    yield from _programs()
    yield _guarded("configuration", lambda: _configuration(project))
    yield _guarded("lock", lambda: _lock(project))
    yield _guarded("cache", _cache)
    if folder:
        message = f"not asked: models are in {_shown(folder)}"
        yield Check(name="server", status=Status.SKIPPED, message=message)
        yield _guarded("store", lambda: _examine_folder(folder))
    else:
        yield from _server(open_server, environ)
    yield _guarded("registry", lambda: _registry(registry, project))
    yield _guarded("key file", _key_file)


def _guarded(name: str, examine: Callable[[], Check]) -> Check:
    """Return a check, or the error that kept it from being made, so that the others are made nevertheless."""
    try:
        return examine()
    except ModelfileError as error:
        return Check(name=name, status=Status.ERROR, message=error.message, hint=error.hint)
    except (OSError, RuntimeError) as error:  # RuntimeError: there is no home folder
        return Check(name=name, status=Status.ERROR, message=f"cannot be examined: {error}")


def _programs() -> Iterator[Check]:
    import platform
    from importlib.metadata import version

    found = {
        "mf": version("modelfile"),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }
    yield from (Check(name=name, status=Status.OK, message=text) for name, text in found.items())
    if git := git_version():
        yield Check(name="git", status=Status.OK, message=git)
    else:
        hint = "install git, so that folders are searched as git sees them"
        yield Check(name="git", status=Status.WARNING, message="not found", hint=hint)


def _configuration(project: Project) -> Check:
    file = project.config.file
    errors = [*project.errors()]
    if errors:
        others = f"{len(errors) - 1} more" if errors[1:] else ""
        hint = "; ".join(filter(None, [errors[0].hint, others and f"`mf lint` also reports {others}"]))
        return Check(name="configuration", status=Status.ERROR, message=errors[0].message, hint=hint or None)
    message = _shown(file) if file else "no file, only defaults"
    return Check(name="configuration", status=Status.OK, message=message)


def _lock(project: Project) -> Check:
    lock = project.find_lock(project.start)
    if lock is None:
        return Check(name="lock", status=Status.OK, message="no mf.lock")
    count = len(lock.lock.modelfiles)
    message = f"{_shown(lock.path)} with {count} Modelfile{'s' * (count != 1)}"
    if lock.newer:
        hint = "upgrade mf; this version ignores what it does not know"
        return Check(name="lock", status=Status.WARNING, message=f"{message}, in a newer format", hint=hint)
    return Check(name="lock", status=Status.OK, message=message)


def _cache() -> Check:
    folder = cache_folder()
    if folder is None:
        hint = "remove it, run `chmod 700` on it, or set MF_CACHE_DIR to a folder of your own"
        return Check(name="cache", status=Status.WARNING, message=f"not used: {cache_problem()}", hint=hint)
    files = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    message = f"{_shown(folder)} with {len(files)} files, {sum(files) / 1e6:.1f} MB"
    return Check(name="cache", status=Status.OK, message=message)


def _server(open_server: Callable[[], AbstractContextManager[Store]], environ: Mapping[str, str]) -> Iterator[Check]:
    try:
        with open_server() as store:
            location = str(store.location)
            yield _api_key(environ, location)
            yield _guarded("store", lambda: _store_folder(location, environ))
            yield from _versions(store.ollama, location)
    except ModelfileError as error:
        yield Check(name="server", status=Status.ERROR, message=error.message, hint=error.hint)


def _versions(text: str, location: str) -> Iterator[Check]:
    from modelfile.catalog.versions import NEWEST, release

    version = release(text)
    shown = text if len(text) <= _MAX_VERSION else f"{text[:_MAX_VERSION]}…"
    message = f"Ollama {escape_controls(shown)} at {location}"
    if version is None:
        hint = "its vulnerabilities are unknown: install a release of Ollama"
        yield Check(name="server", status=Status.WARNING, message=f"{message}, not a release", hint=hint)
        return
    newer = f", newer than {NEWEST}, the newest that this mf knows" if version > NEWEST else ""
    yield Check(name="server", status=Status.OK, message=message + newer)
    yield from _vulnerabilities(version)


def _vulnerabilities(version: Version) -> Iterator[Check]:
    from modelfile.catalog.vulnerabilities import vulnerabilities_of

    found = vulnerabilities_of(version)
    for item in found:
        hint = f"update Ollama to {item.fixed} or later; see {item.source}"
        yield Check(name=item.cve, status=Status.WARNING, message=item.effect, hint=hint)
    if not found:
        yield Check(name="vulnerabilities", status=Status.OK, message="none known of this version")


def _is_local(location: str) -> bool:
    try:
        return ServerAddress.from_url(location).is_loopback
    except ValueError:
        return False


def _store_folder(location: str, environ: Mapping[str, str]) -> Check:
    """Examine the folder of the server's models, as envconfig/config.go of Ollama finds it (0.32)."""
    name = "store"
    if not _is_local(location):
        return Check(name=name, status=Status.SKIPPED, message=f"{location} is on another machine")
    configured = environ.get("OLLAMA_MODELS", "").strip(" \"'")
    home = home_folder()
    defaults = [*([home / ".ollama" / "models"] if home else []), _SERVICE_STORE]
    folders = [Path(configured)] if configured else defaults
    folder = next((path for path in folders if path.is_dir()), None)
    if folder is None:
        hint = "set OLLAMA_MODELS as it is set for the server, to have the folder examined"
        missing = " or ".join(map(_shown, folders))
        return Check(name=name, status=Status.SKIPPED, message=f"no folder {missing}", hint=hint)
    try:
        return _examine_folder(folder)
    except InputError as error:  # the server may be able to read it
        return Check(name=name, status=Status.SKIPPED, message=error.message, hint=error.hint)


def _examine_folder(folder: Path) -> Check:
    """Examine a folder of models: its size, its owner, and what it cannot read.

    Raises:
        InputError: It is no store, or cannot be read.
    """
    from modelfile.stores.disk.layout import reject_foreign
    from modelfile.stores.open import open_folder

    name, warnings = "store", list[str]()
    if not folder.exists():
        hint = "a build or a pull creates it; check --store, MF_STORE and `store` in the configuration"
        return Check(name=name, status=Status.WARNING, message=f"no folder {_shown(folder)}", hint=hint)
    with open_folder(folder, create=False, missing_ok=True, on_warning=warnings.append) as store:
        count = len(models := store.list())
        used = sum(path.stat().st_size for _, path in store.layout.blobs() if path.exists())
        writer = f", the newest by {_writer(store, models[0].name)}" if models else ""
    free = shutil.disk_usage(folder).free
    message = (
        f"{_shown(folder)}, {count} model{'s' * (count != 1)}{writer}, {format_size(used)}, {format_size(free)} free"
    )
    if warnings:
        hint = "run `mf store check`"
        return Check(name=name, status=Status.WARNING, message=f"{message}; {warnings[0]}", hint=hint)
    try:
        if (folder / "blobs").exists():
            reject_foreign(folder)
    except InputError as error:
        return Check(name=name, status=Status.WARNING, message=f"{message}; {error.message}", hint=error.hint)
    if free < _LOW_SPACE:
        hint = "free some disk space, for example with `mf rm`"
        return Check(name=name, status=Status.WARNING, message=message, hint=hint)
    return Check(name=name, status=Status.OK, message=message)


def _writer(store: FolderStore, name: ModelName) -> str:
    """Return the versions of Ollama that may have created a model: until 0.32.6, its config names all layers."""
    manifest = store.manifest(name)
    content = store.blobs.read(manifest.config) if manifest else b""
    before = b'"rootfs"' in content
    return f"Ollama {'before' if before else 'since'} 0.32.7"


def _registry(address: ServerAddress | None, project: Project) -> Check:
    from modelfile.stores.open import reach

    if address is None:
        return Check(name="registry", status=Status.SKIPPED, message="--offline was passed")
    with suppress(ModelfileError):  # which the check of the configuration reports
        config = project.config
        if config.registries is not None and address.host not in map(registry_host, config.registries):
            message = f"registry not allowed: `{address.host}`"
            return Check(name="registry", status=Status.SKIPPED, message=message)
        if mirror := {registry_host(host): url for host, url in config.mirrors.items()}.get(address.host):
            address = ServerAddress.parse(mirror)
    try:
        reach(address)
    except ServerUnreachable:
        hint = "pulls and `mf pin` need it: check the network, and set HTTPS_PROXY behind a proxy"
        return Check(name="registry", status=Status.WARNING, message=f"{address.host} does not answer", hint=hint)
    return Check(name="registry", status=Status.OK, message=f"{address.host} answers")


def _api_key(environ: Mapping[str, str], location: str) -> Check:
    name = "OLLAMA_API_KEY"
    if not environ.get(name, "").strip():
        return Check(name=name, status=Status.OK, message="not set")
    if location.startswith("https://") or _is_local(location):
        return Check(name=name, status=Status.OK, message=f"set; sent to {location}")
    hint = "use https, so that the key can be sent"
    return Check(name=name, status=Status.WARNING, message=f"set, but not sent to {location}", hint=hint)


def _key_file() -> Check:
    home, name = home_folder(), "key file"
    if home is None:
        return Check(name=name, status=Status.SKIPPED, message="there is no home folder")
    path = home / ".ollama" / "id_ed25519"
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return Check(name=name, status=Status.OK, message=f"no {_shown(path)}; Ollama creates it")
    if os.name == "posix" and mode & _OTHERS:
        message = f"other users can read {_shown(path)}"
        return Check(name=name, status=Status.WARNING, message=message, hint=f"run `chmod 600 {_shown(path)}`")
    return Check(name=name, status=Status.OK, message=_shown(path))


def _shown(path: Path) -> str:
    """Return a path with `~` for the home folder, so that a bug report does not contain the user's name."""
    home = home_folder()
    return f"~/{path.relative_to(home).as_posix()}" if home and path.is_relative_to(home) else str(path)
