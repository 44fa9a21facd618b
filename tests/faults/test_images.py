"""Models that other programs published as OCI images, and images that are none of a model."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fakes.registry import FakeRegistry
from tests.fakes.store import published
from tests.fakes.values import Published
from tests.support.folder import contents, digest_of

from modelfile.errors import InputError
from modelfile.events import ignore
from modelfile.manifest import Manifest, as_oci
from modelfile.names import ModelName
from modelfile.stores.disk.store import FolderStore
from modelfile.stores.open import open_folder, open_registry

MODEL = published(b"GGUF" + bytes(100), system="hello")


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as fake:
        yield fake


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FolderStore]:
    with open_registry() as registry, open_folder(tmp_path / "models", registry=registry) as store:
        yield store


def name(fake: FakeRegistry) -> ModelName:
    return ModelName.parse(f"{fake.host}/team/bot:v1")


def test_model_that_skopeo_published_is_pulled_with_its_own_manifest(fake: FakeRegistry, store: FolderStore) -> None:
    exact = Manifest.parse(MODEL.manifest, "it")
    fake.push("team/bot", "v1", Published(as_oci(exact), MODEL.blobs))
    store.pull(name(fake), ignore)
    assert store.manifest(name(fake)) == exact
    assert fake.violations == []


def test_container_image_is_rejected_before_the_download(fake: FakeRegistry, store: FolderStore) -> None:
    value = json.loads(MODEL.manifest)
    for layer in value["layers"]:
        layer["mediaType"] = "application/vnd.oci.image.layer.v1.tar+gzip"
    fake.push("team/bot", "v1", Published(json.dumps(value).encode(), MODEL.blobs))
    with pytest.raises(InputError, match=r"the manifest of .*/team/bot:v1 is not that of a model, but of a container"):
        store.pull(name(fake), ignore)
    assert (contents(store.layout.root), fake.asked("HEAD")) == ({}, [])


def test_config_that_is_no_object_is_rejected(fake: FakeRegistry, store: FolderStore) -> None:
    value, config = json.loads(MODEL.manifest), b"[]"
    value["config"] |= {"digest": digest_of(config), "size": len(config)}
    fake.push("team/bot", "v1", Published(json.dumps(value).encode(), {**MODEL.blobs, digest_of(config): config}))
    with pytest.raises(
        InputError, match=r"/team/bot:v1 is not a model of Ollama: the config cannot be read: not an object"
    ):
        store.pull(name(fake), ignore)
    assert store.list() == ()
