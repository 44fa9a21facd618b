"""New models as `ollama create` of a version writes them: their manifest, config and layers, to the byte.

Recipes that only a server can carry out are rejected before anything is written, with the version and the reason.

Source: server/create.go and server/model.go, read at each release from v0.7.1 to v0.33.0-rc2; measured on 0.9.3, 0.24.0
and 0.33.0-rc2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from modelfile.catalog import behaviors
from modelfile.catalog.catalog import catalog
from modelfile.catalog.renderers import RENDERERS_OF_ARCHITECTURES, STOPS_OF_ARCHITECTURES
from modelfile.catalog.versions import NEWEST, Version
from modelfile.errors import InputError, ModelfileError, UsageError
from modelfile.immutable import field, record
from modelfile.manifest import CONFIG_TYPE, Layer, Manifest, digest_of
from modelfile.names import ModelName, shorten_digest
from modelfile.recipe.model import Model
from modelfile.recipe.recipe import Recipe
from modelfile.stores.disk.new_layers import (
    SERVER,
    NewLayer,
    check_fp8,
    detect,
    read_layers,
)
from modelfile.stores.encoding import (
    encode,
    encode_manifest,
    encode_messages,
    encode_parameters,
    read_config,
    read_model,
)
from modelfile.weights.digests import size_of
from modelfile.weights.facts import format_parameters, quantization
from modelfile.weights.gguf import recall_header
from modelfile.weights.header import STRING, GGUFHeader

_GGUF_KINDS: Final = frozenset({"model", "projector", "adapter", "draft"})


class BlobReader(Protocol):
    """The blobs of a folder, as far as a new model needs them."""

    def size(self, digest: str) -> int | None:
        """Return the size of a blob in bytes; None if there is none."""

    def path(self, digest: str) -> Path:
        """Return the file of a blob."""

    def header(self, digest: str) -> GGUFHeader:
        """Return the header of a blob that is a GGUF file."""

    def read(self, layer: Layer) -> bytes:
        """Return a small blob."""


@record(kw_only=True, slots=False)
class Created:
    """A new model."""

    manifest: str
    """The text of its manifest."""
    blobs: Mapping[str, bytes]
    """Its config and its other new small blobs, by digest."""


def version_for(recipe: Recipe, asked: Version | None) -> Version:
    """Return the release that creates a model: the one asked for, or the newest that can do so without a server."""
    return asked or (NEWEST if recipe.base else behaviors.KEEPS_WEIGHTS)


def check_create(recipe: Recipe, version: Version, has_blob: Callable[[str], bool]) -> None:
    """Check that a recipe needs no server; only headers of its files are read.

    Args:
        recipe: The model to make.
        version: The release of Ollama whose bytes are to be written.
        has_blob: Returns whether the store has the blob of a digest.

    Raises:
        UsageError: This release does something that only a server can do.
        InputError: Only a server can tell what a file gives, or the template is invalid.
    """
    _check_recipe(recipe, version)
    for path in (*recipe.model_files, *recipe.adapters, *recipe.drafts):
        _check_gguf(path)
    _check_files(recipe, version)
    for path, layer in read_layers(recipe, version, recall_header):
        detect(path, layer, recipe, has_blob)


def _check_recipe(recipe: Recipe, version: Version) -> None:
    if version < behaviors.OLDEST_CREATE:
        known = f"only {behaviors.OLDEST_CREATE} and later are known"
        raise UsageError(f"cannot create a model as Ollama {version} does without its server: {known}", hint=SERVER)
    words = {"RENDERER": recipe.renderer, "PARSER": recipe.parser, "REQUIRES": recipe.requires, "DRAFT": recipe.drafts}
    for word in (word for word, value in words.items() if value):
        if word not in catalog(version).instructions:
            raise UsageError(f"Ollama {version} does not support {word}", hint="pass a newer version to `--ollama`")
    if recipe.quantize:
        raise UsageError(
            "a folder does not quantize weights",
            hint="pass `--with llama-quantize` to quantize here, or build with --host",
        )
    if recipe.base and version >= behaviors.CLOUD_NAMES:
        _check_base_name(recipe.base, version)
    if recipe.adapters and version >= behaviors.CONVERTS_NO_SAFETENSORS:
        raise UsageError(f"Ollama {version} does not create models with adapters", hint="pass an older version")
    _check_template(recipe.template)


def _check_base_name(base: str, version: Version) -> None:
    tag = ModelName.parse(base).tag.lower()
    if tag == "cloud" or tag.endswith("-cloud"):
        raise UsageError(f"Ollama {version} takes `{base}` for a model that runs elsewhere", hint=SERVER)
    if tag == "local":
        raise UsageError(f"Ollama {version} cuts off the tag `local` of `{base}`", hint="write the tag of the base")


def check_base(name: str, base: Manifest) -> None:
    """Check that no server is needed to create a model from a base.

    Raises:
        InputError: It has no GGUF weights.
    """
    if not any(layer.kind == "model" for layer in base.layers):
        message = f"the base {name} has no GGUF weights: only a server can create a model from it"
        raise InputError(message, hint=SERVER)


def _check_template(template: str) -> None:
    if not template:
        return
    from modelfile.gotemplate.parser import parse_template  # a model need not have one

    if diagnostics := parse_template(template).diagnostics:
        raise InputError(f"TEMPLATE is invalid: {diagnostics[0].message}", hint=diagnostics[0].hint)


def _check_gguf(path: Path) -> None:
    from modelfile.weights.content_type import MAGICS, read_head  # a base has no files

    if path.suffix != ".gguf" and not read_head(path).startswith(MAGICS):
        raise InputError(f"only a server can convert `{path}`, which is not a GGUF file", hint=SERVER)


def _check_files(recipe: Recipe, version: Version) -> None:
    """Check the number of files, of which Ollama takes several in no fixed order, or merges them."""
    for word, files in (("FROM", recipe.model_files), ("ADAPTER", recipe.adapters), ("DRAFT", recipe.drafts)):
        if len(files) > 1:
            why = "merges or sorts them" if version >= behaviors.REWRITES_GGUF else "takes them in random order"
            message = f"{word} names {len(files)} files, and Ollama {version} {why}: only its server can do that"
            raise UsageError(message, hint=SERVER)


def created(
    recipe: Recipe, digests: Mapping[Path, str], base: Manifest | None, blobs: BlobReader, version: Version
) -> Created:
    """Return the model that `ollama create` makes of a recipe.

    Args:
        recipe: The model to make.
        digests: `sha256:…` of every local file; the store must have their blobs.
        base: The manifest of the base that FROM names, if it names one; the store must have its blobs.
        blobs: The blobs of the store.
        version: The release of Ollama whose bytes are written.

    Raises:
        UsageError: This release does something that only a server can do.
        InputError: Only a server can tell what a file gives; or a blob is missing or damaged.
    """
    _check_recipe(recipe, version)
    _check_files(recipe, version)
    model = _NewModel(recipe, blobs, version)
    if base:
        model.inherit(base)
    for path, layer in read_layers(recipe, version, lambda path: blobs.header(digests[path])):
        model.add_file(path, layer, digests[path])
    return model.finish()


def model_of_files(recipe: Recipe, digests: Mapping[Path, str], blobs: BlobReader, version: Version) -> Model:
    """Return the model that `created` makes of local files, whose blobs the store need not have.

    Raises:
        ModelfileError: As of `created`.
    """
    files = _Files(blobs, {digest: path for path, digest in digests.items()})
    made = created(recipe, digests, None, files, version)
    files.contents = made.blobs
    return read_model(Manifest.parse(made.manifest, "the manifest"), files.read)


def predict(recipe: Recipe, digests: Mapping[Path, str], blobs: BlobReader, version: Version) -> Model | None:
    """Return the model that a recipe of local files gives; None if it has a base, or only a server can create it."""
    try:
        return None if recipe.base else model_of_files(recipe, digests, blobs, version)
    except ModelfileError:
        return None


@record(slots=False, frozen=False)
class _Files:
    """The blobs of a store, and local files that are to become blobs."""

    blobs: BlobReader
    files: Mapping[str, Path]
    contents: Mapping[str, bytes] = field(default_factory=dict)

    def size(self, digest: str) -> int | None:
        return size_of(self.files[digest]) if self._is_file(digest) else self.blobs.size(digest)

    def path(self, digest: str) -> Path:
        return self.blobs.path(digest)

    def header(self, digest: str) -> GGUFHeader:
        return recall_header(self.files[digest]) if self._is_file(digest) else self.blobs.header(digest)

    def _is_file(self, digest: str) -> bool:
        return digest in self.files and self.blobs.size(digest) is None

    def read(self, layer: Layer) -> bytes:
        content = self.contents.get(layer.digest)
        return self.blobs.read(layer) if content is None else content


@record(slots=False, frozen=False)
class _NewModel:
    """A model that is being made: its layers, and the config and parameters that come of them."""

    recipe: Recipe
    blobs: BlobReader
    version: Version
    layers: list[NewLayer] = field(default_factory=list)
    contents: dict[str, bytes] = field(default_factory=dict)
    inherited: Mapping[str, Any] = field(default_factory=dict)
    """The keys that come from the base's config."""

    def inherit(self, base: Manifest) -> None:
        """Take over the layers of a base, and the keys of its config that this release takes over."""
        source = str(ModelName.parse(self.recipe.base or ""))
        check_base(source, base)
        for each in base.layers:
            layer = NewLayer(each.kind, each.digest, source=source, media_type=each.media_type)
            if each.kind in _GGUF_KINDS and (each.kind != "draft" or self.version >= behaviors.DETECTS_MODEL_LAYERS):
                layer.header = self.blobs.header(each.digest)
                check_fp8(f"the base {source}", layer.header, each.kind, self.version)
            self._add(layer)
        config = read_config(self.blobs.read(base.config))
        self.inherited = {
            key: _checked(key, config.get(key))
            for key, since in behaviors.INHERITED.items()
            if self.version >= since and config.get(key)
        }

    def add_file(self, path: Path, layer: NewLayer, digest: str) -> None:
        """Add a local file, and what Ollama detects in it."""
        layer.digest = digest
        layer.source = path.name if self.version >= behaviors.REWRITES_GGUF else str(self.blobs.path(digest))
        self._add(layer)
        known, has_template = detect(path, layer, self.recipe, lambda each: self.blobs.size(each) is not None)
        if known and has_template and self.blobs.size(known.template) is None:
            self._append("template", (self.recipe.detected or "").encode())  # `detect` has compared its digest
        elif known and has_template:
            self._add(NewLayer("template", known.template))
        if known:
            self._append("params", encode({"stop": known.stop}))

    def _add(self, layer: NewLayer) -> None:
        """Add a layer whose blob is there."""
        if (size := self.blobs.size(layer.digest)) is None:
            raise InputError(f"blob {shorten_digest(layer.digest)} is missing", hint="run `mf store check`")
        layer.size = size
        self.layers.append(layer)

    def finish(self) -> Created:
        """Add the texts, and write config and manifest."""
        recipe, parameters = self.recipe, dict(self.recipe.parameters)
        config = self._config(parameters)
        old_params = [layer for layer in self.layers if layer.kind == "params"]
        for kind, text in (("template", recipe.template), ("system", recipe.system)):
            if text:
                self._replace(kind, text.encode())
        for text in recipe.licenses:
            self._append("license", text.encode())
        read = (self._content(layer) for layer in old_params)
        if content := encode_parameters(parameters, read):
            self._replace("params", content)
        if recipe.messages:
            self._replace("messages", encode_messages(recipe.messages))
        if self.version < behaviors.OMITS_ROOTFS:
            config |= {"rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in self.layers]}}
        content = encode(config)
        digest = digest_of(content)
        entry = {"mediaType": CONFIG_TYPE, "digest": digest, "size": len(content)}
        text = encode_manifest(entry, [layer.entry() for layer in self.layers])
        named = {layer.digest for layer in self.layers}
        new = {key: value for key, value in self.contents.items() if key in named}
        return Created(manifest=text, blobs=new | {digest: content})

    def _content(self, layer: NewLayer) -> bytes:
        known = self.contents.get(layer.digest)
        if known is not None:
            return known
        return self.blobs.read(Layer(media_type=layer.media_type, digest=layer.digest, size=layer.size))

    def _replace(self, kind: str, content: bytes) -> None:
        self.layers = [layer for layer in self.layers if layer.kind != kind]
        self._append(kind, content)

    def _append(self, kind: str, content: bytes) -> None:
        layer = NewLayer(kind, digest_of(content), len(content))
        self.contents[layer.digest] = content
        self.layers.append(layer)

    def _config(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Return the config without `rootfs`; an architecture may add to the parameters."""
        recipe, version = self.recipe, self.version
        families: list[str] = []
        config: dict[str, Any] = {
            "model_format": self.inherited.get("model_format", ""),
            "model_family": "",
            "model_families": None,
            "model_type": "",
            "file_type": "",
            "renderer": recipe.renderer or self.inherited.get("renderer", ""),
            "parser": recipe.parser or self.inherited.get("parser", ""),
            "requires": recipe.requires or self.inherited.get("requires", ""),
            "capabilities": self.inherited.get("capabilities"),
            "draft": None,
        }
        for layer in self.layers:
            if (header := layer.header) is None:
                continue
            architecture = header.typed("general.architecture", STRING)
            architecture = "unknown" if architecture is None else str(architecture)
            if version >= behaviors.DETECTS_MODEL_LAYERS and layer.kind != "model":
                if layer.kind == "draft":
                    config["draft"] = {"model_format": "gguf"} | (
                        {"architecture": architecture} if architecture else {}
                    )
                continue
            found = ("gguf", architecture, format_parameters(header.parameters), quantization(header, version))
            for key, value in zip(("model_format", "model_family", "model_type", "file_type"), found, strict=True):
                config[key] = config[key] or value
            families.append(architecture)
            _set_renderer(config, architecture, parameters, version)
        config["model_families"] = families or None
        optional = ("renderer", "parser", "requires", "capabilities", "draft")
        kept = {key: value for key, value in config.items() if value or key not in optional}
        return kept | {"architecture": "amd64", "os": "linux"}


def _set_renderer(config: dict[str, Any], architecture: str, parameters: dict[str, Any], version: Version) -> None:
    renderer, since = RENDERERS_OF_ARCHITECTURES.get(architecture, ("", NEWEST))
    if renderer and version >= since and not (config["renderer"] and config["parser"]):
        config["renderer"] = config["renderer"] or renderer
        config["parser"] = config["parser"] or renderer  # each parser is named as its renderer
        if stop := STOPS_OF_ARCHITECTURES.get(architecture):
            parameters.setdefault("stop", stop)


def _checked(key: str, value: object) -> object:
    """Return a value of a base's config; one of another type than Ollama's keeps it from reading the config at all."""
    texts = value if isinstance(value, list) and key == "capabilities" else [value]
    if not all(isinstance(text, str) for text in texts) or (key == "capabilities") != isinstance(value, list):
        raise InputError(f"the config of the base cannot be read: {key} is not a text")
    return value
