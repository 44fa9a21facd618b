"""Models as Ollama encodes them in layers, read as its server reads them, and written byte for byte as it writes them.

Source: `GetModel` in server/images.go and `GetModelInfo` in server/routes.go, v0.9.3 to v0.33.0-rc2, alike but for the
config's renderer, parser and requires and the draft layer, which older versions do not know; Go's encoding/json.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypedDict

from modelfile.errors import InputError
from modelfile.manifest import CONFIG_TYPE, LAYER_TYPE, MEDIA_TYPE, Layer, Manifest, digest_of
from modelfile.recipe.model import DEFAULT_TEMPLATE, Model
from modelfile.recipe.recipe import Message
from modelfile.recipe.values import ParameterValue

TEXTS: Final = frozenset({"template", "prompt", "system", "license", "params", "messages"})
"""Kinds of the layers that are small and that a model is read from."""
_MOST_SMALL: Final = 100
"""Most small layers of a model that are read, each by a request."""
_LARGEST_SMALL: Final = 32 << 20
"""Largest size of all of them, in bytes."""


class Details(TypedDict):
    """Facts about the weights in a config, by the names that `StoredModel` has for them; empty if it has none."""

    family: str
    size: str
    quantization: str


def read_model(manifest: Manifest, read: Callable[[Layer], bytes]) -> Model:
    """Return the model of a manifest; its fingerprint is that of a server that has pulled it.

    Args:
        manifest: The manifest.
        read: Returns the bytes of a layer; called for the config and for small layers only.

    Raises:
        InputError: The manifest has no weights, as that of a cloud model, or too many small layers; or one cannot be
            read.
    """
    small = [layer for layer in manifest.layers if layer.kind in TEXTS]
    if len(small) > _MOST_SMALL or sum(layer.size for layer in small) > _LARGEST_SMALL:
        limits = f"more than the {_MOST_SMALL} small layers, or {_LARGEST_SMALL >> 20} MiB of them, that are read"
        raise InputError(f"the manifest has {limits}")
    config = _object(read(manifest.config), "the config")
    by_kind: dict[str, list[Layer]] = {}
    for layer in manifest.layers:
        by_kind.setdefault("template" if layer.kind == "prompt" else layer.kind, []).append(layer)
    if "model" not in by_kind:
        raise InputError("the manifest has no weights", hint="is it a cloud model?")

    def digests(kind: str) -> tuple[str, ...]:
        return tuple(layer.digest for layer in by_kind.get(kind, ()))

    def last(kind: str) -> bytes | None:
        return read(by_kind[kind][-1]) if kind in by_kind else None

    template, messages = last("template"), last("messages")
    return Model(
        weights=(*digests("model")[-1:], *digests("projector")),  # as shown: of several models, the last
        adapters=digests("adapter"),
        drafts=digests("draft")[-1:],
        template=DEFAULT_TEMPLATE if template is None else _text(template),
        system=_text(last("system") or b""),
        license="\n".join(_text(read(layer)) for layer in by_kind.get("license", ())),
        parameters=_parameters([read(layer) for layer in by_kind.get("params", ())]),
        messages=_messages(messages) if messages else (),
        renderer=_string(config, "renderer"),
        parser=_string(config, "parser"),
        requires=_string(config, "requires"),
        family=_string(config, "model_family"),
    )


def write_model(model: Model, sizes: Mapping[str, int] | None = None) -> tuple[Manifest, dict[str, bytes]]:
    """Return the manifest of a model, and its small blobs by digest.

    It has the layers and the config that Ollama would write, without what only the weights say.

    Args:
        model: The model.
        sizes: The sizes of weights in bytes, by digest; those of others count 1 byte each.
    """
    blobs: dict[str, bytes] = {}

    def layer(media_type: str, content: bytes) -> dict[str, Any]:
        digest = digest_of(content)
        blobs[digest] = content
        return {"mediaType": media_type, "digest": digest, "size": len(content)}

    described = {"renderer": model.renderer, "parser": model.parser, "requires": model.requires}
    config = {"model_format": "gguf"} | {key: value for key, value in described.items() if value}
    kinds = {"model": model.weights, "adapter": model.adapters, "draft": model.drafts}
    files = [
        {"mediaType": f"{LAYER_TYPE}{_kind(kind, number)}", "digest": digest, "size": (sizes or {}).get(digest, 1)}
        for kind, digests in kinds.items()
        for number, digest in enumerate(digests)
    ]
    texts = {
        "template": model.template if model.template != DEFAULT_TEMPLATE else "",
        "system": model.system,
        "license": model.license,
        "params": _dumped(dict(sorted(model.parameters.items()))) if model.parameters else "",
        "messages": _dumped([{"role": said.role, "content": said.content} for said in model.messages])
        if model.messages
        else "",
    }
    layers = [*files, *(layer(f"{LAYER_TYPE}{kind}", text.encode()) for kind, text in texts.items() if text)]
    head = {"schemaVersion": 2, "mediaType": MEDIA_TYPE, "config": layer(CONFIG_TYPE, _dumped(config).encode())}
    text = json.dumps(head | {"layers": layers}, separators=(",", ":"))
    return Manifest.parse(text, "the manifest"), blobs


def encode(value: Any) -> bytes:
    """Return a value as Go's `json.Encoder` writes it, with a newline; the keys of objects keep their order."""
    return f"{_encoded(value)}\n".encode()


def _encoded(value: Any) -> str:
    from modelfile.gotemplate.json_text import encode_float, marshal_pairs, quote_json  # listing models needs none

    match value:
        case None | bool() | int():
            return json.dumps(value)
        case float():
            return encode_float(value)
        case str():
            return quote_json(value.encode(errors="surrogateescape"))  # a path may be no UTF-8
        case Mapping():
            return marshal_pairs((_encoded(key), _encoded(item)) for key, item in value.items())
        case _:
            return f"[{','.join(map(_encoded, value))}]"


def encode_parameters(parameters: Mapping[str, ParameterValue], inherited: Iterable[bytes]) -> bytes:
    """Return the params layer of a new model; empty if it has no parameters.

    Args:
        parameters: Those of the request; like JSON in Go, they have numbers of 64 bits.
        inherited: The params layers of the base, of which the first that has a key wins.

    Raises:
        InputError: One of the layers cannot be read.
    """
    merged = {name: _as_sent(value) for name, value in parameters.items()}
    for content in inherited:
        value = _decoded(content, "a params layer of the base")
        if not isinstance(value, dict | None):
            raise InputError("a params layer of the base cannot be read: not an object")
        merged = (value or {}) | merged
    return encode(_sorted(merged)) if merged else b""


def _as_sent(value: ParameterValue) -> Any:
    return value if isinstance(value, bool) else list(value) if isinstance(value, tuple) else float(value)


def _sorted(value: Any) -> Any:
    """Return a value whose objects have sorted keys, as Go writes its maps."""
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError("a params layer of the base cannot be read: a number is too large")
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


def encode_messages(messages: Sequence[Message]) -> bytes:
    """Return the messages layer of a new model."""
    return encode([{"role": message.role.lower(), "content": message.content} for message in messages])


def encode_manifest(config: Mapping[str, Any], layers: Sequence[Mapping[str, Any]]) -> str:
    """Return the manifest that Ollama writes of a new model; each layer is an object with its keys in order."""
    return encode({"schemaVersion": 2, "mediaType": MEDIA_TYPE, "config": config, "layers": layers}).decode()


def read_config(content: bytes) -> Mapping[str, Any]:
    """Return the config of a model.

    Raises:
        InputError: It is not a JSON object.
    """
    return _object(content, "the config")


def read_details(content: bytes) -> Details:
    """Return what a config says of the weights.

    Raises:
        InputError: It is not a JSON object.
    """
    keys, config = ("model_family", "model_type", "file_type"), read_config(content)
    family, size, quantization = (value if isinstance(value := config.get(key), str) else "" for key in keys)
    return Details(family=family, size=size, quantization=quantization)


def _kind(kind: str, number: int) -> str:
    return "projector" if kind == "model" and number else kind


def _dumped(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"


def _text(content: bytes) -> str:
    return content.decode(errors="replace")  # as Go's JSON encoder does


def _decoded(content: bytes, what: str) -> Any:
    """Return the first JSON value of a layer, as Go's decoder does: it ignores what follows."""
    try:
        text = _text(content).lstrip(" \t\r\n")
        value, _ = json.JSONDecoder(parse_int=float, parse_constant=_reject).raw_decode(text)
        if "\\ud" in text.lower():  # Go reads half a character as U+FFFD
            whole = json.dumps(value, ensure_ascii=False).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            value = json.loads(whole, parse_int=float)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{what} cannot be read: not JSON") from error
    return value


def _reject(name: str) -> None:
    raise ValueError(name)


def _object(content: bytes, what: str) -> Mapping[str, Any]:
    value = _decoded(content, what)
    if not isinstance(value, dict):
        raise InputError(f"{what} cannot be read: not an object")
    return value


def _string(of: Mapping[str, Any], key: str) -> str:
    value = of.get(key)
    if not isinstance(value, str | None):
        raise InputError(f"the config cannot be read: {key} is not a text")
    return value or ""


def _messages(content: bytes) -> tuple[Message, ...]:
    value = _decoded(content, "the messages layer")
    said = []
    for one in value if isinstance(value, list) else [None]:
        role, text = (one.get("role", ""), one.get("content", "")) if isinstance(one, dict) else (None, None)
        if not isinstance(role, str) or not isinstance(text, str):
            raise InputError("the messages layer cannot be read: not a list of messages")
        said.append(Message(role, text))
    return tuple(said)


def _parameters(contents: list[bytes]) -> dict[str, ParameterValue]:
    """Return the parameters of all layers; a later one wins key by key. A list of none is no value."""
    merged: dict[str, Any] = {}
    for content in contents:
        merged |= _object(content, "the params layer")
    values = {name: value if isinstance(value, list) else [value] for name, value in merged.items()}
    return {name: _value(name, items) for name, items in values.items() if items}


def _value(name: str, items: list[Any]) -> ParameterValue:
    """Return a value as the server shows it: alone, or as a list of texts."""
    read = [_item(name, item) for item in items]
    if len(read) == 1:
        return read[0]
    return tuple(text for value in read for text in (value if isinstance(value, tuple) else (str(value),)))


def _item(name: str, item: Any) -> ParameterValue:
    match item:
        case bool():
            return item
        case float() if math.isfinite(item):
            return item
        case str():
            return (item,)
        case None:
            return ("<nil>",)  # as Go shows it
        case _:  # of no parameter
            raise InputError(f"the params layer cannot be read: invalid value of {json.dumps(name)}")
