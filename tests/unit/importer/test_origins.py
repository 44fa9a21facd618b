"""The names that FROM may have for a stored model."""

from datetime import UTC, datetime

import pytest

from modelfile.importer.origins import possible_bases
from modelfile.names import ModelName
from modelfile.recipe.model import Model
from modelfile.stores.protocol import ListedModel, StoredModel

DIGEST, OTHER = (f"sha256:{digit * 64}" for digit in "01")
ALIAS = f"llama3.2:sha256-{'0' * 64}"


def stored(name: str, parent: str = "") -> StoredModel:
    return StoredModel(name=ModelName.parse(name), digest=DIGEST, model=Model(), parent=parent)


def bases(of: StoredModel, listed: dict[str, str], *locked: str) -> list[str]:
    """Return the possible bases of a model, beside listed models by name with their digests."""
    now = datetime.now(UTC)
    models = [
        ListedModel(name=ModelName.parse(name), digest=digest, size=1, modified=now) for name, digest in listed.items()
    ]
    return [str(name) for name in possible_bases(of, models, map(ModelName.parse, locked))]


@pytest.mark.parametrize(
    ("parent", "name"),
    [
        ("llama3.2:3b", "llama3.2:3b"),
        ("me/bot", "me/bot:latest"),
        ("", None),
        ("/usr/share/ollama/.ollama/models/blobs/sha256-0", None),
        ("C:\\models\\blobs\\sha256-0", None),
        ("tiny.GGUF", None),
        ("model-00001-of-00002.safetensors", None),
        ("no name", None),
    ],
)
def test_origins(parent: str, name: str | None) -> None:
    found = stored("bot:v1", parent).base_name
    assert (str(found) if found else None) == name


def test_origin_comes_first() -> None:
    listed = {"bot:v1": DIGEST, "other:v1": OTHER, "qwen3:8b": OTHER, "base:v1": OTHER}
    assert bases(stored("bot:v1", "base:v1"), listed, "locked:v1") == ["base:v1", "locked:v1", "qwen3:8b"]
    assert bases(stored("bot:v1", "bot:v1"), listed) == ["qwen3:8b"]
    assert bases(stored("bot:v1", "/x/tiny.gguf"), listed) == ["qwen3:8b"]


def test_alias_of_a_base_comes_last() -> None:
    listed = {ALIAS: OTHER, "llama3.2:3b": OTHER, "mine:v1": OTHER, "qwen3:8b": DIGEST}
    found = bases(stored("bot:v1", ALIAS), listed, "locked:v1")
    assert found == ["llama3.2:3b", "mine:v1", "locked:v1", "llama3.2:3b", "qwen3:8b", ALIAS]


@pytest.mark.parametrize("name", ["llama3.2:3b", "llama3.2:latest", "LLAMA3.2:3b"])
def test_model_of_the_library_is_a_base_itself(name: str) -> None:
    assert bases(stored(name), {"qwen3:8b": DIGEST, name: DIGEST}, "locked:v1") == [name]


def test_tag_that_does_not_move_is_better() -> None:
    listed = {"llama3.2:latest": DIGEST, "llama3.2:1b": OTHER, "llama3.2:3b": DIGEST, ALIAS: DIGEST, "qwen3:8b": DIGEST}
    assert bases(stored("llama3.2:latest"), listed) == ["llama3.2:3b", "llama3.2:latest"]
    assert bases(stored("llama3.2:3b"), listed) == ["llama3.2:3b"]


@pytest.mark.parametrize(
    ("name", "was_pulled"),
    [
        ("me/bot:v1", True),
        ("hf.co/a/b:Q4_K_M", True),
        ("brand-new:7b", True),
        ("brand-new:30b-a3b-q4_K_M", True),
        ("brand-new:0.6b", True),
        ("bot:v1", False),
        ("bot:latest", False),
        ("bot:1.0", False),
        ("bot:v2b", False),
    ],
)
def test_models_without_an_origin(name: str, was_pulled: bool) -> None:
    assert bases(stored(name), {name: DIGEST}) == ([name] if was_pulled else [])
