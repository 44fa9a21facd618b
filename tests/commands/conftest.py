"""A server with models, for the commands on models."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.contracts.backups_contract import hold
from tests.fakes.ollama import FakeOllama
from tests.support.building import MUTABLE
from tests.support.scene import Scene
from tests.support.server import connect

from modelfile.names import ModelName
from modelfile.stores.backups import alias_of
from modelfile.stores.ollama.store import ServerStore

V1, V2 = ModelName.parse("bot:v1"), ModelName.parse("bot:v2")


@pytest.fixture
def store(fake: FakeOllama, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServerStore]:
    """Start a server with bot:v1, which was overwritten once, and bot:v2."""
    monkeypatch.setenv("OLLAMA_HOST", fake.url)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mf.toml").write_text(MUTABLE)
    fake.store.clock = datetime(2026, 1, 1, tzinfo=UTC)
    weights = tmp_path / "weights.gguf"
    weights.write_bytes(b"GGUF" + bytes(20))
    with connect(fake.url) as client:
        store = ServerStore(client)
        hold(store, weights, V1, "first")
        store.copy(V1, alias_of(V1, store.list()[0].digest))
        hold(store, weights, V1, "second")
        hold(store, weights, V2, "other")
        yield store


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """Return a project with a Modelfile FROM a base that a registry has; no server answers."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "Modelfile").write_text("# A bot.\nFROM llama3.2:3b\nSYSTEM You are terse.\n")
    monkeypatch.chdir(tmp_path)
    return Scene(tmp_path)
