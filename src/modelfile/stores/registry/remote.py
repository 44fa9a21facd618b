"""The registries of model names, over the network."""

from __future__ import annotations

import json
import os
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin

from modelfile.addresses import is_loopback_host
from modelfile.cache import read_entry, remove_entry, write_entry
from modelfile.errors import InputError, InvalidRegistryAnswer, UsageError, not_allowed
from modelfile.immutable import record, replace
from modelfile.manifest import MAX_MANIFEST, OCI_TYPE, Layer, Manifest, digest_of, is_digest, portable
from modelfile.names import ModelName, registry_host
from modelfile.stores.network.deadline import TIMEOUTS, Deadline, Timeouts
from modelfile.stores.network.retry import BACKOFF, Backoff
from modelfile.stores.protocol import RegistrySettings
from modelfile.stores.registry.quirks import Quirks, quirks_of

if TYPE_CHECKING:
    from modelfile.stores.registry.exchange import Answer, Exchange, Question

MAX_LAYER: Final = 8 << 20
"""Largest size of a small layer, in bytes."""
_CACHED: Final = "layers"
"""The kind of the cache's entries with small layers."""
_MOST_PAGES: Final = 100
"""Most pages of tags that are read."""
_MOST_TAGS: Final = 100_000
_LONGEST_LINK: Final = 4096
"""Longest path of a page of tags, in characters."""
_TAG: Final = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_OK: Final = 200
_STORED: Final = (200, 201, 202, 204)
_LISTS_NOTHING: Final = (400, 404, 405, 501)
"""Statuses of a registry that does not list tags, or does not have the model."""


@record(kw_only=True)
class _Endpoint:
    """The address of a model in its registry, or in the mirror of that."""

    url: str
    """The registry's URL, without a slash at its end."""
    host: str
    repository: str
    plain: bool
    loopback: bool
    quirks: Quirks


class RegistryClient:
    """Registries by the hosts of names; nothing is connected to before the first question."""

    def __init__(
        self,
        settings: RegistrySettings,
        *,
        environ: Mapping[str, str] | None = None,
        backoff: Backoff | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        """Connect to nothing yet.

        Args:
            settings: The registries that may be asked, and how.
            environ: The environment variables, for credentials; default: those of this process.
            backoff: The retry policy.
            timeouts: The time limits.
        """
        self._settings = settings
        self._allowed = None if settings.allowed is None else {*map(registry_host, settings.allowed)}
        self._mirrors = {registry_host(host): url for host, url in settings.mirrors.items()}
        self._environ = os.environ if environ is None else environ
        self._backoff = backoff or BACKOFF
        self._timeouts = timeouts or TIMEOUTS
        self._lock = Lock()
        self._exchange: Exchange | None = None

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            if self._exchange:
                self._exchange.close()

    def interrupt(self) -> None:
        """End all requests that are under way in other threads."""
        with self._lock:
            exchange = self._exchange
        if exchange:
            exchange.interrupt()

    def url(self, name: ModelName) -> str:
        """Return the URL that is asked for a name."""
        return self._endpoint(name, f"{name}").url

    def resolve(self, name: ModelName) -> Manifest | None:
        """Return the manifest of a tag."""
        return self._manifest(name, f"manifests/{name.tag}", f"the manifest of {name}")

    def manifest(self, name: ModelName, digest: str) -> Manifest | None:
        """Return a manifest by its digest."""
        what = f"the manifest {digest} of {name.untagged}"
        endpoint = self._endpoint(name, what)
        found = self._manifest(name, f"{endpoint.quirks.by_digest}/{digest}", what)
        if found and found.digest != digest:
            raise _invalid(what, endpoint.host, f"sends another manifest, {found.digest}")
        return found

    def read(self, name: ModelName, layer: Layer) -> bytes:
        """Return the bytes of a layer, from the cache if they are there."""
        what = f"the {layer.kind} of {name}"
        if layer.size > MAX_LAYER:
            raise _invalid(
                what, name.host, f"has {layer.size:,} bytes for it, more than the {MAX_LAYER:,} that are read"
            )
        if (content := cached_layer(layer)) is not None:
            return content
        answer, endpoint = self._ask(name, f"blobs/{layer.digest}", what, limit=layer.size, size=layer.size)
        if answer.status != _OK:
            raise self._rejected(answer, endpoint, what)
        if not _is(answer.body, layer):
            raise _invalid(what, endpoint.host, f"sends other bytes than those of {layer.digest}")
        write_entry(_CACHED, _key(layer), b64encode(answer.body).decode())
        return answer.body

    def tags(self, name: ModelName) -> tuple[str, ...] | None:
        """Return the tags of a model, of all pages."""
        what, found = f"the tags of {name.untagged}", set[str]()
        if not self._endpoint(name, what).quirks.lists_tags:
            return None
        path, deadline = "tags/list", Deadline(self._timeouts.answer)
        for _ in range(_MOST_PAGES):
            answer, endpoint = self._ask(name, path, what, limit=MAX_MANIFEST, deadline=deadline)
            if answer.status in _LISTS_NOTHING:
                from modelfile.stores.registry.refusals import codes_of

                return () if "NAME_UNKNOWN" in codes_of(answer.body) else None
            if answer.status != _OK:
                raise self._rejected(answer, endpoint, what)
            before = len(found)
            found |= _tags(answer.body, what, endpoint.host)
            following = answer.headers.get("Link", "")
            if 'rel="next"' not in following or not before < len(found) <= _MOST_TAGS:
                break  # a page without another tag has no end
            base = f"/v2/{endpoint.repository}/"
            target = urljoin(f"{base}{path}", following.partition("<")[2].partition(">")[0])
            if not target.startswith(f"{base}tags/list?") or len(target) > _LONGEST_LINK:
                raise _invalid(what, endpoint.host, "continues its list elsewhere")
            path = target.removeprefix(base)
        return tuple(sorted(found))

    def _manifest(self, name: ModelName, path: str, what: str) -> Manifest | None:
        accept = quirks_of(registry_host(name.host)).accept  # also of a mirror, which may pass it on
        answer, endpoint = self._ask(name, path, what, limit=MAX_MANIFEST, accept=accept)
        if answer.status != _OK:
            from modelfile.stores.registry.refusals import message_of

            said = message_of(answer.body)
            if any(answer.status == status and part in said for status, part in endpoint.quirks.absent):
                return None
            raise self._rejected(answer, endpoint, what)
        if answer.body.lstrip().startswith(b"<"):
            raise _invalid(what, endpoint.host, "answers with a web page")
        try:
            found = Manifest.parse(answer.body, what)
        except InputError as error:
            raise _invalid(what, endpoint.host, f"sends something else ({error.message})") from error
        stated = answer.headers.get("Docker-Content-Digest", "")
        if is_digest(stated) and stated != found.digest:
            raise _invalid(what, endpoint.host, f"sends other bytes than those of {stated}")
        return found

    def has(self, name: ModelName, layer: Layer) -> bool:
        """Return whether the registry has a layer."""
        what = f"the {layer.kind} of {name}"
        answer, endpoint = self._ask(name, f"blobs/{layer.digest}", what, method="HEAD")
        from modelfile.stores.registry.pushes import has_layer
        from modelfile.stores.registry.refusals import Refusals

        return has_layer(answer, layer, Refusals(what, endpoint.host))

    def download(self, name: ModelName, layer: Layer, start: int, end: int, on_chunk: Callable[[bytes], None]) -> None:
        """Receive the bytes [start, end) of a layer."""
        from modelfile.stores.registry.downloads import Download

        what = f"the {layer.kind} of {name}"
        question = self._question(self._endpoint(name, what), f"blobs/{layer.digest}", what, task="download")
        Download(self._opened(), question, layer, on_chunk).run(start, end)

    def upload(
        self,
        name: ModelName,
        layer: Layer,
        content: Path | bytes,
        on_sent: Callable[[int], None],
        *,
        mount_from: Sequence[ModelName] = (),
    ) -> None:
        """Give the registry of a name a layer, unless it has it."""
        from modelfile.stores.registry.pushes import Push

        what = f"the {layer.kind} of {name}"
        endpoint = self._endpoint(name, what, task="push")
        sources = {
            f"{source.namespace}/{source.model}"
            for source in mount_from
            if registry_host(source.host) == registry_host(name.host)
        }
        question = self._question(endpoint, "blobs/", what, task="push")
        Push(self._opened(), question, layer, content, on_sent).run(sorted(sources - {endpoint.repository}))

    def publish(self, name: ModelName, manifest: str) -> Manifest:
        """Give a tag the manifest of a model, without `from`, whose layers the registry has."""
        what, text = f"the manifest of {name}", portable(manifest)
        published, content = Manifest.parse(text, what), text.encode()
        endpoint = self._endpoint(name, what, task="push")
        media_type = json.loads(text).get("mediaType", OCI_TYPE)
        headers = {"Content-Type": media_type, "Content-Length": str(len(content))}
        question = self._question(endpoint, f"manifests/{name.tag}", what, task="push")
        question = replace(question, method="PUT", headers=headers, content=lambda: [content])
        answer = self._opened().get(question)
        if answer.status not in _STORED:
            raise self._rejected(answer, endpoint, what, task="push")
        stated = answer.headers.get("Docker-Content-Digest", "")
        if is_digest(stated) and stated != published.digest:
            raise _invalid(what, endpoint.host, f"has stored other bytes, {stated}")
        return published

    def _ask(
        self,
        name: ModelName,
        path: str,
        what: str,
        **details: Any,
    ) -> tuple[Answer, _Endpoint]:
        endpoint = self._endpoint(name, what)
        return self._opened().get(self._question(endpoint, path, what, **details)), endpoint

    def _question(self, endpoint: _Endpoint, path: str, what: str, **details: Any) -> Question:
        from modelfile.stores.registry.exchange import Question

        return Question(
            url=f"{endpoint.url}/v2/{endpoint.repository}/{path}",
            host=endpoint.host,
            repository=endpoint.repository,
            quirks=endpoint.quirks,
            plain=endpoint.plain,
            loopback=endpoint.loopback,
            what=what,
            **details,
        )

    def _rejected(self, answer: Answer, endpoint: _Endpoint, what: str, *, task: str = "read") -> Exception:
        from modelfile.stores.registry.refusals import Refusals

        return Refusals(what, endpoint.host, task=task).of_status(answer.status, answer.body, "", answer.retry_after)

    def _endpoint(self, name: ModelName, what: str, *, task: str = "read") -> _Endpoint:
        """Return the address of a model; a push goes to the registry itself, and not to its mirror.

        Raises:
            UsageError: The configuration does not allow its registry, or asks a mirror over plain http.
        """
        host = registry_host(name.host)
        if self._allowed is not None and host not in self._allowed:
            raise not_allowed(f"cannot {task} {what}", name.host, UsageError)
        repository = f"{name.namespace}/{name.model}"
        mirror = "" if task == "push" else self._mirrors.get(host, "")
        if mirror:
            scheme, _, rest = mirror.rstrip("/").partition("://")
            asked = rest.partition("/")[0].lower()
            plain = scheme == "http"
            if plain and not self._settings.allows_plain(asked):
                raise UsageError(
                    f"cannot read {what}: the mirror {mirror} is not encrypted",
                    hint=f"write https://, or list `{asked}` in `insecure-registries` of the configuration",
                )
            url = mirror.rstrip("/")
        else:
            asked = name.host.lower()
            plain = self._settings.allows_plain(asked)
            url = f"{'http' if plain else 'https'}://{asked}"
        return _Endpoint(
            url=url,
            host=asked,
            repository=repository,
            plain=plain,
            loopback=is_loopback_host(asked),
            quirks=quirks_of(asked),
        )

    def _opened(self) -> Exchange:
        with self._lock:
            if self._exchange is None:
                from importlib.metadata import version

                from modelfile.stores.registry.exchange import Exchange

                agent = f"modelfile/{version('modelfile')}"
                self._exchange = Exchange(self._environ, agent, self._backoff, self._timeouts)
            return self._exchange


def cached_layer(layer: Layer) -> bytes | None:
    """Return the bytes of a small layer from the user's cache; None if it does not have them."""
    value = read_entry(_CACHED, _key(layer))
    if value is None:
        return None
    try:
        content = b64decode(value, validate=True)
    except (ValueError, TypeError):
        content = b""
    if _is(content, layer):
        return content
    remove_entry(_CACHED, _key(layer))
    return None


def _is(content: bytes, layer: Layer) -> bool:
    return len(content) == layer.size and digest_of(content) == layer.digest


def _key(layer: Layer) -> str:
    return layer.digest.removeprefix("sha256:")


def _tags(body: bytes, what: str, host: str) -> set[str]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    tags = (value.get("tags") or []) if isinstance(value, dict) else None
    if not isinstance(tags, list) or not all(isinstance(tag, str) and _TAG.fullmatch(tag) for tag in tags):
        raise _invalid(what, host, "sends no list of tags")
    return {*tags}


def _invalid(what: str, host: str, reason: str) -> InvalidRegistryAnswer:
    hint = "is it a registry? A proxy or a login page may be in the way"
    return InvalidRegistryAnswer(f"cannot read {what}: {host} {reason}", hint=hint)
