"""Weights of which a real server makes a model that it cannot load, and that `check_weights` rejects before."""

import struct
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError

import pytest
from tests.live.test_created_models import generate
from tests.support.real_ollama import Unavailable
from tests.support.running_ollama import RunningOllama, run, write_talking_gguf
from tests.support.server import connect

from modelfile import parse
from modelfile.catalog.versions import Version
from modelfile.errors import InputError
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
