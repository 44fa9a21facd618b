"""Pushes from a folder."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fakes.hostile import error
from tests.fakes.registry import FakeRegistry
from tests.fakes.store import published

from modelfile.errors import InputError, NotFound, RegistryRefused
from modelfile.events import Progress, ignore
from modelfile.manifest import portable
from modelfile.names import ModelName
from modelfile.stores.disk.store import FolderStore
from modelfile.stores.network.retry import Backoff
from modelfile.stores.open import open_folder, open_registry


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as fake:
        yield fake


@pytest.fixture
def store(fake: FakeRegistry, tmp_path: Path) -> Iterator[FolderStore]:
    """Yield a folder with a model that has no registry yet."""
    with (
        open_registry(backoff=Backoff(first=0.001)) as registry,
        open_folder(tmp_path / "models", registry=registry) as store,
    ):
        model = published(b"GGUF", system="hello")
        for content in model.blobs.values():
            store.blobs.put(content)
        value = json.loads(model.manifest)
        value["layers"][0]["from"] = "/home/me/.ollama/models/blobs/sha256-0"
        store.write_manifest(name(fake), json.dumps(value))
        yield store


def name(fake: FakeRegistry, text: str = "bot:v1") -> ModelName:
    return ModelName.parse(f"{fake.host}/team/{text}")


def pushed(fake: FakeRegistry) -> bytes:
    return fake.blobs["team/bot"][fake.tags["team/bot"]["v1"]]


def test_model_is_pushed_and_leaks_no_path(fake: FakeRegistry, store: FolderStore) -> None:
    seen: list[Progress] = []
    store.push(name(fake), seen.append)
    assert pushed(fake).decode() == portable(published(b"GGUF", system="hello").manifest.decode())
    assert b"/models" not in pushed(fake)
    assert [asked.method for asked in fake.requests][-1] == "PUT"
    assert fake.requests[-1].path == "/v2/team/bot/manifests/v1"
    last = [event for event in seen if event.total][-1]
    assert (last.completed, seen[-1].status) == (last.total, "success")


def test_pushed_model_is_pulled_again(fake: FakeRegistry, store: FolderStore) -> None:
    store.push(name(fake), ignore)
    before = store.find(name(fake))
    store.delete(name(fake))
    assert not [*store.layout.blobs()]
    store.pull(name(fake), ignore)
    after = store.find(name(fake))
    assert before
    assert after
    assert before.fingerprint == after.fingerprint


def test_second_push_sends_no_layer(fake: FakeRegistry, store: FolderStore) -> None:
    store.push(name(fake), ignore)
    count = len(fake.asked("PATCH"))
    store.push(name(fake), ignore)
    assert len(fake.asked("PATCH")) == count


def test_layers_are_mounted_from_other_models(fake: FakeRegistry, store: FolderStore) -> None:
    store.push(name(fake), ignore)
    count = len(fake.asked("PATCH"))
    store.copy(name(fake), name(fake, "other:v1"))
    store.push(name(fake, "other:v1"), ignore)
    assert len(fake.asked("PATCH")) == count
    assert fake.tags["team/other"]["v1"] == fake.tags["team/bot"]["v1"]
    del fake.blobs["team/bot"]
    store.copy(name(fake), name(fake, "third:v1"))
    fake.blobs["team/other"].clear()
    store.push(name(fake, "third:v1"), ignore)
    assert len(fake.asked("PATCH")) == 2 * count, "what cannot be mounted is sent"


def test_failed_layer_publishes_nothing(fake: FakeRegistry, store: FolderStore) -> None:
    fake.fault("/uploads/", error("denied", "403 Forbidden"), method="POST", times=9)
    with pytest.raises(RegistryRefused, match=r"cannot push the \w+ of .*team/bot:v1: .* denies access"):
        store.push(name(fake), ignore)
    assert fake.tags == {}
    fake._faults.clear()  # noqa: SLF001  # access is granted
    store.push(name(fake), ignore)
    assert pushed(fake)


def test_model_that_is_missing_or_damaged(fake: FakeRegistry, store: FolderStore) -> None:
    with pytest.raises(NotFound, match=r"model .*team/none:v1 not found"):
        store.push(name(fake, "none:v1"), ignore)
    digest, path = next(iter(store.layout.blobs()))
    path.write_bytes(b"x")
    with pytest.raises(InputError, match=f"blob {digest[:19]}… is truncated"):
        store.push(name(fake), ignore)
    path.unlink()
    with pytest.raises(InputError, match=f"blob {digest[:19]}… is missing"):
        store.push(name(fake), ignore)
    assert fake.requests == []
