"""Weights of which a real server makes a model that it cannot load, and that `check_weights` rejects before."""

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.error import HTTPError

import gguf
import numpy as np
import pytest
from tests.live.test_created_models import generate
from tests.support.real_ollama import Unavailable
from tests.support.running_ollama import RunningOllama, run, write_talking_gguf
from tests.support.server import connect
from tests.support.tiny_safetensors import write_lora, write_model

from modelfile import parse
from modelfile.catalog.versions import Version
from modelfile.errors import InputError, ServerError
from modelfile.events import ignore
from modelfile.names import ModelName
from modelfile.recipe.recipe import Recipe, resolve
from modelfile.stores.ollama.store import ServerStore
from modelfile.weights.checks import check_weights
from modelfile.weights.digests import digests_of

pytestmark = pytest.mark.live

NAME = ModelName.parse("loading:v1")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningOllama]:
    try:
        with run(tmp_path_factory.mktemp("loading")) as server:
            yield server
    except Unavailable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def talking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_talking_gguf(tmp_path_factory.mktemp("talking") / "m.gguf", {":": [["Par", "is"]]})


def answer(recipe: Recipe, running: RunningOllama) -> str:
    """Make a model from weights that were not checked, and return its answer.

    Raises:
        HTTPError: The server cannot load it.
    """
    with connect(running.url) as client:
        store = ServerStore(client)
        digests = digests_of(recipe.local_files)
        for path, digest in digests.items():
            store.put_blob(digest, path, lambda _: None)
        store.create(NAME, recipe, digests, ignore)
        return generate(running.url, str(NAME), "say:")


def check(recipe: Recipe) -> None:
    check_weights(recipe.model_files, recipe.adapters, version=Version(0, 9, 3))


def make(folder: Path, talking: Path, old: bytes, new: bytes) -> Path:
    """Write the talking model with other bytes in its header."""
    content = talking.read_bytes()
    assert old in content
    path = folder / "changed.gguf"
    path.write_bytes(content.replace(old, new))
    return path


NORM = b"output_norm.weight" + struct.pack("<IQ", 1, 288)
CHANGES = {
    "key twice": (b"bos_token_id", b"eos_token_id", "corrupt-gguf"),
    "tensor twice": (b"blk.0.attn_k.weight", b"blk.0.attn_q.weight", "corrupt-gguf"),
    "rows that fill no blocks": (NORM + bytes(4), NORM + struct.pack("<I", 12), "corrupt-gguf"),
    "version 4": (b"GGUF\3", b"GGUF\4", "corrupt-gguf"),
    "architecture": (b"llama", b"fooma", "unsupported-architecture"),
    "no architecture": (b"general.architecture", b"general.architecturx", "unsupported-architecture"),
    **{
        f"type {kind}": (NORM + bytes(4), NORM + struct.pack("<I", kind), "unsupported-quantization")
        for kind in (31, 39, 40, 99)
    },
}


def test_unchanged_model_answers(talking: Path, running: RunningOllama) -> None:
    recipe = resolve(parse(f"FROM {talking}"), talking.parent)
    check(recipe)
    assert answer(recipe, running) == "Paris"


@pytest.mark.parametrize(("old", "new", "rule"), [pytest.param(*change, id=name) for name, change in CHANGES.items()])
def test_model_that_cannot_be_loaded_is_rejected(
    old: bytes, new: bytes, rule: str, tmp_path: Path, talking: Path, running: RunningOllama
) -> None:
    recipe = resolve(parse(f"FROM {make(tmp_path, talking, old, new)}"), tmp_path)
    with pytest.raises(InputError) as raised:
        check(recipe)
    assert raised.value.rule == rule
    with pytest.raises(HTTPError, match="500"):
        answer(recipe, running)


WIDTH = 288
ADAPTERS = {
    "architecture": ("gemma", {}),
    "shape": ("llama", {"blk.0.attn_q.weight": (64, 64)}),
    "block": ("llama", {"blk.5.attn_q.weight": (WIDTH, WIDTH)}),
}


def write_adapter(path: Path, architecture: str, changes: Mapping[str, tuple[int, int]]) -> Path:
    """Write an adapter of rank 4, for tensors with these numbers of inputs and outputs."""
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 8.0)
    for name, (inputs, outputs) in changes.items():
        writer.add_tensor(f"{name}.lora_a", np.zeros((4, inputs), np.float32))
        writer.add_tensor(f"{name}.lora_b", np.zeros((outputs, 4), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_adapter_that_fits_is_applied(tmp_path: Path, talking: Path, running: RunningOllama) -> None:
    adapter = write_adapter(
        tmp_path / "a.gguf", "llama", {"blk.0.attn_q.weight": (WIDTH, WIDTH), "blk.0.ffn_up.weight": (WIDTH, 32)}
    )
    recipe = resolve(parse(f"FROM {talking}\nADAPTER {adapter}"), tmp_path)
    check(recipe)
    assert answer(recipe, running) == "Paris"


@pytest.mark.parametrize(("architecture", "changes"), [pytest.param(*each, id=name) for name, each in ADAPTERS.items()])
def test_adapter_that_does_not_fit_is_rejected(
    architecture: str, changes: dict[str, tuple[int, int]], tmp_path: Path, talking: Path, running: RunningOllama
) -> None:
    adapter = write_adapter(tmp_path / "a.gguf", architecture, changes or {"blk.0.attn_q.weight": (WIDTH, WIDTH)})
    recipe = resolve(parse(f"FROM {talking}\nADAPTER {adapter}"), tmp_path)
    with pytest.raises(InputError) as raised:
        check(recipe)
    assert raised.value.rule == "adapter-mismatch"
    with pytest.raises(HTTPError, match="500"):
        answer(recipe, running)


def test_adapter_in_safetensors_needs_a_base_that_is_converted(
    tmp_path: Path, talking: Path, running: RunningOllama
) -> None:
    base = make(tmp_path, talking, b"llama", b"qwen2")
    recipe = resolve(parse(f"FROM {base}\nADAPTER {write_lora(tmp_path / 'lora')}"), tmp_path)
    with pytest.raises(InputError) as raised:
        check(recipe)
    assert raised.value.rule == "adapter-format"
    with pytest.raises(ServerError, match="unsupported architecture"):
        answer(recipe, running)


def test_safetensors_that_are_not_converted_are_rejected(tmp_path: Path, running: RunningOllama) -> None:
    config = write_model(tmp_path / "m") / "config.json"
    config.write_text(config.read_text().replace("LlamaForCausalLM", "MistralForCausalLM"))
    recipe = resolve(parse("FROM ./m"), tmp_path)
    with pytest.raises(InputError) as raised:
        check(recipe)
    assert raised.value.rule == "unsupported-architecture"
    with pytest.raises(ServerError, match="unsupported architecture"):
        answer(recipe, running)


@pytest.mark.parametrize(
    ("header", "refused"),
    [
        (b"[]", "cannot unmarshal array"),
        (b'{"x": {"dtype": "F16", "shape": [-1], "data_offsets": [0, 2]}}', "cannot unmarshal number -1"),
        (b'{"x": {"dtype": "X9", "shape": [1], "data_offsets": [0, 2]}}', "unknown data type: X9"),
        (b"null", ""),
    ],
    ids=str,
)
def test_corrupt_safetensors_are_refused_or_make_an_empty_model(
    header: bytes, refused: str, running: RunningOllama, tmp_path: Path
) -> None:
    weights = write_model(tmp_path) / "model.safetensors"
    weights.write_bytes(len(header).to_bytes(8, "little") + header + bytes(2))
    recipe = resolve(parse(f"FROM {tmp_path}"), tmp_path)
    with pytest.raises(InputError, match="is a corrupt safetensors file"):
        check(recipe)
    with pytest.raises(ServerError, match=refused) if refused else pytest.raises(HTTPError):
        answer(recipe, running)
