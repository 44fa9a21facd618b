"""The values of a fake Ollama server: names, layers, manifests, and Go's ways of writing them.

All of it was measured on Ollama 0.9.3, or read in its source where that is named.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

DEFAULT_HOST: Final = "registry.ollama.ai"

IMAGE: Final = "application/vnd.ollama.image."
"""The prefix of the media types of layers."""

_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
_NAME: Final = re.compile(
    r"(?:https?://)?(?:(?:(?P<host>\w[\w.:-]{0,349})/)?(?P<namespace>\w[\w-]{0,79})/)?"
    r"(?P<model>\w[\w.-]{0,79})(?::(?P<tag>\w[\w.-]{0,79}))?",
    re.ASCII,
)
_LETTERS: Final = dict(zip("\a\b\f\n\r\t\v", "abfnrtv", strict=True)) | {'"': '"', "\\": "\\"}


@dataclass(frozen=True, slots=True)
class Failure:
    """An error in a stream, with the HTTP status that it has where it can still be one."""

    error: str
    status: int | None = None


class Refused(Exception):
    """A request answered by a status and an error, before any stream."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error


@dataclass(frozen=True, slots=True)
class Behavior:
    """The behavior of one version of Ollama, as measured on 0.9.3, 0.24.0 and 0.33.0-rc2."""

    version: tuple[int, ...]

    @classmethod
    def of(cls, version: str) -> Behavior:
        """Read `0.33.0` and `0.33.0-rc2-head` alike."""
        return cls(tuple(int(part) for part in re.findall(r"\d+", version)[:3]))

    @property
    def goes_on_after_errors(self) -> bool:
        """True if a stream always answers 200, and goes on after the error of a base that cannot be pulled."""
        return self.version < (0, 24)

    @property
    def takes_renderers(self) -> bool:
        """True if create knows `renderer`, `parser` and `requires`."""
        return self.version >= (0, 24)

    @property
    def keeps_pulled_bytes(self) -> bool:
        """True if a pulled manifest is stored as the registry has it."""
        return self.version >= (0, 19)

    @property
    def rewrites_weights(self) -> bool:
        """True if weights from a file go through llama-quantize."""
        return self.version >= (0, 30)

    @property
    def writes_rootfs(self) -> bool:
        """True if the config names the layers."""
        return self.version < (0, 32, 10)

    @property
    def lists_capabilities(self) -> bool:
        """True if /api/tags returns parents and capabilities."""
        return self.version >= (0, 33)


@dataclass(frozen=True, slots=True)
class Name:
    """A model's name, every part there (types/model/name.go)."""

    host: str
    namespace: str
    model: str
    tag: str

    @classmethod
    def parse(cls, text: str) -> Name | None:
        """Read a name; None if Ollama rejects it."""
        if (found := _NAME.fullmatch(text)) is None:
            return None
        host, namespace, model, tag = found.groups()
        return cls(host or DEFAULT_HOST, namespace or "library", model, tag or "latest")

    @property
    def shown(self) -> str:
        """The shortest form that Ollama shows (DisplayShortest), and the key of every mapping here."""
        if self.host != DEFAULT_HOST:
            return f"{self.host}/{self.namespace}/{self.model}:{self.tag}"
        return (
            f"{self.model}:{self.tag}" if self.namespace == "library" else f"{self.namespace}/{self.model}:{self.tag}"
        )


@dataclass(frozen=True, slots=True)
class Layer:
    """One entry of a manifest, and the status that create reports for it."""

    media: str
    digest: str
    size: int
    source: str = ""
    status: str = ""

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Layer:
        """Read an entry of a manifest."""
        return cls(entry["mediaType"], entry["digest"], entry["size"], entry.get("from", ""))

    @property
    def entry(self) -> dict[str, Any]:
        """The entry in a manifest."""
        entry = {"mediaType": self.media, "digest": self.digest, "size": self.size}
        return entry | ({"from": self.source} if self.source else {})


@dataclass(frozen=True, slots=True)
class Model:
    """A manifest in the store."""

    manifest: bytes
    modified: str

    @property
    def digest(self) -> str:
        """The sha256 of the manifest, as /api/tags returns it."""
        return hashlib.sha256(self.manifest).hexdigest()

    @property
    def config(self) -> Layer:
        """The layer with the config."""
        return Layer.of(json.loads(self.manifest)["config"])

    @property
    def layers(self) -> list[Layer]:
        """The layers without the config."""
        return [Layer.of(entry) for entry in json.loads(self.manifest)["layers"]]

    def of_kind(self, kind: str) -> list[Layer]:
        """Return the layers of one kind: model, adapter, projector, template, system, license, params or messages."""
        return [layer for layer in self.layers if layer.media == IMAGE + kind]


@dataclass(frozen=True, slots=True)
class Published:
    """A model in a registry: its manifest and every blob of it."""

    manifest: bytes
    blobs: dict[str, bytes] = field(default_factory=dict)

    @property
    def model(self) -> Model:
        """The model in a store."""
        return Model(self.manifest, "")


def manifest(config: Layer, layers: Iterable[Layer]) -> str:
    """Write a manifest as Go does (server/manifest.go)."""
    entries = [layer.entry for layer in layers]
    return go_json({"schemaVersion": 2, "mediaType": _MANIFEST, "config": config.entry, "layers": entries})


def as_any(value: object) -> object:
    """Return a value as Go reads JSON without a type: sorted maps, and every number a float."""
    match value:
        case dict():
            return {key: as_any(value[key]) for key in sorted(value)}
        case list():
            return [as_any(item) for item in value]
        case int() if not isinstance(value, bool):
            return float(value)
        case _:
            return value


def go_json(value: object) -> str:
    """Write as `encoding/json` does; the keys stand as they are, as those of a struct."""
    match value:
        case str():
            text = json.dumps(value, ensure_ascii=False)
            return "".join(f"\\u{ord(char):04x}" if char in "<>&\u2028\u2029" else char for char in text)
        case float():
            return _go_float(value, -7, 21).replace("e-0", "e-")
        case dict():
            return "{" + ",".join(f"{go_json(key)}:{go_json(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ",".join(map(go_json, value)) + "]"
        case _:
            return json.dumps(value)


def go_v(value: object) -> str:
    """Write a JSON value as `fmt` does for `%v`: the form of `PARAMETER` in /api/show's `modelfile`."""
    match value:
        case dict():
            return "map[" + " ".join(f"{key}:{go_v(value[key])}" for key in sorted(value)) + "]"
        case list():
            return "[" + " ".join(map(go_v, value)) + "]"
        case bool():
            return str(value).lower()
        case float():
            return _go_float(value, -5, 6)
        case None:
            return "<nil>"
        case _:
            return str(value)


def go_syntax(value: object) -> str:
    """Write a JSON value as `fmt` does for `%#v`: the form of /api/show's `parameters`."""
    match value:
        case dict():
            items = ", ".join(f"{go_quote(key)}:{go_syntax(value[key])}" for key in sorted(value))
            return f"map[string]interface {{}}{{{items}}}"
        case list():
            return f"[]interface {{}}{{{', '.join(map(go_syntax, value))}}}"
        case str():
            return go_quote(value)
        case _:
            return go_v(value)


def go_quote(text: str) -> str:
    """Write a string as `strconv.Quote` does, the `%q` of error messages too."""
    return f'"{"".join(map(_quoted, text))}"'


def _quoted(char: str) -> str:
    if char in _LETTERS:
        return f"\\{_LETTERS[char]}"
    if char.isprintable():
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _go_float(value: float, below: int, above: int) -> str:
    """Write the shortest form, with an exponent where it is not between `below` and `above` (strconv/ftoa.go)."""
    number = Decimal(repr(value)).normalize()
    if not number or below < number.adjusted() < above:
        return f"{number:f}"
    sign, digits, _ = number.as_tuple()
    first, *rest = map(str, digits)
    return f"{'-' * sign}{first}{'.' * bool(rest)}{''.join(rest)}e{number.adjusted():+03d}"


def modelfile_quote(text: str) -> str:
    """Quote an argument of an instruction as Ollama does when it shows a Modelfile (parser/parser.go)."""
    if "\n" not in text and text == text.strip(" "):
        return text
    return f'"""{text}"""' if '"' in text else f'"{text}"'


def template_error(text: str) -> str | None:
    """Return Go's error for a `{{` without its `}}`; every other mistake in a template passes here."""
    start = text.rfind("{{")
    if start < 0 or "}}" in text[start:]:
        return None
    return f":{text.count(chr(10), 0, start) + 1}: unclosed action"
