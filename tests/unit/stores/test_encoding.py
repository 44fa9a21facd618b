"""Models read from the layers of a manifest, as Ollama's server reads them."""

import hashlib
import json
from typing import Any

import pytest
from tests.support.paths import ROOT

from modelfile.errors import InputError
from modelfile.manifest import CONFIG_TYPE, LAYER_TYPE, MEDIA_TYPE, Layer, Manifest
from modelfile.recipe.model import Model
from modelfile.recipe.recipe import Message
from modelfile.stores.encoding import read_model, write_model


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


def model_of(*layers: tuple[str, str | bytes | None], config: str = "{}") -> Model:
    """Return the model of layers: their kinds and contents, None for weights."""
    contents = {digest(number): content for number, (_, content) in enumerate(layers)} | {digest(99): config}

    def entry(media_type: str, number: int) -> dict[str, Any]:
        return {"mediaType": media_type, "digest": digest(number), "size": 1}

    value = {
        "schemaVersion": 2,
        "mediaType": MEDIA_TYPE,
        "config": entry(CONFIG_TYPE, 99),
        "layers": [entry(f"{LAYER_TYPE}{kind}", number) for number, (kind, _) in enumerate(layers)],
    }

    def read(layer: Layer) -> bytes:
        content = contents[layer.digest]
        assert content is not None, "weights are never read"
        return content if isinstance(content, bytes) else content.encode()

    return read_model(Manifest.parse(json.dumps(value), "x"), read)


def test_every_kind_of_layer() -> None:
    model = model_of(
        ("model", None),
        ("projector", None),
        ("adapter", None),
        ("draft", None),
        ("template", "{{ .System }}"),
        ("system", "hello"),
        ("license", "MIT"),
        ("license", "BSD"),
        ("params", '{"stop":["a","\\u003cb\\u003e"],"temperature":0.5,"num_ctx":4096,"penalize_newline":true}\n'),
        ("messages", '[{"role":"user","content":"hi"},{"role":"assistant"}]\n'),
        ("embed", None),
        config='{"renderer":"r","parser":"p","requires":"0.14.0","rootfs":{}}\n',
    )
    assert model == Model(
        weights=(digest(0), digest(1)),
        adapters=(digest(2),),
        drafts=(digest(3),),
        template="{{ .System }}",
        system="hello",
        license="MIT\nBSD",
        parameters={"stop": ("a", "<b>"), "temperature": 0.5, "num_ctx": 4096.0, "penalize_newline": True},
        messages=(Message("user", "hi"), Message("assistant", "")),
        renderer="r",
        parser="p",
        requires="0.14.0",
    )


def test_last_layer_of_a_kind_wins_as_in_ollama() -> None:
    model = model_of(
        ("model", None), ("prompt", "old"), ("model", None), ("template", "new"), ("system", "a"), ("system", "b")
    )
    assert (model.weights, model.template, model.system) == ((digest(2),), "new", "b")


def test_parameters_of_several_layers_are_merged() -> None:
    model = model_of(("model", None), ("params", '{"seed":1,"top_k":2}'), ("params", '{"seed":3} ignored'))
    assert model.parameters == {"seed": 3.0, "top_k": 2.0}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ('"a"', ("a",)),
        ('["a"]', ("a",)),
        ("[5]", 5.0),
        ('[1,"b",true]', ("1.0", "b", "True")),
        ("null", ("<nil>",)),
        ("12345678901234567890", 12345678901234567890.0),
        ('"\\ud83d\\ude00\\ud800"', ("😀\ufffd",)),
    ],
)
def test_values_are_those_that_a_server_shows(written: str, value: object) -> None:
    assert model_of(("model", None), ("params", f'{{"x":{written}}}')).parameters == {"x": value}


def test_empty_list_is_no_parameter() -> None:
    assert model_of(("model", None), ("params", '{"stop":[]}')).parameters == {}


def test_text_that_is_not_utf8() -> None:
    assert model_of(("model", None), ("system", b"a\xffb")).system == "a\ufffdb"


def test_model_without_weights() -> None:
    with pytest.raises(InputError) as caught:
        model_of(("template", "x"))
    assert (caught.value.message, caught.value.hint) == ("the manifest has no weights", "is it a cloud model?")


@pytest.mark.parametrize(
    ("kind", "content", "message"),
    [
        ("params", "{", "the params layer cannot be read: not JSON"),
        ("params", "[]", "the params layer cannot be read: not an object"),
        ("params", '{"a":NaN}', "the params layer cannot be read: not JSON"),
        ("params", '{"a":1e999}', 'the params layer cannot be read: invalid value of "a"'),
        ("params", '{"a":{}}', 'the params layer cannot be read: invalid value of "a"'),
        ("params", '{"a":' + "[" * 100_000, "the params layer cannot be read: not JSON"),
        ("messages", "{}", "the messages layer cannot be read: not a list of messages"),
        ("messages", '[{"role":1}]', "the messages layer cannot be read: not a list of messages"),
    ],
)
def test_layers_that_cannot_be_read(kind: str, content: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        model_of(("model", None), (kind, content))
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("<html>", "the config cannot be read: not JSON"),
        ('{"renderer":1}', "the config cannot be read: renderer is not a text"),
    ],
)
def test_configs_that_cannot_be_read(config: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        model_of(("model", None), config=config)
    assert caught.value.message == message


def test_layers_are_written_as_ollama_does() -> None:
    manifest, blobs = write_model(
        Model(
            weights=(digest(1), digest(2)),
            parameters={"temperature": 0.5, "stop": ("a",)},
            system="hello",
            renderer="r",
        )
    )
    kinds = [layer.kind for layer in manifest.layers]
    assert kinds == ["model", "projector", "system", "params"]
    texts = [blobs[layer.digest].decode() for layer in (manifest.config, *manifest.layers[2:])]
    assert texts == [
        '{"model_format":"gguf","renderer":"r"}\n',
        "hello",
        '{"stop":["a"],"temperature":0.5}\n',
    ]


RECORDED = {
    "config": '{"model_format":"gguf","model_family":"llama","model_families":["llama"],"model_type":"14K",'
    '"file_type":"unknown","architecture":"amd64","os":"linux"}\n',
    "template": "{{ .System }} {{ .Prompt }}",
    "system": "hello",
    "license": "MIT",
    "params": '{"stop":["a","\\u003cb\\u003e"],"temperature":0.5}\n',
    "messages": '[{"role":"user","content":"hi"},{"role":"assistant","content":"yo"}]\n',
}
"""The small blobs of tests/data/registries/tiny-0.33.json."""


def test_recorded_model_of_ollama_0_33() -> None:
    manifest = Manifest.parse((ROOT / "tests/data/registries/tiny-0.33.json").read_bytes(), "x")
    assert manifest.digest.startswith("sha256:cb5f3b73")
    for layer in (manifest.config, *manifest.layers[1:]):
        assert hashlib.sha256(RECORDED[layer.kind].encode()).hexdigest() == layer.digest.removeprefix("sha256:")
    assert read_model(manifest, lambda layer: RECORDED[layer.kind].encode()) == Model(
        weights=("sha256:fee17bc4ca4fea5120bb398866ee4e2f7183c3f75ffdb0c10ca2b9379b24dafd",),
        template="{{ .System }} {{ .Prompt }}",
        system="hello",
        license="MIT",
        parameters={"stop": ("a", "<b>"), "temperature": 0.5},
        messages=(Message("user", "hi"), Message("assistant", "yo")),
    )


def test_recorded_manifest_of_ollama_0_9_3() -> None:
    manifest = Manifest.parse((ROOT / "tests/data/registries/local-0.9.3.json").read_bytes(), "x")
    assert manifest.digest.startswith("sha256:836b1689")
    assert manifest.size == 60448 + 265
    assert [layer.kind for layer in manifest.layers] == ["model"]


@pytest.mark.parametrize(("count", "size"), [(101, 1), (5, 8 << 20)])
def test_too_many_small_layers_are_not_read(count: int, size: int) -> None:
    layers = tuple(
        Layer(media_type=f"{LAYER_TYPE}license", digest=digest(number), size=size) for number in range(count)
    )
    manifest = Manifest(text="", config=Layer(media_type=CONFIG_TYPE, digest=digest(0), size=1), layers=layers)
    with pytest.raises(InputError, match="more than the 100 small layers, or 32 MiB of them, that are read"):
        read_model(manifest, lambda _: pytest.fail("a layer is read"))
