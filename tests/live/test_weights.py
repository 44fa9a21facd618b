"""Folders, projectors, adapters and types on a real Ollama server, and the errors that `check_weights` prevents."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.paths import ROOT
from tests.support.server import connect
from tests.support.tiny_safetensors import write_lora, write_model
from tests.unit.weights.test_checks import write_gguf, write_shard

from modelfile import parse
from modelfile.builder.forecast import expected_model
from modelfile.catalog.versions import Version
from modelfile.differ.comparison import Aspect
from modelfile.differ.models import compare_models
from modelfile.errors import InputError, ServerError, UsageError
from modelfile.events import ignore
from modelfile.names import ModelName
from modelfile.recipe.model import Model
from modelfile.recipe.recipe import Recipe, resolve
from modelfile.stores.ollama.store import ServerStore
from modelfile.weights.checks import check_quantization, check_weights
from modelfile.weights.conversion import converted_header
from modelfile.weights.digests import digests_of
from modelfile.weights.reading import read_weights

pytestmark = pytest.mark.live

NAME = ModelName.parse("weights:v1")


@pytest.fixture
def store(real: str) -> Iterator[ServerStore]:
    with connect(real) as client:
        yield ServerStore(client)


def version(store: ServerStore) -> Version:
    return Version.parse(store.ollama)


def recipe_of(folder: Path, text: str, store: ServerStore) -> Recipe:
    return resolve(parse(text), folder, version(store))


def create(recipe: Recipe, store: ServerStore) -> Model:
    """Create a model from a recipe whose weights were not checked, and return it."""
    digests = digests_of(recipe.local_files)
    for path, digest in digests.items():
        store.put_blob(digest, path, lambda _: None)
    store.create(NAME, recipe, digests, ignore)
    found = store.find(NAME)
    assert found is not None
    return found.model


def test_shards_of_safetensors_give_the_model_of_one_file(tmp_path: Path, store: ServerStore) -> None:
    write_model(tmp_path / "one")
    write_model(tmp_path / "three", shards=3)
    models = []
    for name in ("one", "three"):
        recipe = recipe_of(tmp_path, f"FROM {name}", store)
        check_weights(recipe.model_files, recipe.adapters, recipe.drafts, version(store))
        models.append(create(recipe, store))
    assert models[0] == models[1]
    assert len(models[0].weights) == 1


def test_memory_of_safetensors_is_that_of_the_types_that_a_server_converts_to(
    tmp_path: Path, store: ServerStore
) -> None:
    create(recipe_of(tmp_path, f"FROM {write_model(tmp_path / 'm')}", store), store)
    stored = store.find(NAME)
    assert stored is not None
    (served,) = store.weights(stored)
    (local,) = read_weights(tmp_path / "m")
    expected, header = served.header, converted_header(local)
    assert expected is not None
    assert header.types == expected.types
    assert (
        expected.metadata.items()
        >= {key: header.metadata[key] for key in header.metadata if "vocab" not in key}.items()
    )


def create_for_any_base(recipe: Recipe, store: ServerStore) -> Model:
    """Create a model again where the server takes the projector for the base of an adapter to convert.

    Ollama takes the first GGUF of a request, whose files it reads in random order (0.9.3, kvFromLayers in create.go).
    """
    for _ in range(20):
        try:
            return create(recipe, store)
        except ServerError as error:
            if "unsupported architecture" not in error.message:
                raise
    return create(recipe, store)


def test_a_projector_and_adapters(tmp_path: Path, tiny: Path, store: ServerStore) -> None:
    write_gguf(tmp_path / "mmproj.gguf", {"general.type": "mmproj", "clip.vision.block_count": 1}, arch="clip")
    write_gguf(tmp_path / "lora.gguf", {"general.type": "adapter"})
    write_lora(tmp_path / "lora")
    for adapter in ("lora.gguf", "lora"):
        recipe = recipe_of(tmp_path, f"FROM {tiny}\nFROM mmproj.gguf\nADAPTER {adapter}", store)
        check_weights(recipe.model_files, recipe.adapters, recipe.drafts, version(store))
        model = create_for_any_base(recipe, store)
        assert len(model.weights) == 2
        assert len(model.adapters) == 1
        assert (model.adapters[0] in digests_of(recipe.local_files).values()) == (adapter == "lora.gguf")


@pytest.mark.parametrize(
    "text",
    ["FROM m.gguf\nFROM lora.gguf", "FROM ./both", "FROM m.gguf\nADAPTER p.gguf", "FROM base:v1\nADAPTER p.gguf"],
)
def test_gguf_files_are_sorted_by_their_content(text: str, tmp_path: Path, tiny: Path, store: ServerStore) -> None:
    (tmp_path / "both").mkdir()
    for folder in (tmp_path, tmp_path / "both"):
        (folder / "m.gguf").write_bytes(tiny.read_bytes())
        write_gguf(folder / "lora.gguf", {"general.type": "adapter"})
    write_gguf(tmp_path / "p.gguf", {"general.type": "projector", "clip.vision.block_count": 2}, arch="clip")
    base = create(recipe_of(tmp_path, "FROM m.gguf", store), store)
    store.copy(NAME, ModelName.parse("base:v1"))
    recipe = recipe_of(tmp_path, text, store)
    check_weights(recipe.model_files, recipe.adapters, recipe.drafts, version(store))
    created, digests = create(recipe, store), digests_of(recipe.local_files)
    expected = expected_model(
        recipe, digests, base=base if recipe.base else None, created=created, version=store.ollama
    )
    assert created == expected
    assert ({*created.weights}, {*created.adapters}) == (
        {*base.weights, *(digests[path] for path in recipe.adapters)},
        {digests[path] for path in recipe.files if path.name == "lora.gguf"},
    )


def test_quantizations_that_the_server_rejects_are_rejected_before(
    tmp_path: Path, tiny: Path, store: ServerStore
) -> None:
    unquantized = write_gguf(tmp_path / "f32.gguf", {"general.file_type": 0})
    before = create(Recipe(files=(tiny,)), store)
    for kind in ("q8_0", "Q4_K_M", "bf16"):
        recipe = Recipe(files=(tiny,), quantize=kind)
        check_quantization(recipe.model_files, kind, version(store), base=recipe.base)
        assert create(recipe, store).weights != before.weights
    for recipe in (Recipe(files=(tiny,), quantize="q5_0"), Recipe(files=(unquantized,), quantize="q8_0")):
        with pytest.raises(UsageError):
            check_quantization(recipe.model_files, recipe.quantize, version(store), base=recipe.base)
        with pytest.raises(ServerError, match="quantiz"):
            create(recipe, store)


def test_a_folder_with_a_gguf_and_another_file_is_rejected(tmp_path: Path, store: ServerStore) -> None:
    write_gguf(tmp_path / "m.gguf")
    (tmp_path / "config.json").write_text("{}")
    recipe = recipe_of(tmp_path, "FROM .", store)
    with pytest.raises(ServerError, match="not in GGUF format"):
        create(recipe, store)
    with pytest.raises(InputError, match="GGUF"):
        check_weights(recipe.model_files, recipe.adapters, recipe.drafts, version(store))


def a_truncated_file(folder: Path, tiny: Path) -> str:
    (folder / "cut.gguf").write_bytes(tiny.read_bytes()[:-5000])
    return "FROM cut.gguf"


def shards_of_gguf(folder: Path, _tiny: Path) -> str:
    write_shard(folder, 1, 2)
    write_shard(folder, 2, 2)
    return "FROM ."


def a_missing_shard(folder: Path, _tiny: Path) -> str:
    (write_model(folder / "m", shards=3) / "model-00002-of-00003.safetensors").unlink()
    return "FROM m"


def a_model_as_adapter(folder: Path, tiny: Path) -> str:
    (folder / "other.gguf").write_bytes(tiny.read_bytes())
    return f"FROM {tiny}\nADAPTER other.gguf"


def a_stripped_part(folder: Path, _tiny: Path) -> str:
    write_gguf(folder / "m-00001-of-00002.gguf", {"llama.block_count": 2}, tensors=("blk.0.attn_q.weight",))
    return "FROM m-00001-of-00002.gguf"


def a_projector_without_a_vision_encoder(folder: Path, tiny: Path) -> str:
    write_gguf(folder / "mmproj.gguf", {"general.type": "mmproj", "clip.has_audio_encoder": True}, arch="clip")
    return f"FROM {tiny}\nFROM mmproj.gguf"


@pytest.mark.parametrize(
    "prepare",
    [
        a_truncated_file,
        shards_of_gguf,
        a_missing_shard,
        a_model_as_adapter,
        a_stripped_part,
        a_projector_without_a_vision_encoder,
    ],
)
def test_weights_that_a_server_accepts_by_mistake_are_rejected(
    prepare: Any, tmp_path: Path, tiny: Path, store: ServerStore
) -> None:
    if version(store) >= Version(0, 30, 0):
        pytest.skip("newer servers reject them")
    recipe = recipe_of(tmp_path, prepare(tmp_path, tiny), store)
    create(recipe, store)
    with pytest.raises(InputError):
        check_weights(recipe.model_files, recipe.adapters, recipe.drafts, version(store))


@pytest.mark.parametrize("missing", ["config.json", "tokenizer.json"])
def test_a_folder_without_a_required_file_is_rejected(missing: str, tmp_path: Path, store: ServerStore) -> None:
    (write_model(tmp_path / "m") / missing).unlink()
    recipe = recipe_of(tmp_path, "FROM m", store)
    with pytest.raises(ServerError):
        create(recipe, store)
    if missing == "config.json":
        with pytest.raises(InputError):
            check_weights(recipe.model_files, recipe.adapters, recipe.drafts, version(store))


def test_examples_of_several_files(store: ServerStore) -> None:
    models = [
        create(recipe_of(path.parent, path.read_text(), store), store)
        for path in (ROOT / "modelfiles/vision/Modelfile", ROOT / "modelfiles/lora-adapter/Modelfile")
    ]
    assert [(len(model.weights), len(model.adapters)) for model in models] == [(2, 0), (1, 1)]


def test_examples_of_two_types(store: ServerStore) -> None:
    pair = sorted((ROOT / "modelfiles/quantized-pair").glob("*.Modelfile"))
    models = [create(recipe_of(path.parent, path.read_text(), store), store) for path in pair]
    assert [change.aspect for change in compare_models(*models)] == [Aspect.WEIGHTS]
