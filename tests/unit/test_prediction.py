"""The model that a build of a Modelfile would create, without a server, too."""

from pathlib import Path

import pytest
from tests.support.silent import SilentStore

from modelfile.comparisons.diff import diff
from modelfile.errors import NotFound, ServerUnreachable
from modelfile.names import ModelName
from modelfile.pinning.pin import pin
from modelfile.prediction import expect, version_for
from modelfile.project.project import Project
from modelfile.project.target import Target
from modelfile.recipe.model import Model
from modelfile.stores.memory import MemoryRegistry, MemoryStore

BASE = Model(weights=(f"sha256:{'1' * 64}",), template="{{ .Prompt }}", parameters={"top_k": 1})
NAME = ModelName.parse("base:v1")


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MemoryRegistry:
    """Return a registry with the base of the Modelfile in this folder, whose `mf.toml` asks for 0.19.0."""
    monkeypatch.chdir(tmp_path)
    Path("Modelfile").write_text("FROM base:v1\nSYSTEM new\n")
    Path("mf.toml").write_text('ollama = "0.19.0"\n')
    return MemoryRegistry({NAME: BASE})


def target() -> Target:
    return Project().at(Path("Modelfile"))


def pinned(registry: MemoryRegistry) -> None:
    assert pin((target(),), MemoryStore(), registry)


def test_the_version_is_that_of_the_store_or_else_the_configured_one(registry: MemoryRegistry) -> None:
    del registry
    assert version_for(target(), MemoryStore(ollama="0.24.0")) == "0.24.0"
    assert version_for(target(), SilentStore()) == "0.19.0"


def test_a_locked_base_is_known_without_a_server(registry: MemoryRegistry) -> None:
    pinned(registry)
    for store in (SilentStore(), MemoryStore()):
        expected = expect(target(), store, registry)
        assert expected
        assert (expected.model.system, expected.model.parameters) == ("new", {"top_k": 1})
        assert expected.base
        assert expected.base.model == BASE
    comparison = diff("lock:base:v1", "Modelfile", Project(), SilentStore(), registry=registry)
    assert [change.title for change in comparison.changes] == ["system"]


def test_without_a_lock_a_server_is_needed(registry: MemoryRegistry) -> None:
    with pytest.raises(ServerUnreachable, match="no Ollama server answers"):
        expect(target(), SilentStore(), registry)
    with pytest.raises(NotFound, match="base base:v1 of `Modelfile` not found on memory:"):
        expect(target(), MemoryStore(), registry)
