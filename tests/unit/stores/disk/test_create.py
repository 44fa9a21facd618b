"""New models in a folder, byte for byte: worked examples and traces of Ollama, and what its versions do differently."""

import json
from pathlib import Path
from typing import Any, Final

import pytest
from tests.support.new_models import (
    BASE,
    FILE,
    TINY,
    V024,
    V093,
    add_base,
    add_weights,
    config_of,
    content_of,
    digest_of,
    kinds_of,
    make,
    open_with_weights,
)
from tests.support.tiny_gguf import typed_gguf

from modelfile.catalog.versions import NEWEST, Version
from modelfile.errors import InputError, ModelfileError, NotFound, UsageError
from modelfile.events import ignore
from modelfile.manifest import LAYER_TYPE, Layer
from modelfile.names import ModelName
from modelfile.recipe.model import fingerprint
from modelfile.recipe.recipe import Message, Recipe
from modelfile.recipe.values import ParameterValue
from modelfile.stores.disk.create import version_for
from modelfile.stores.disk.store import FolderStore


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return open_with_weights(tmp_path)


def test_order_of_layers_of_a_child(store: FolderStore) -> None:
    full = Recipe(
        files=(FILE,),
        template="{{ .Prompt }}",
        system="a",
        licenses=("MIT",),
        parameters={"seed": 1},
        messages=(Message("user", "hi"),),
    )
    store = FolderStore(store.layout, ollama="0.9.3")
    store.create(ModelName.parse(BASE), full, {FILE: TINY}, ignore)
    assert kinds_of(make(store, full, V093)) == ["model", "template", "system", "license", "params", "messages"]
    child = make(store, Recipe(base=BASE, system="b", parameters={"seed": 2}, licenses=("MIT", "")), V093)
    assert kinds_of(child) == ["model", "template", "license", "messages", "system", "license", "license", "params"]
    layers = json.loads(child.manifest)["layers"]
    assert [layer.get("from") for layer in layers] == [BASE] * 4 + [None] * 4
    assert layers[6] == {"mediaType": f"{LAYER_TYPE}license", "digest": f"sha256:{digest_of('')}", "size": 0}
    assert kinds_of(make(store, Recipe(base=BASE), V093))[-2:] == ["messages", "params"]


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("tiny", "tiny:latest"),
        ("library/tiny:x", "tiny:x"),
        ("registry.ollama.ai/a/b", "a/b:latest"),
        ("hf.co/library/b:c", "hf.co/library/b:c"),
        ("127.0.0.1:5000/a/b:c", "127.0.0.1:5000/a/b:c"),
    ],
)
def test_a_base_is_named_in_its_short_form(store: FolderStore, name: str, source: str) -> None:
    add_base(store, {"model": TINY}, {}, name)
    (layer,) = json.loads(make(store, Recipe(base=name), NEWEST).manifest)["layers"]
    assert layer["from"] == source


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (-0.0, "-0"),
        (1.0, "1"),
        (0.1, "0.1"),
        (1e-6, "0.000001"),
        (9.5e-7, "9.5e-7"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (2**63 - 1, "9223372036854776000"),
        (9007199254740993, "9007199254740992"),
        (True, "true"),
        (
            ("<a>", "\u2028", "é\x7f", "\b\f\n\0", '"\\'),
            '["\\u003ca\\u003e","\\u2028","é\x7f","\\b\\f\\n\\u0000","\\"\\\\"]',
        ),
    ],
)
def test_values_of_parameters_are_written_as_go_writes_them(
    store: FolderStore, value: ParameterValue, written: str
) -> None:
    made = make(store, Recipe(files=(FILE,), parameters={"x": value}), V093)
    assert content_of(made, "params") == f'{{"x":{written}}}\n'.encode()


def test_parameters_of_a_base_are_merged_and_written_anew(store: FolderStore) -> None:
    first = b'{ "z": 1.0, "b": {"d": 1, "c": [12345678901234567890, null, "<"]}, "seed": 1e0, "stop": ["a"] } trailing'
    second = b'{"b": 2, "new": "\\ud800"}'
    add_base(store, {"model": TINY, "params": first, "params2": second, "system": b"s"}, {})
    made = make(store, Recipe(base=BASE, parameters={"stop": ("x",), "top_k": 3}), NEWEST)
    expected = (
        '{"b":{"c":[12345678901234567000,null,"\\u003c"],"d":1},"new":"\ufffd","seed":1,"stop":["x"],"top_k":3,"z":1}\n'
    )
    assert content_of(made, "params").decode() == expected
    assert kinds_of(made) == ["model", "system", "params"]


@pytest.mark.parametrize(
    ("content", "kinds"),
    [(b"null", ["model", "params"]), (b"{}", ["model", "params"]), (b'{"a":null}', ["model", "params"])],
)
def test_empty_parameters_of_a_base(store: FolderStore, content: bytes, kinds: list[str]) -> None:
    add_base(store, {"model": TINY, "params": content}, {})
    made = make(store, Recipe(base=BASE), NEWEST)
    assert kinds_of(made) == kinds
    new = [layer for layer in json.loads(made.manifest)["layers"] if "from" not in layer]
    assert len(new) == (content == b'{"a":null}')


@pytest.mark.parametrize("content", [b"[]", b"{", b'{"a":1e999}', b'{"a":' + b"[" * 5000])
def test_unreadable_parameters_of_a_base(store: FolderStore, content: bytes) -> None:
    add_base(store, {"model": TINY, "params": content}, {})
    with pytest.raises(InputError, match="a params layer of the base cannot be read"):
        make(store, Recipe(base=BASE), NEWEST)


BASE_CONFIG: Final = {
    "renderer": "r",
    "parser": "p",
    "requires": "0.14.0",
    "capabilities": ["tools"],
    "model_format": "f",
    "base_name": "n",
    "context_length": 1,
}


@pytest.mark.parametrize(
    ("version", "inherited"),
    [
        ("0.9.3", {}),
        ("0.12.6", {}),
        ("0.12.7", {"renderer", "parser"}),
        ("0.14.0", {"renderer", "parser", "requires"}),
        ("0.20.0", {"renderer", "parser", "requires", "capabilities"}),
        ("0.20.4", {"renderer", "parser", "requires", "capabilities", "model_format"}),
        ("0.32.15", {"renderer", "parser", "requires", "capabilities", "model_format"}),
    ],
)
def test_keys_of_a_config_that_are_inherited(store: FolderStore, version: str, inherited: set[str]) -> None:
    add_base(store, {"model": TINY}, BASE_CONFIG)
    config = config_of(make(store, Recipe(base=BASE), Version.parse(version)))
    own = {key: config[key] for key in BASE_CONFIG if key in config}
    assert own == {"model_format": "gguf"} | {key: BASE_CONFIG[key] for key in inherited}
    keys = [
        "model_format",
        "model_family",
        "model_families",
        "model_type",
        "file_type",
        "renderer",
        "parser",
        "requires",
    ]
    keys += ["capabilities", "architecture", "os", "rootfs"]
    assert list(config) == [key for key in keys if key in config]
    assert ("rootfs" in config) == (Version.parse(version) < Version(0, 32, 7))


def test_own_renderer_parser_and_requires_win(store: FolderStore) -> None:
    add_base(store, {"model": TINY}, BASE_CONFIG)
    config = config_of(make(store, Recipe(base=BASE, renderer="x", parser="y", requires="0.15.0"), NEWEST))
    assert (config["renderer"], config["parser"], config["requires"]) == ("x", "y", "0.15.0")


@pytest.mark.parametrize("config", [{"renderer": 1}, {"capabilities": "tools"}, {"capabilities": [1]}])
def test_invalid_config_of_a_base(store: FolderStore, config: dict[str, Any]) -> None:
    add_base(store, {"model": TINY}, config)
    with pytest.raises(InputError, match="the config of the base cannot be read"):
        make(store, Recipe(base=BASE), NEWEST)


@pytest.mark.parametrize(
    ("architecture", "version", "renderer", "stop"),
    [
        ("gemma4", "0.19.0", None, None),
        ("gemma4", "0.20.0", "gemma4", ["<turn|>"]),
        ("laguna", "0.21.2", None, None),
        ("laguna", "0.22.0", "laguna", None),
        ("nemotron_h", "0.22.0", "nemotron-3-nano", None),
        ("nemotron_h_omni", "0.32.15", "nemotron-3-nano", None),
        ("llama", "0.32.15", None, None),
    ],
)
def test_renderer_of_an_architecture(
    store: FolderStore, architecture: str, version: str, renderer: str | None, stop: list[str] | None
) -> None:
    add_base(store, {"model": add_weights(store, TINY, {"general.architecture": architecture})}, {})
    made = make(store, Recipe(base=BASE), Version.parse(version))
    config = config_of(made)
    assert (config.get("renderer"), config.get("parser"), config["model_family"]) == (renderer, renderer, architecture)
    assert (json.loads(content_of(made, "params"))["stop"] if stop else None) == stop


def test_renderer_of_an_architecture_fills_in_what_is_missing(store: FolderStore) -> None:
    add_base(store, {"model": add_weights(store, TINY, {"general.architecture": "gemma4"})}, {"renderer": "own"})
    made = make(store, Recipe(base=BASE, parameters={"stop": ("x",)}), NEWEST)
    assert (config_of(made)["renderer"], config_of(made)["parser"]) == ("own", "gemma4")
    assert content_of(made, "params") == b'{"stop":["x"]}\n'
    made = make(store, Recipe(base=BASE, parser="own"), NEWEST)
    assert "params" not in kinds_of(made)


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        ((128,), "128"),
        ((999,), "999"),
        ((1000,), "1K"),
        ((2500,), "2K"),
        ((3500,), "4K"),
        ((999_999,), "1000K"),
        ((1000, 1000), "1M"),
        ((268_098_176,), "268.10M"),
        ((10**9,), "1B"),
        ((1024, 1024, 7000), "7.3B"),
        ((7 * 10**10,), "70B"),
    ],
)
def test_numbers_of_parameters(store: FolderStore, shape: tuple[int, ...], text: str) -> None:
    add_weights(store, TINY, {"general.architecture": "llama"}, shape)
    assert config_of(make(store, Recipe(files=(FILE,)), V093))["model_type"] == text


def test_layers_of_weights_that_count_in_the_config(store: FolderStore) -> None:
    vision = add_weights(
        store, f"sha256:{'1' * 64}", {"general.architecture": "clip", "general.type": "projector"}, (7,)
    )
    add_base(store, {"projector": vision, "model": TINY, "adapter": vision}, {})
    old, new = (config_of(make(store, Recipe(base=BASE), version)) for version in (V024, NEWEST))
    assert (old["model_family"], old["model_families"], old["model_type"]) == ("clip", ["clip", "llama", "clip"], "7")
    assert (new["model_family"], new["model_families"], new["model_type"]) == ("llama", ["llama"], "14K")


def test_draft_models(store: FolderStore) -> None:
    draft, path = add_weights(store, f"sha256:{'2' * 64}", {"general.architecture": "d"}), Path("folder/draft.gguf")
    add_base(store, {"model": TINY}, {})
    made = make(store, Recipe(base=BASE, drafts=(path,)), NEWEST, {path: draft})
    assert config_of(made)["draft"] == {"model_format": "gguf", "architecture": "d"}
    assert list(config_of(made))[-3:] == ["draft", "architecture", "os"]
    assert json.loads(made.manifest)["layers"][1]["from"] == "draft.gguf"
    assert kinds_of(made) == ["model", "draft"]


def test_an_adapter(store: FolderStore) -> None:
    adapter, path = f"sha256:{'3' * 64}", Path("folder/lora.gguf")
    add_weights(store, adapter, {"general.architecture": "llama", "general.type": "adapter"})
    add_base(store, {"model": TINY, "system": b"s"}, {})
    for version, source in ((V024, str(store.layout.blob(adapter))), (NEWEST, "lora.gguf")):
        made = make(store, Recipe(base=BASE, adapters=(path,)), version, {path: adapter})
        assert kinds_of(made) == ["model", "system", "adapter"]
        assert json.loads(made.manifest)["layers"][2]["from"] == source


def test_default_versions(store: FolderStore) -> None:
    assert version_for(Recipe(base=BASE), None) == NEWEST
    assert version_for(Recipe(files=(FILE,)), None) == V024
    assert version_for(Recipe(base=BASE), V093) == V093
    store.create(ModelName.parse(BASE), Recipe(files=(FILE,)), {FILE: TINY}, ignore)
    store.create(ModelName.parse("child"), Recipe(base=BASE), {}, ignore)
    rootfs = {}
    for name in (BASE, "child"):
        manifest = store.manifest(ModelName.parse(name))
        assert manifest
        rootfs[name] = "rootfs" in json.loads(store.blobs.read(manifest.config))
    assert rootfs == {BASE: True, "child": False}


@pytest.mark.parametrize(
    ("recipe", "version", "message"),
    [
        (Recipe(files=(FILE,), quantize="Q4_K_M"), V024, "a folder does not quantize weights"),
        (Recipe(files=(FILE,)), Version(0, 7, 0), "only 0.7.1 and later are known"),
        (Recipe(files=(FILE,), renderer="x"), V093, "Ollama 0.9.3 does not support RENDERER"),
        (Recipe(files=(FILE,), requires="0.14.0"), Version(0, 13, 0), "Ollama 0.13.0 does not support REQUIRES"),
        (Recipe(base=BASE, drafts=(FILE,)), V024, "Ollama 0.24.0 does not support DRAFT"),
        (Recipe(files=(FILE,)), Version(0, 30, 0), "Ollama 0.30.0 rewrites the weights in .*, which only its server"),
        (
            Recipe(files=(FILE, Path("b.gguf"))),
            V024,
            "FROM names 2 files, and Ollama 0.24.0 takes them in random order",
        ),
        (Recipe(files=(FILE, Path("b.gguf"))), NEWEST, "FROM names 2 files, and Ollama 0.32.15 merges or sorts them"),
        (Recipe(base="x:cloud"), NEWEST, "takes `x:cloud` for a model that runs elsewhere"),
        (Recipe(base="x:120b-Cloud"), NEWEST, "takes `x:120b-Cloud` for a model that runs elsewhere"),
        (Recipe(base="x:local"), NEWEST, "cuts off the tag `local`"),
        (Recipe(base=BASE, adapters=(FILE,)), Version(0, 34, 1), "does not create models with adapters"),
        (Recipe(files=(FILE,), template="{{ .Prompt"), V024, "TEMPLATE is invalid: this action is never closed"),
        (Recipe(files=(Path("x.safetensors"),)), V024, "only a server can convert `.*x.safetensors`"),
    ],
)
def test_what_only_a_server_can_do_is_rejected(
    store: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipe: Recipe, version: Version, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("tiny.gguf", "b.gguf"):
        Path(name).write_bytes(typed_gguf({"general.architecture": "llama"}))
    Path("x.safetensors").write_bytes(b"{}")
    store = FolderStore(store.layout, ollama=str(version))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises((UsageError, InputError), match=message) as raised:
        store.check_create(recipe)
    assert raised.value.hint
    assert sorted(tmp_path.rglob("*")) == before


def test_a_base_without_gguf_weights_is_rejected(store: FolderStore) -> None:
    add_base(store, {"system": b"s"}, {})
    for call in (lambda: store.check_create(Recipe(base=BASE)), lambda: make(store, Recipe(base=BASE), NEWEST)):
        with pytest.raises(InputError, match=f"the base {BASE} has no GGUF weights: only a server"):
            call()


def test_weights_that_were_converted_from_fp8_are_rejected(store: FolderStore) -> None:
    facts = {"general.architecture": "llama", "llama.source_quantization": "hf_fp8", "general.file_type": 1}
    add_base(store, {"model": add_weights(store, TINY, facts)}, {})
    assert config_of(make(store, Recipe(base=BASE), Version(0, 21, 0)))["file_type"] == "F16"
    for recipe in (Recipe(base=BASE), Recipe(files=(FILE,))):
        with pytest.raises(UsageError, match=r"0\.24\.0 quantizes .*, which was converted from FP8, to Q8_0"):
            make(store, recipe, V024)


def test_a_missing_blob_or_base_is_reported(store: FolderStore) -> None:
    with pytest.raises(NotFound, match=r"refused: blob sha256:1{12}… not found"):
        store.create(ModelName.parse("x"), Recipe(files=(FILE,)), {FILE: f"sha256:{'1' * 64}"}, ignore)
    with pytest.raises(ModelfileError, match="none:v1"):
        store.create(ModelName.parse("x"), Recipe(base="none:v1"), {}, ignore)
    add_base(store, {"model": TINY}, {})
    store.layout.blob(TINY).unlink()
    with pytest.raises(InputError, match="cannot read"):
        store.create(ModelName.parse("x"), Recipe(base=BASE), {}, ignore)
    assert [str(model.name) for model in store.list()] == [BASE]


def test_overwriting_removes_the_layers_that_only_the_old_model_had(store: FolderStore) -> None:
    name = ModelName.parse(BASE)
    for system in ("one", "two"):
        store.create(name, Recipe(files=(FILE,), system=system), {FILE: TINY}, ignore)
    assert not store.has_blob(f"sha256:{digest_of('one')}")
    assert store.has_blob(f"sha256:{digest_of('two')}")
    assert store.blobs.read(Layer(media_type="x", digest=f"sha256:{digest_of('two')}", size=3)) == b"two"


def test_the_model_of_files_is_predicted(store: FolderStore, tmp_path: Path) -> None:
    path = tmp_path / "other.gguf"
    path.write_bytes(typed_gguf({"general.architecture": "gemma4"}, {"x": (1,)}, size=1024))
    digest = f"sha256:{digest_of(path.read_bytes())}"
    recipe = Recipe(files=(path,), system="s", parameters={"seed": 1}, messages=(Message("user", "hi"),))
    predicted = store.predict(recipe, {path: digest})
    assert predicted
    assert not store.has_blob(digest)
    store.put_blob(digest, path, lambda _: None)
    store.create(ModelName.parse("x"), recipe, {path: digest}, ignore)
    found = store.find(ModelName.parse("x"))
    assert found
    assert (found.model, found.fingerprint) == (predicted, fingerprint(predicted))
    assert (predicted.renderer, predicted.parameters["stop"]) == ("gemma4", ("<turn|>",))
    assert store.predict(Recipe(base="x"), {}) is None
    assert store.predict(Recipe(files=(path,), quantize="Q8_0"), {path: digest}) is None
    assert FolderStore(store.layout, ollama="0.33.0").predict(recipe, {path: digest}) is None
