"""Resolution of bases: from their registries, several at a time, or from an Ollama server where none has them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from datetime import UTC
from functools import partial
from typing import Any, Final

from modelfile.errors import (
    InputError,
    ModelfileError,
    NotFound,
    RegistryUnreachable,
    ServerError,
    ServerUnreachable,
    VerificationError,
)
from modelfile.events import Clock, Events, Progress, ignore
from modelfile.immutable import record, replace
from modelfile.lockfile.drift import describe_change
from modelfile.lockfile.lock import SERVER, Base
from modelfile.manifest import Layer, Manifest, digest_of
from modelfile.names import ModelName, shorten_digest
from modelfile.recipe.model import Model, fingerprint
from modelfile.stores.backups import pin_alias
from modelfile.stores.encoding import read_model
from modelfile.stores.protocol import Registry, Store, StoredModel, find_listed, missing_after
from modelfile.stores.uploads import pull_base, run_in_parallel

_THREADS: Final = 8
"""Bases that registries are asked for at the same time."""
_UPDATE: Final = "to build on what the tag has now, run `mf update`"


@record(kw_only=True)
class ResolvedBase:
    """A base as a registry or a server has it now."""

    base: Base
    model: Model
    quantization: str = ""
    """Type of the weights; empty if unknown."""


class Resolver:
    """Finds bases once, whichever Modelfiles are FROM them; a server that does not answer is asked only once."""

    def __init__(
        self,
        store: Store,
        registry: Registry | None = None,
        *,
        pull: bool = True,
        clock: Clock | None = None,
        events: Events = ignore,
    ) -> None:
        """Ask nothing yet.

        Args:
            store: The store of bases that no registry has.
            registry: The registries; None: only the store is asked.
            pull: Whether the store pulls a base that it does not have, if no registry is asked.
            clock: The clock for the time of resolution; default: this machine's.
            events: Receives progress.
        """
        self._store = store
        self._registry = registry
        self._pull = pull
        self._clock = clock or Clock()
        self._events = events
        self._unreachable: ServerUnreachable | None = None
        self._in_registry: dict[str, ResolvedBase | ModelfileError | None] = {}
        self._on_server: dict[str, ResolvedBase] = {}
        self._restored: dict[tuple[str, str], Model] = {}
        self.asked_server = False

    @contextlib.contextmanager
    def server(self) -> Iterator[Store]:
        """Use the store; one that once did not answer is not asked again.

        Raises:
            ServerUnreachable: It does not answer.
        """
        if self._unreachable:
            raise self._unreachable
        self.asked_server = True
        try:
            yield self._store
        except ServerUnreachable as error:
            self._unreachable = error
            raise

    def fetch(self, names: Iterable[ModelName]) -> None:
        """Ask the registries for bases, each once, and several at a time; `resolve` returns or raises the result."""
        wanted = {name.full.lower(): name for name in names}
        missing = [name for key, name in wanted.items() if key not in self._in_registry]
        if self._registry is None or not missing:
            return
        what = str(missing[0]) if len(missing) == 1 else f"{len(missing)} bases"
        self._events(Progress(status=f"asking for {what}"))
        try:
            run_in_parallel([partial(self._fetch, name, self._registry) for name in missing], _THREADS)
        except BaseException:
            self._registry.interrupt()
            raise

    def _fetch(self, name: ModelName, registry: Registry) -> None:
        try:
            found: ResolvedBase | ModelfileError | None = self._ask(name, registry)
        except RegistryUnreachable as error:
            hint = f"connect to it, or run `mf pin --from-server` to pin what the {self._store.location.noun} has"
            found = RegistryUnreachable(f"cannot pin base {name}: {error.message}", hint=hint)
        except InputError as error:
            found = InputError(f"cannot pin base {name}: {error.message}", hint=error.hint)
        except ModelfileError as error:
            found = error
        self._in_registry[name.full.lower()] = found

    def _ask(self, name: ModelName, registry: Registry) -> ResolvedBase | None:
        manifest = registry.resolve(name)
        if manifest is None:
            return None
        read = partial(registry.read, name)
        model = read_model(manifest, read)
        texts = {"config": _text(read(manifest.config), "the config")}
        for layer in manifest.layers:  # the last one of a kind, as Ollama shows it
            if layer.kind in ("params", "messages"):
                texts[layer.kind] = _text(read(layer), f"the layer `{layer.kind}`")
        base = Base(
            written=str(name),
            name=name.full,
            fingerprint=fingerprint(model),
            digest=manifest.digest,
            source=registry.url(name),
            resolved=self._now(),
            manifest=manifest.text,
            **texts,
        )
        return ResolvedBase(base=base, model=model, quantization=quantization_of(base))

    def _now(self) -> str:
        return self._clock.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def resolve(self, name: ModelName, *, from_server: bool = False) -> ResolvedBase:
        """Return a base as its registry has it now or, if no registry has it, as the server does.

        Args:
            name: Its name.
            from_server: Whether to ask no registry.

        Raises:
            ModelfileError: Neither has it, one of them cannot be asked, or the registry serves something else.
        """
        key = name.full.lower()
        if not from_server and (in_registry := self.find_in_registry(name)):
            return in_registry
        if key not in self._on_server:
            self._on_server[key] = self._find_on_server(name, from_server=from_server)
        return self._on_server[key]

    def find_in_registry(self, name: ModelName) -> ResolvedBase | None:
        """Return a base as its registry has it now; None if it does not.

        Raises:
            ModelfileError: It cannot be asked, or serves something else.
        """
        self.fetch([name])
        found = self._in_registry.get(name.full.lower())
        if isinstance(found, ModelfileError):
            raise found
        return found

    def _find_on_server(self, name: ModelName, *, from_server: bool) -> ResolvedBase:
        """Return a base from the server, which pulls it if no registry was asked."""
        elsewhere = f"in {self._registry.url(name)}" if self._registry and not from_server else ""
        try:
            with self.server() as store:
                found = store.find(name)
                if found is None and self._pull and not elsewhere:
                    pull_base(name, store, self._events)
                    found = store.find(name)
                    if found is None:
                        raise missing_after("pulled", name, store.location)
        except ServerUnreachable as error:
            if not elsewhere:
                raise
            hint = f"check its name and tag; if a server has it, {error.hint}"
            raise NotFound(f"base {name} not found {elsewhere}, and {error.message}", hint=hint) from error
        if found is None:
            where = f"{elsewhere} and {self._store.location.where}" if elsewhere else self._store.location.where
            hint = "check its name and tag" if elsewhere else "leave out --no-pull, to pull it"
            raise NotFound(f"base {name} not found {where}", hint=hint)
        base = Base(
            written=str(name),
            name=name.full,
            fingerprint=found.fingerprint,
            digest=found.digest,
            source=SERVER,
            resolved=self._now(),
        )
        return ResolvedBase(base=base, model=found.model, quantization=found.quantization)

    def restore(self, base: Base) -> Model:
        """Return the model of a base in the lock: from the lock and small layers, or from a server that still has it.

        Raises:
            ModelfileError: Neither has it, or the lock contradicts itself.
        """
        key = base.name, str(base.fingerprint)
        if key not in self._restored:
            self._restored[key] = self._restore(base)
        return self._restored[key]

    def architecture(self, base: Base) -> str:
        """Return the architecture of the weights of a base in the lock, by its config; empty if it does not say.

        Raises:
            ServerError: The config is neither in the lock nor in its registry.
        """
        if base.manifest is None:
            return ""
        manifest = Manifest.parse(base.manifest, "the manifest")
        config = json.loads(self._read(base, manifest.config))  # proved when the lock was read, or by its digest
        family = config.get("model_family") if isinstance(config, dict) else None
        return family if isinstance(family, str) else ""

    def _restore(self, base: Base) -> Model:
        if base.manifest is None:
            return self.find_locked(base).model
        try:
            model = read_model(Manifest.parse(base.manifest, "the manifest"), partial(self._read, base))
        except ServerError as error:
            with contextlib.suppress(ServerError, VerificationError):
                return self.find_locked(base).model
            raise error from None
        _check_fingerprint(base, model)
        return model

    def _read(self, base: Base, layer: Layer) -> bytes:
        if (content := _texts(base).get(layer.digest)) is not None:
            return content
        what = f"cannot read the {layer.kind} ({shorten_digest(layer.digest)}) of the locked base {base.written}"
        if self._registry is None:
            raise NotFound(f"{what}: no registry is asked")
        try:
            return self._registry.read(ModelName.parse(base.name), layer)
        except RegistryUnreachable as error:
            hint = "connect to the registry; what was read once is in the cache"
            raise RegistryUnreachable(f"{what}: {error.message}", hint=hint) from error
        except NotFound as error:
            raise NotFound(f"{what}: {error.message}", hint=_UPDATE) from error

    def find_locked(self, base: Base) -> StoredModel:
        """Return the model of a base in the lock from the server: of its tag, or of its pin alias if that has moved.

        Raises:
            ServerError: The server cannot answer, or does not have it.
            VerificationError: The server has another one.
        """
        name = ModelName.parse(base.name)
        with self.server() as store:
            found = store.find(name)
            if base.digest and (found is None or found.fingerprint != base.fingerprint):
                alias = store.find(pin_alias(name, base.digest))
                found = alias if alias and alias.fingerprint == base.fingerprint else found
        if found is None:
            raise NotFound(f"base {base.written} not found {self._store.location.where}", hint=_UPDATE)
        if found.fingerprint != base.fingerprint:
            what = f"{base.written} {self._store.location.where}"
            raise VerificationError(describe_change(what, str(base.fingerprint), found.fingerprint), hint=_UPDATE)
        return found

    def disagreements(self) -> Iterator[str]:
        """Yield the bases that were resolved from a registry and of which the server, if it was asked, has another."""
        found = [one for one in self._in_registry.values() if isinstance(one, ResolvedBase)]
        if not self.asked_server or self._unreachable or not found:
            return
        listed = self._store.list()
        for one in found:
            name = ModelName.parse(one.base.name)
            entry, here = find_listed(name, listed), self._store.find(name)
            if entry and here and here.fingerprint != one.base.fingerprint:
                day = entry.modified.astimezone(UTC).date()
                yield f"{name} {self._store.location.where}, of {day}, is older than what {one.base.source} has now"


class _UnknownLayerError(Exception):
    """A layer that is neither in the lock nor in the cache."""


def check_base(base: Base) -> Model | None:
    """Check that the fingerprint of a base in the lock is that of its manifest, if the lock and the cache can tell.

    Nobody is asked. Returns the model; None if it is not known.

    Raises:
        InputError: The lock contradicts itself.
    """
    from modelfile.stores.registry.remote import cached_layer  # which a base without a manifest does not need

    texts = _texts(base)

    def read(layer: Layer) -> bytes:
        content = texts.get(layer.digest)
        if content is None and (content := cached_layer(layer)) is None:
            raise _UnknownLayerError
        return content

    if base.manifest is None:
        return None
    try:
        model = read_model(Manifest.parse(base.manifest, "the manifest"), read)
    except _UnknownLayerError:
        return None
    _check_fingerprint(base, model)
    return model


def check_built_on(base: Base, model: Model) -> None:
    """Check that a model with the fingerprint of a base in the lock is that of its manifest, too.

    What a person reviews in a lock is the digest of the manifest; builds go by the fingerprint. Licenses are not
    compared, as the model has them joined.

    Raises:
        InputError: The lock contradicts itself.
    """
    if base.manifest is None:
        return
    texts = {_digest(text): text.encode("utf-8", "surrogatepass") for text in (model.template, model.system)}
    texts |= _texts(base)
    try:
        made = read_model(Manifest.parse(base.manifest, "the manifest"), lambda layer: texts.get(layer.digest, b""))
    except InputError:  # of several layers of parameters, the lock has the last
        return
    made = replace(made, license=model.license)
    if "\ufffd" in model.template + model.system:  # perhaps not UTF-8 in the layer
        made = replace(made, template=model.template, system=model.system)
    _check_fingerprint(base, made)


def _check_fingerprint(base: Base, model: Model) -> None:
    if (made := fingerprint(model)) != base.fingerprint:
        message = f"the lock contradicts itself: the manifest of {base.written} gives {shorten_digest(made)}"
        raise InputError(
            f"{message}, not {shorten_digest(str(base.fingerprint))}",
            hint="restore it from version control, or remove the entry and run `mf pin`",
        )


def _texts(base: Base) -> dict[str, bytes]:
    """Return the layers whose texts the lock has, by their digests."""
    texts = (base.config, base.params, base.messages)
    return {_digest(text): text.encode("utf-8", "surrogatepass") for text in texts if text is not None}


def is_same(previous: Base, now: Base) -> bool:
    """Return whether a base is as it was pinned; digests on servers and times differ for the same model."""
    digest = previous.digest if now.manifest is None else now.digest
    return replace(now, digest=digest, resolved=previous.resolved) == previous


def quantization_of(base: Base) -> str:
    """Return the type of the weights by the config of a base; empty if it does not say."""
    with contextlib.suppress(ValueError, RecursionError):
        config = json.loads(base.config or "{}")
        found: Any = config.get("file_type") if isinstance(config, dict) else None
        return found if isinstance(found, str) else ""
    return ""


def _text(content: bytes, what: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{what} is not UTF-8") from error


def _digest(text: str) -> str:

    return digest_of(text.encode("utf-8", "surrogatepass"))
