"""Folders, projectors, adapters and types on a real Ollama server, and what `check_weights` is there for."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.tiny_safetensors import write_lora, write_model
from tests.unit.weights.test_checks import write_gguf, write_part

from modelfile import parse
from modelfile.catalog.versions import Version
from modelfile.errors import InputError, ServerError, UsageError
from modelfile.names import ModelName
from modelfile.recipe.model import Model
from modelfile.recipe.recipe import Recipe, resolve
from modelfile.stores.ollama.client import Client
from modelfile.stores.ollama.store import ServerStore
from modelfile.weights.checks import check_quantization, check_weights
from modelfile.weights.digests import digests_of

pytestmark = pytest.mark.live

NAME = ModelName.parse("weights:v1")


@pytest.fixture
def store(real: str) -> Iterator[ServerStore]:
    with Client(real) as client:
        yield ServerStore(client)


def version(store: ServerStore) -> Version:
    return Version.parse(store.version())


def understood(folder: Path, text: str, store: ServerStore) -> Recipe:
    return resolve(parse(text), folder, version(store))


def made(recipe: Recipe, store: ServerStore) -> Model:
    """What the server makes of a recipe that nobody looked at."""
    digests = digests_of(recipe.local_files)
    for path, digest in digests.items():
        store.put_blob(digest, path, lambda _: None)
    for _ in store.create(NAME, recipe.request(digests, version(store))):
        pass
    found = store.find(NAME)
    assert found is not None
    return found.model


def test_a_folder_of_safetensors(tmp_path: Path, store: ServerStore) -> None:
    write_model(tmp_path / "one")
    write_model(tmp_path / "three", shards=3)
    models = []
    for name in ("one", "three"):
        recipe = understood(tmp_path, f"FROM {name}", store)
        check_weights(recipe.model_files, recipe.adapters, recipe.drafts, version(store))
        models.append(made(recipe, store))
    assert models[0] == models[1]
    assert len(models[0].weights) == 1


def test_a_projector_and_adapters(tmp_path: Path, tiny: Path, store: ServerStore) -> None:
    write_gguf(tmp_path / "mmproj.gguf", {"general.type": "mmproj", "clip.vision.block_count": 1}, arch="clip")
    write_gguf(tmp_path / "lora.gguf", {"general.type": "adapter"})
    write_lora(tmp_path / "lora")
    for adapter in ("lora.gguf", "lora"):
        recipe = understood(tmp_path, f"FROM {tiny}\nFROM mmproj.gguf\nADAPTER {adapter}", store)
        check_weights(recipe.model_files, recipe.adapters, recipe.drafts, version(store))
        model = made(recipe, store)
        assert len(model.weights) == 2
        assert len(model.adapters) == 1
        assert (model.adapters[0] in digests_of(recipe.local_files).values()) == (adapter == "lora.gguf")


def test_types(tmp_path: Path, tiny: Path, store: ServerStore) -> None:
    whole = write_gguf(tmp_path / "f32.gguf", {"general.file_type": 0})
    before = made(Recipe(files=(tiny,)), store)
    for kind in ("q8_0", "Q4_K_M", "bf16"):
        recipe = Recipe(files=(tiny,), quantize=kind)
        check_quantization(recipe.model_files, kind, version(store), base=recipe.base)
        assert made(recipe, store).weights != before.weights
    for recipe in (Recipe(files=(tiny,), quantize="q5_0"), Recipe(files=(whole,), quantize="q8_0")):
        with pytest.raises(UsageError):
            check_quantization(recipe.model_files, recipe.quantize, version(store), base=recipe.base)
        with pytest.raises(ServerError, match="quantiz"):
            made(recipe, store)


def test_a_gguf_and_what_is_none_in_one_folder(tmp_path: Path, store: ServerStore) -> None:
    write_gguf(tmp_path / "m.gguf")
    (tmp_path / "config.json").write_text("{}")
    recipe = understood(tmp_path, "FROM .", store)
    with pytest.raises(ServerError, match="not in GGUF format"):
        made(recipe, store)
    with pytest.raises(InputError, match="refuses what is not GGUF"):
        check_weights(recipe.model_files, recipe.adapters, recipe.drafts, version(store))


def cut(folder: Path, tiny: Path) -> str:
    (folder / "cut.gguf").write_bytes(tiny.read_bytes()[:-5000])
    return "FROM cut.gguf"


def split(folder: Path, _tiny: Path) -> str:
    write_part(folder, 1, 2)
    write_part(folder, 2, 2)
    return "FROM ."


def shard_missing(folder: Path, _tiny: Path) -> str:
    (write_model(folder / "m", shards=3) / "model-00002-of-00003.safetensors").unlink()
    return "FROM m"


def a_model_as_adapter(folder: Path, tiny: Path) -> str:
    (folder / "other.gguf").write_bytes(tiny.read_bytes())
    return f"FROM {tiny}\nADAPTER other.gguf"


def a_stripped_part(folder: Path, _tiny: Path) -> str:
    write_gguf(folder / "m-00001-of-00002.gguf", {"llama.block_count": 2}, tensors=("blk.0.attn_q.weight",))
    return "FROM m-00001-of-00002.gguf"


def a_projector_that_is_not_seen(folder: Path, tiny: Path) -> str:
    write_gguf(folder / "mmproj.gguf", {"general.type": "mmproj", "clip.has_audio_encoder": True}, arch="clip")
    return f"FROM {tiny}\nFROM mmproj.gguf"


@pytest.mark.parametrize(
    "prepare", [cut, split, shard_missing, a_model_as_adapter, a_stripped_part, a_projector_that_is_not_seen]
)
def test_what_a_server_takes_and_should_not(prepare: Any, tmp_path: Path, tiny: Path, store: ServerStore) -> None:
    if version(store) >= Version(0, 30, 0):
        pytest.skip("newer servers look closer")
    recipe = understood(tmp_path, prepare(tmp_path, tiny), store)
    made(recipe, store)
    with pytest.raises(InputError):
        check_weights(recipe.model_files, recipe.adapters, recipe.drafts, version(store))


@pytest.mark.parametrize("missing", ["config.json", "tokenizer.json"])
def test_a_folder_in_which_something_is_missing(missing: str, tmp_path: Path, store: ServerStore) -> None:
    (write_model(tmp_path / "m") / missing).unlink()
    recipe = understood(tmp_path, "FROM m", store)
    with pytest.raises(ServerError):
        made(recipe, store)
    if missing == "config.json":
        with pytest.raises(InputError):
            check_weights(recipe.model_files, recipe.adapters, recipe.drafts, version(store))
