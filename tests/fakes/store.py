"""The models and blobs of an Ollama server, in memory; tests/fakes/ollama.py puts them behind HTTP.

Modeled on Ollama's own `server/{create,images,layer,manifest,routes}.go` of 0.9.3 and on traces of 0.9.3, 0.24.0 and
0.33.0-rc2 (tests/data/traces/). Shares no code with `modelfile`, so that a misunderstanding there is not repeated here.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

from tests.fakes.show import listed, shown
from tests.fakes.values import (
    DEFAULT_HOST,
    IMAGE,
    Behavior,
    Failure,
    Layer,
    Model,
    Name,
    Published,
    Refused,
    as_any,
    go_json,
    go_quote,
    manifest,
    template_error,
)

REWRITTEN: Final = b"written by llama-quantize".ljust(64, b"\0")
"""The end of weights that a server has rewritten."""

_WEIGHTS: Final = (f"{IMAGE}model", f"{IMAGE}adapter", f"{IMAGE}projector")
_CONFIG: Final = "application/vnd.docker.container.image.v1+json"
_DIGEST: Final = re.compile(r"sha256[:-][0-9a-fA-F]{64}")

Line: TypeAlias = dict[str, Any] | Failure
"""One line of a stream; the keys of a dict stand in the order of Go's struct."""
Lines: TypeAlias = Iterator[Line]
Request: TypeAlias = Mapping[str, Any]


def published(weights: bytes, **request: Any) -> Published:
    """Return a model as a registry has it after a server elsewhere built it from `weights` and pushed it."""
    store = Store("0.9.3", "/elsewhere/models")
    digest = store.add(weights)
    lines = list(store.create({"model": "made", "files": {"made.gguf": digest}, **request}))
    assert lines[-1] == {"status": "success"}, lines
    model = store.models["made:latest"]
    return Published(model.manifest.rstrip(), dict(store.blobs))


class Store:
    """Models, blobs, and the registries that can be pulled from."""

    def __init__(self, version: str, models_path: str) -> None:
        self.behavior = Behavior.of(version)
        self.models_path = models_path
        self.models: dict[str, Model] = {}
        self.blobs: dict[str, bytes] = {}
        self.registry: dict[str, Published] = {}
        self.plain_hosts: set[str] = set()
        """Registries that speak http only; all others speak https only."""
        self.clock = datetime.now(UTC)
        """A second later at each write."""
        self._shows = 0

    def add(self, content: bytes) -> str:
        """Keep a blob and return its digest."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self.blobs[digest] = content
        return digest

    def has(self, digest: str) -> bool:
        """Return whether the blob is there.

        Raises:
            Refused: It is no digest.
        """
        if not _DIGEST.fullmatch(digest):
            raise Refused(400, "invalid digest format")
        return digest.replace("-", ":") in self.blobs

    def tags(self) -> dict[str, Any]:
        """Answer /api/tags; the newest come first."""
        newest = sorted(self.models.items(), key=lambda item: item[1].modified, reverse=True)
        return {"models": [listed(name, model, self.blobs, self.behavior) for name, model in newest]}

    def show(self, request: Request) -> dict[str, Any]:
        """Answer /api/show, with the parameters in another order at each call, as Go's maps have them."""
        text = request.get("model", "")
        if not text:
            raise Refused(400, "model is required")
        if (name := Name.parse(text)) is None:
            raise Refused(500, "invalid model path")
        found = self._existing(name).shown
        if (model := self.models.get(found)) is None or not model.of_kind("model"):
            raise Refused(404, f"model '{text}' not found")  # one without weights is listed but not found, M 0.9.3
        self._shows += 1
        return shown(found, model, self.blobs, self.models_path, turn=self._shows)

    def copy(self, request: Request) -> None:
        """Do /api/copy: the manifest byte for byte."""
        names = []
        for role in ("source", "destination"):
            if (name := Name.parse(request.get(role, ""))) is None:
                raise Refused(400, f"{role} {go_quote(request.get(role, ''))} is invalid")
            names.append(self._existing(name).shown)
        source, destination = names
        if source not in self.models:
            raise Refused(404, f"model {go_quote(request['source'])} not found")
        if source != destination:
            self._write(destination, self.models[source].manifest)

    def delete(self, request: Request) -> None:
        """Do /api/delete; layers that nothing else uses go too."""
        text = request.get("model", "")
        if (name := Name.parse(text)) is None:
            raise Refused(400, f"name {go_quote(text)} is invalid")
        model = self.models.pop(self._existing(name).shown, None)
        if model is None:
            raise Refused(404, f"model '{text}' not found")
        self._prune(model)

    def pull(self, request: Request) -> Lines:
        """Do /api/pull, each step as its line is taken."""
        if (name := Name.parse(request.get("model", ""))) is None:
            raise Refused(400, "invalid model name")
        return self._pull(self._existing(name), "http" if request.get("insecure") else "https")

    def create(self, request: Request) -> Lines:
        """Do /api/create, each step as its line is taken (server/create.go)."""
        for path in request.get("files", {}):
            if path != "." and {"", ".", ".."} & set(path.split("/")):
                raise Refused(400, "file path must be relative")
        if (name := Name.parse(request.get("model", ""))) is None:
            raise Refused(400, "invalid model name")
        return self._create(self._existing(name).shown, request)

    def _create(self, name: str, request: Request) -> Lines:
        if base := request.get("from"):
            layers = yield from self._base(base)
        elif "files" in request:
            layers = yield from self._uploaded(request["files"], "model")
        else:
            yield Failure("neither 'from' or 'files' was specified", 400)
            return
        if layers is not None and "adapters" in request:
            adapters = yield from self._uploaded(request["adapters"], "adapter")
            layers = None if adapters is None else layers + adapters
        if layers is not None:
            yield from self._made(name, layers, request)

    def _made(self, name: str, layers: list[Layer], request: Request) -> Lines:
        """Write the model, and remove what only the one before it used (createModel)."""
        if self.behavior.rewrites_weights and not request.get("from"):
            for index, layer in enumerate(layers):
                if layer.media == f"{IMAGE}model":
                    yield {"status": "verifying conversion"}
                    layers[index] = self._rewritten(layer)
        if error := template_error(request.get("template", "")):
            yield Failure(f"template error: template: {error}", 400)
            return
        config = self._config_of(layers, request)
        layers = self._with_texts(layers, request)
        if self.behavior.writes_rootfs:
            config["rootfs"] = {"type": "layers", "diff_ids": [layer.digest for layer in layers]}
        config_layer = self._new(_CONFIG, f"{go_json(config)}\n")
        for layer in layers:
            yield {"status": layer.status}
        yield {"status": "writing manifest"}
        old = self.models.get(name)
        self._write(name, f"{manifest(config_layer, layers)}\n".encode())
        if old:
            self._prune(old)
        yield {"status": "success"}

    def _base(self, text: str) -> Generator[Line, None, list[Layer] | None]:
        """Return the layers of a model, pulled if it is missing. Its name is compared with case, M 0.9.3."""
        if (name := Name.parse(text)) is None:
            yield Failure("invalid model name", 400)
            return None
        if name.shown not in self.models and not (yield from self._pull(name, "https")):
            return []  # 0.9.3 goes on and writes a model without weights; later versions stop at the error
        return [
            replace(layer, source=name.shown, status=f"using existing layer {layer.digest}")
            for layer in self.models[name.shown].layers
        ]

    def _uploaded(self, files: Mapping[str, str], kind: str) -> Generator[Line, None, list[Layer] | None]:
        """Return the layers of uploaded files; a GGUF that says `projector` or `adapter` early on is one."""
        bad = 400 if kind == "adapter" else None
        gguf = [path.endswith(".gguf") or self.blobs.get(files[path], b"")[:4] == b"GGUF" for path in files]
        if not any(gguf) or any(path.endswith(".safetensors") for path in files):
            yield Failure("unknown type", 400)
            return None
        if kind == "adapter" and len(files) > 1:
            yield Failure("only one adapter is currently supported", 400)
            return None
        layers = []
        for path, digest in sorted(files.items()):
            yield {"status": "parsing GGUF"}
            if not _DIGEST.fullmatch(digest):
                yield Failure("invalid digest format", bad)
                return None
            if digest not in self.blobs:
                yield Failure(f"open {self._path(digest)}: no such file or directory", bad)
                return None
            content = self.blobs[digest]
            if not content.startswith(b"GGUF"):
                yield Failure("supplied file was not in GGUF format", 400)
                return None
            said = [other for other in ("projector", "adapter") if other.encode() in content[:512]]
            source = path if self.behavior.rewrites_weights else self._path(digest)
            media = IMAGE + (said or [kind])[0]
            layers.append(Layer(media, digest, len(content), source, f"using existing layer {digest}"))
        return layers

    def _rewritten(self, layer: Layer) -> Layer:
        content = self.blobs[layer.digest]
        if content.endswith(REWRITTEN):
            return replace(layer, source="")
        return self._new(layer.media, content + REWRITTEN)

    def _config_of(self, layers: Iterable[Layer], request: Request) -> dict[str, Any]:
        """Return the config, with the facts about weights that real servers returned for those in the traces."""
        kinds = _WEIGHTS[:1] if self.behavior.takes_renderers else _WEIGHTS
        families = ["llama" for layer in layers if layer.media in kinds] or None
        config = {
            "model_format": "gguf" if families else "",
            "model_family": "llama" if families else "",
            "model_families": families,
            "model_type": "14K" if families else "",
            "file_type": "unknown" if families else "",
        }
        if self.behavior.takes_renderers:
            base = Name.parse(request.get("from", ""))
            inherited = self._json(self.models[base.shown].config) if base and base.shown in self.models else {}
            for key in ("renderer", "parser", "requires"):
                if value := request.get(key) or inherited.get(key):
                    config[key] = value
        return config | {"architecture": "amd64", "os": "linux"}

    def _with_texts(self, layers: list[Layer], request: Request) -> list[Layer]:
        """Replace, add and merge texts, parameters and messages, in Ollama's order."""

        def replaced(kind: str, content: str) -> list[Layer]:
            media = IMAGE + kind
            return [*(layer for layer in layers if layer.media != media), self._new(media, content)]

        for kind in ("template", "system"):
            if request.get(kind):
                layers = replaced(kind, request[kind])
        licenses = request.get("license") or []
        for license_text in [licenses] if isinstance(licenses, str) else licenses:
            layers = [*layers, self._new(f"{IMAGE}license", license_text)]
        parameters: dict[str, Any] = {}
        for layer in layers:
            if layer.media == f"{IMAGE}params":
                parameters |= self._json(layer)
        if parameters := parameters | request.get("parameters", {}):
            layers = replaced("params", f"{go_json(as_any(parameters))}\n")
        if messages := request.get("messages"):
            lower = [{"role": message["role"].lower(), "content": message["content"]} for message in messages]
            layers = replaced("messages", f"{go_json(lower)}\n")
        return layers

    def _pull(self, name: Name, scheme: str) -> Generator[Line, None, bool]:
        """Pull from a registry; a host that none of the published models names refuses the connection."""
        yield {"status": "pulling manifest"}
        offered = {Name.parse(text): found for text, found in self.registry.items()}
        if name.host not in {DEFAULT_HOST, *(other.host for other in offered if other)}:
            url = f"{scheme}://{name.host}/v2/{name.namespace}/{name.model}/manifests/{name.tag}"
            refused = f"dial tcp {name.host}: connect: connection refused"
            yield Failure(f"pull model manifest: Get {go_quote(url)}: {refused}")
            return False
        if (scheme == "http") != (name.host in self.plain_hosts):
            url = f"{scheme}://{name.host}/v2/{name.namespace}/{name.model}/manifests/{name.tag}"
            spoken = "server gave HTTP response to HTTPS client" if scheme == "https" else "malformed HTTP response"
            yield Failure(f"pull model manifest: Get {go_quote(url)}: http: {spoken}")
            return False
        if (found := offered.get(name)) is None:
            yield Failure("pull model manifest: file does not exist")
            return False
        layers = [*found.model.layers, found.model.config]
        fresh = [layer for layer in layers if layer.digest not in self.blobs]
        for layer in layers:
            line = {"status": f"pulling {layer.digest[7:19]}", "digest": layer.digest, "total": layer.size}
            if layer in fresh:
                if layer.digest not in found.blobs:
                    yield Failure("file does not exist")
                    return False
                yield line
                self.blobs[layer.digest] = found.blobs[layer.digest]
            yield line | {"completed": layer.size}
        yield {"status": "verifying sha256 digest"}
        for layer in fresh:
            digest = f"sha256:{hashlib.sha256(self.blobs[layer.digest]).hexdigest()}"
            if digest != layer.digest:
                del self.blobs[layer.digest]
                wrong = f"want {layer.digest}, got {digest}"
                yield Failure(f"digest mismatch, file must be downloaded again: {wrong}")
                return False
        yield {"status": "writing manifest"}
        gone = self.models.get(name.shown)
        kept = found.manifest if self.behavior.keeps_pulled_bytes else manifest(layers[-1], layers[:-1]).encode()
        self._write(name.shown, kept)
        if gone and {layer.digest for layer in (*gone.layers, gone.config)} - {layer.digest for layer in layers}:
            yield {"status": "removing unused layers"}
            self._prune(gone)
        yield {"status": "success"}
        return True

    def _existing(self, name: Name) -> Name:
        """Return the name with every part spelled as in an existing model (getExistingName)."""
        for other in filter(None, map(Name.parse, self.models)):
            for part in (part.name for part in fields(Name)):
                if getattr(other, part).lower() == getattr(name, part).lower():
                    name = replace(name, **{part: getattr(other, part)})
        return name

    def _new(self, media: str, content: str | bytes) -> Layer:
        content = content.encode() if isinstance(content, str) else content
        before = len(self.blobs)
        digest = self.add(content)
        status = "creating new" if len(self.blobs) > before else "using existing"
        return Layer(media, digest, len(content), status=f"{status} layer {digest}")

    def _write(self, name: str, content: bytes) -> None:
        self.clock += timedelta(seconds=1)
        modified = self.clock.isoformat().replace("+00:00", "Z")
        self.models[name] = Model(content, modified)

    def _prune(self, model: Model) -> None:
        """Remove the layers of `model` that no other uses."""
        used = {layer.digest for other in self.models.values() for layer in (*other.layers, other.config)}
        for layer in (*model.layers, model.config):
            if layer.digest not in used:
                self.blobs.pop(layer.digest, None)

    def _path(self, digest: str) -> str:
        return f"{self.models_path}/blobs/{digest.replace(':', '-')}"

    def _json(self, layer: Layer) -> Any:
        return json.loads(self.blobs[layer.digest], parse_int=float)
