"""Manifests: the layers of a model, as a registry lists them (Docker's image manifest, schema 2; OCI's is the same).

The text that a registry served is kept exactly, so that its digest proves it.
"""

from __future__ import annotations

import hashlib
import json
import re
from functools import cached_property
from typing import Any, Final

from modelfile.errors import InputError
from modelfile.immutable import record

MAX_MANIFEST: Final = 4 << 20
"""Largest size of a manifest, in bytes: that of a model with 10,000 tensor layers has 2 MB."""
MEDIA_TYPE: Final = "application/vnd.docker.distribution.manifest.v2+json"
"""The media type that Ollama writes and asks for (store-facts, measured on 0.9.3)."""
CONFIG_TYPE: Final = "application/vnd.docker.container.image.v1+json"
LAYER_TYPE: Final = "application/vnd.ollama.image."
"""The start of the media type of each of Ollama's layers; its kind follows."""
OCI_TYPE: Final = "application/vnd.oci.image.manifest.v1+json"
"""The media type that a manifest has if it names none."""
_LISTS: Final = (
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.index.v1+json",
)
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_MEDIA_TYPE: Final = re.compile(r"[\w!#$&^.+-]{1,127}/[\w!#$&^.+-]{1,127}", re.ASCII)
SMALLEST_PART: Final = 100_000_000
"""Smallest part of a transfer, in bytes; a layer that is smaller is one part."""
_LARGEST_PART: Final = 1_000_000_000
_PARTS: Final = 16
"""Number of parts of a layer that is neither small nor very large."""
_LARGEST: Final = 2**63 - 1
"""Largest size of a layer that Ollama can read, in bytes."""
_FROM: Final = "from"
_EXACT: Final = "io.github.modelfile.manifest"
"""Annotation of an OCI manifest with the manifest of the store; skopeo finds no image in an archive whose manifest has
Docker's media type (1.9)."""
_OCI_CONFIG_TYPE: Final = "application/vnd.oci.image.config.v1+json"
_SHOWN: Final = 80
"""Characters of a bad value that an error shows."""


@record(kw_only=True)
class Layer:
    """A blob of a model, as its manifest names it."""

    media_type: str
    digest: str
    """`sha256:` and 64 hexadecimal digits."""
    size: int
    """In bytes, as the manifest has it."""

    @property
    def part_size(self) -> int:
        """Size of the parts in which Ollama transfers it, in bytes (server/download.go and upload.go, 0.9.3)."""
        return min(max(self.size // _PARTS, SMALLEST_PART), _LARGEST_PART)

    @property
    def kind(self) -> str:
        """The last word of Ollama's media types, as in `model`, `template` and `params`; `config` for the config."""
        kind = self.media_type.removeprefix(LAYER_TYPE)
        if kind != self.media_type:
            return kind
        return "config" if self.media_type.endswith(("container.image.v1+json", "image.config.v1+json")) else "unknown"


@record(kw_only=True, slots=False)
class Manifest:
    """A manifest of a model; two are equal if their texts are."""

    text: str
    """The exact text that a registry served."""
    config: Layer
    layers: tuple[Layer, ...]

    @cached_property
    def digest(self) -> str:
        """The digest (`sha256:…`) of the text."""
        return digest_of(self.text.encode())

    @property
    def blobs(self) -> tuple[Layer, ...]:
        """The config and the layers, all of which are blobs."""
        return (self.config, *self.layers)

    @property
    def size(self) -> int:
        """The sum of the sizes of all blobs in bytes, as `/api/tags` adds them up."""
        return sum(layer.size for layer in self.blobs)

    @classmethod
    def parse(cls, data: bytes | str, what: str) -> Manifest:
        """Parse a manifest.

        Args:
            data: Its exact text.
            what: What it is, for errors, as in `the manifest of llama3.2:3b`.

        Raises:
            InputError: It is not a manifest of a model; the message names `what` and the cause.
        """
        try:
            return _parse(data)
        except (ValueError, RecursionError) as error:
            reason = "it is nested too deeply" if isinstance(error, RecursionError) else _reason(error)
            raise InputError(f"{what} is invalid: {reason}") from error


def reduced(text: str) -> str:
    """Return a manifest as Ollama before 0.19 writes it after a pull: without whitespace and unknown keys.

    >>> print(reduced('{"layers": [], "schemaVersion": 2, "config": {"size": 1, "urls": []}}'))
    {"schemaVersion":2,"mediaType":"","config":{"mediaType":"","digest":"","size":1},"layers":[]}
    """
    value = json.loads(text)
    layers = value.get("layers")
    kept = None if layers is None else [_reduced(layer) for layer in layers]
    config = _reduced(value.get("config") or {})
    head = {"schemaVersion": value.get("schemaVersion", 0), "mediaType": value.get("mediaType", "")}
    return _encoded({**head, "config": config, "layers": kept})


def _reduced(layer: dict[str, Any]) -> dict[str, Any]:
    found = {"mediaType": layer.get("mediaType", ""), "digest": layer.get("digest", ""), "size": layer.get("size", 0)}
    return {**found, _FROM: layer[_FROM]} if layer.get(_FROM) else found


def _encoded(value: object) -> str:
    """Return JSON as Go writes it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return re.sub("[<>&\u2028\u2029]", lambda found: f"\\u{ord(found[0]):04x}", text)


def parent_of(manifest: Manifest) -> str:
    """Return the origin of the weights, as a server noted it in `from`: a model's name or a file; empty if none."""
    layers = json.loads(manifest.text).get("layers") or ()
    noted = [layer.get(_FROM) for layer in layers if layer.get("mediaType") == f"{LAYER_TYPE}model"]
    return noted[-1] if noted and isinstance(noted[-1], str) else ""  # as a server reads it: of several, the last


def portable(text: str) -> str:
    """Return a manifest without `from`, in which a server notes the layers' origin: a path of its own machine.

    A manifest that has none is returned to the byte. Another is written as Ollama writes it to registries (Go's
    `json.Marshal`, server/images.go, 0.9.3).

    >>> portable('{"config": {}, "layers": [{"size": 1, "from": "/home/me/.ollama"}]}')
    '{"config":{},"layers":[{"size":1}]}'
    """
    value = json.loads(text)
    layers = [value.get("config"), *(value.get("layers") or ())]
    if not [layer.pop(_FROM) for layer in layers if isinstance(layer, dict) and _FROM in layer]:
        return text
    return _encoded(value)


def as_oci(manifest: Manifest) -> bytes:
    """Return a manifest as OCI has it, with the exact one of the store in an annotation."""
    config, *layers = (
        {"mediaType": layer.media_type, "digest": layer.digest, "size": layer.size} for layer in manifest.blobs
    )
    config["mediaType"] = _OCI_CONFIG_TYPE
    head = {"schemaVersion": 2, "mediaType": OCI_TYPE, "config": config, "layers": layers}
    described = head | {"annotations": {_EXACT: manifest.text}}
    return json.dumps(described, separators=(",", ":"), ensure_ascii=False).encode()


def as_stored(manifest: Manifest, what: str) -> Manifest:
    """Return the manifest that a store gets: that of the annotation of `as_oci`, or the same if there is none.

    Raises:
        InputError: It is that of a container image, or its annotation is of another model.
    """
    types = [layer.media_type for layer in manifest.layers]
    if types and not any(one.startswith(LAYER_TYPE) for one in types):
        raise InputError(f"{what} is not that of a model, but of a container image: its layers are `{types[0]}`")
    annotations = json.loads(manifest.text).get("annotations")
    text = annotations.get(_EXACT) if isinstance(annotations, dict) else None
    if not isinstance(text, str):
        return manifest
    exact = Manifest.parse(text, what)
    if [(each.digest, each.size) for each in exact.blobs] != [(each.digest, each.size) for each in manifest.blobs]:
        raise InputError(f"{what} has other layers than its annotation {_EXACT}")
    return exact


def digest_of(content: bytes) -> str:
    """Return the digest of a blob or a manifest."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def is_digest(text: object) -> bool:
    """Return whether a value is a digest: `sha256:` and 64 lower-case hexadecimal digits."""
    return isinstance(text, str) and _DIGEST.fullmatch(text) is not None


def _reason(error: Exception) -> str:
    match error:
        case json.JSONDecodeError():
            return f"not JSON: {error.msg} at character {error.pos + 1:,}"
        case UnicodeError():
            return "not UTF-8"
        case _:
            return str(error)


def _parse(data: bytes | str) -> Manifest:
    content = data if isinstance(data, bytes) else data.encode()
    if len(content) > MAX_MANIFEST:
        raise ValueError(f"it is larger than {MAX_MANIFEST >> 20} MiB")
    text = content.decode()
    value = json.loads(text, parse_constant=_reject_constant, object_pairs_hook=_unique)
    if not isinstance(value, dict):
        raise ValueError("it is not an object")  # noqa: TRY004  # a ValueError, like all that is wrong with it
    media_type = value.get("mediaType", OCI_TYPE)  # which OCI leaves optional
    if media_type in _LISTS or "manifests" in value:
        raise ValueError("it is a list of images for several platforms, not a model")
    if media_type not in (MEDIA_TYPE, OCI_TYPE):
        raise ValueError(f"unknown media type {_shown(media_type)}")
    if (version := value.get("schemaVersion")) != 2:  # noqa: PLR2004  # the only one that has layers of digests
        raise ValueError(f"unknown schemaVersion {_shown(version)}")
    layers = value.get("layers")
    if not isinstance(layers, list | None):
        raise ValueError("its layers are not a list")  # noqa: TRY004  # a ValueError, as above
    read = (_layer(layer, f"layer {number}") for number, layer in enumerate(layers or (), start=1))
    return Manifest(text=text, config=_layer(value.get("config"), "its config"), layers=tuple(read))


def _layer(value: Any, what: str) -> Layer:
    if not isinstance(value, dict):
        raise ValueError(f"{what} is not an object")  # noqa: TRY004  # the same
    media_type, digest, size = (value.get(key) for key in ("mediaType", "digest", "size"))
    if not isinstance(media_type, str) or not _MEDIA_TYPE.fullmatch(media_type):
        raise ValueError(f"{what} has an invalid mediaType: {_shown(media_type)}")
    if not isinstance(digest, str) or not is_digest(digest):
        raise ValueError(f"{what} has an invalid digest: {_shown(digest)}")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= _LARGEST:
        raise ValueError(f"{what} has an invalid size: {_shown(size)}")
    return Layer(media_type=media_type, digest=digest, size=size)


def _shown(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _reject_constant(name: str) -> None:
    raise ValueError(f"not JSON: {name}")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object, and reject one with two values of a key: readers would differ in which counts."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"two values of {_shown(key)}")
        found[key] = value
    return found
