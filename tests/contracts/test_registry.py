"""The contract of registries: in memory, the fake one over HTTP, that of the demo, and Debian's docker-registry."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
import pytest
from tests.fakes.registry import MANIFEST, FakeRegistry
from tests.fakes.values import Published
from tests.support.registry import available
from tests.support.registry import registry as real_registry

from demo_registry import serve as demo_registry
from modelfile.errors import ServerError
from modelfile.manifest import LAYER_TYPE, Layer, Manifest
from modelfile.names import ModelName
from modelfile.recipe.model import Model
from modelfile.recipe.recipe import Message
from modelfile.stores.encoding import read_model, write_model
from modelfile.stores.memory import MemoryRegistry
from modelfile.stores.open import open_registry
from modelfile.stores.protocol import Registry

WEIGHTS = f"sha256:{hashlib.sha256(b'w').hexdigest()}"
MODEL = Model(
    weights=(WEIGHTS,),
    template="{{ .System }}",
    system="hello é",
    license="MIT",
    parameters={"stop": ("a", "<b>"), "temperature": 0.5},
    messages=(Message("user", "hi"),),
    renderer="r",
)


@dataclass(frozen=True, slots=True)
class Subject:
    """A registry, and what pushes to it."""

    host: str
    registry: Registry
    push: Callable[[ModelName, Model], object]

    def name(self, text: str) -> ModelName:
        """Return a name on its host."""
        return ModelName.parse(f"{self.host}/team/{text}")


def upload(host: str, name: ModelName, model: Model) -> None:
    """Push a model over HTTP, as the specification has it."""
    manifest, blobs = write_model(model)
    base = f"http://{host}/v2/{name.namespace}/{name.model}"
    for digest, content in {**blobs, WEIGHTS: b"w"}.items():
        location = httpx.post(f"{base}/blobs/uploads/").raise_for_status().headers["Location"]
        url = httpx.URL(location).copy_merge_params({"digest": digest})
        httpx.put(url, content=content).raise_for_status()
    headers = {"Content-Type": MANIFEST}
    httpx.put(f"{base}/manifests/{name.tag}", content=manifest.text.encode(), headers=headers).raise_for_status()


@pytest.fixture(
    params=[
        "memory",
        "fake",
        "demo",
        pytest.param(
            "real",
            marks=[
                pytest.mark.live,
                pytest.mark.skipif(not available(), reason="docker-registry is not installed (apt-get install)"),
            ],
        ),
    ]
)
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    """Yield every kind of registry, empty."""
    match request.param:
        case "memory":
            memory = MemoryRegistry()
            yield Subject("registry.example", memory, memory.push)
        case "fake":
            with FakeRegistry() as fake, open_registry() as registry:

                def push(name: ModelName, model: Model) -> None:
                    manifest, blobs = write_model(model)
                    published = Published(manifest.text.encode(), {**blobs, WEIGHTS: b"w"})
                    fake.push(f"{name.namespace}/{name.model}", name.tag, published)

                yield Subject(fake.host, registry, push)
        case "demo":
            with demo_registry() as host, open_registry() as registry:
                yield Subject(host, registry, lambda name, model: upload(host, name, model))
        case _:
            with real_registry() as host, open_registry() as registry:
                yield Subject(host, registry, lambda name, model: upload(host, name, model))


def test_model_is_read_from_its_layers(subject: Subject) -> None:
    name = subject.name("bot:v1")
    subject.push(name, MODEL)
    manifest = subject.registry.resolve(name)
    assert manifest
    assert manifest == write_model(MODEL)[0]
    assert read_model(manifest, lambda layer: subject.registry.read(name, layer)) == MODEL


def test_absent_models_and_tags(subject: Subject) -> None:
    subject.push(subject.name("bot:v1"), MODEL)
    for text in ("bot:v2", "other:v1", "bot:V1"):
        assert subject.registry.resolve(subject.name(text)) is None
    assert subject.registry.manifest(subject.name("bot:v1"), f"sha256:{'0' * 64}") is None


def test_moved_tag_and_its_old_version_by_digest(subject: Subject) -> None:
    name = subject.name("bot:v1")
    old, new = (write_model(Model(weights=(WEIGHTS,), system=text))[0] for text in ("old", "new"))
    for text in ("old", "new"):
        subject.push(name, Model(weights=(WEIGHTS,), system=text))
    assert subject.registry.resolve(name) == new
    assert subject.registry.manifest(name, old.digest) == old


def test_tags(subject: Subject) -> None:
    for text in ("bot:v2", "bot:v1", "other:v3"):
        subject.push(subject.name(text), MODEL)
    assert subject.registry.tags(subject.name("bot")) == ("v1", "v2")
    assert subject.registry.tags(subject.name("missing")) == ()


def test_missing_layer(subject: Subject) -> None:
    name = subject.name("bot:v1")
    subject.push(name, MODEL)
    layer = Layer(media_type="application/vnd.ollama.image.system", digest=f"sha256:{'1' * 64}", size=3)
    with pytest.raises(ServerError, match=subject.host):
        subject.registry.read(name, layer)


def test_reading_is_idempotent(subject: Subject) -> None:
    name = subject.name("bot:v1")
    subject.push(name, MODEL)
    manifests: set[Manifest | None] = {subject.registry.resolve(name) for _ in range(3)}
    assert len(manifests) == 1


def layer_of(content: bytes, kind: str = "model") -> Layer:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return Layer(media_type=f"{LAYER_TYPE}{kind}", digest=digest, size=len(content))


def test_layers_are_uploaded_published_and_downloaded_in_ranges(subject: Subject) -> None:
    name, content = subject.name("made:v1"), bytes(range(256)) * 100
    manifest, blobs = write_model(
        Model(weights=(layer_of(content).digest,), system="hi"), {layer_of(content).digest: 25_600}
    )
    blobs = {**blobs, layer_of(content).digest: content}
    for layer in (*manifest.layers, manifest.config):
        assert not subject.registry.has(name, layer)
        sent: list[int] = []
        subject.registry.upload(name, layer, blobs[layer.digest], sent.append)
        assert sum(sent) == layer.size
        subject.registry.upload(name, layer, blobs[layer.digest], sent.append)
        assert sum(sent) == layer.size, "it is there already"
        assert subject.registry.has(name, layer)
    assert subject.registry.publish(name, manifest.text) == manifest
    assert subject.registry.resolve(name) == manifest
    for start, end in ((0, 25_600), (0, 1), (7, 9), (25_599, 25_600)):
        received = bytearray()
        subject.registry.download(name, layer_of(content), start, end, received.extend)
        assert received == content[start:end]


def test_published_manifest_has_no_paths(subject: Subject) -> None:
    name, content = subject.name("made:v1"), b"GGUF"
    manifest, blobs = write_model(Model(weights=(layer_of(content).digest,)), {layer_of(content).digest: 4})
    for digest, blob in {**blobs, layer_of(content).digest: content}.items():
        layer = next(one for one in (*manifest.layers, manifest.config) if one.digest == digest)
        subject.registry.upload(name, layer, blob, lambda _: None)
    value = json.loads(manifest.text)
    value["layers"][0]["from"] = "/home/me/models/blobs/sha256-0"
    assert subject.registry.publish(name, json.dumps(value)).text == manifest.text
    found = subject.registry.resolve(name)
    assert found
    assert found.text == manifest.text


def test_layer_with_other_bytes_is_rejected(subject: Subject) -> None:
    name = subject.name("made:v1")
    with pytest.raises(ServerError, match=f"(?i){subject.host}"):
        subject.registry.upload(name, layer_of(b"GGUF"), b"FUGG", lambda _: None)
    assert not subject.registry.has(name, layer_of(b"GGUF"))


def test_manifest_whose_layers_are_missing_is_rejected(subject: Subject) -> None:
    manifest, _ = write_model(Model(weights=(layer_of(b"GGUF").digest,)), {layer_of(b"GGUF").digest: 4})
    with pytest.raises(ServerError, match=subject.host):
        subject.registry.publish(subject.name("made:v1"), manifest.text)
    assert subject.registry.resolve(subject.name("made:v1")) is None


def test_layer_is_mounted(subject: Subject) -> None:
    layer = layer_of(b"GGUF")
    subject.registry.upload(subject.name("base:v1"), layer, b"GGUF", lambda _: None)
    subject.registry.upload(
        subject.name("made:v1"), layer, b"GGUF", lambda _: None, mount_from=[subject.name("base:v1")]
    )
    assert subject.registry.has(subject.name("made:v1"), layer)


def test_no_two_uploads_share_a_location(subject: Subject) -> None:
    if isinstance(subject.registry, MemoryRegistry):
        pytest.skip("has no uploads of several requests")
    base = f"http://{subject.host}/v2/team/bot/blobs/uploads/"
    digest = {"digest": WEIGHTS}
    with httpx.Client(headers={"Accept-Encoding": "identity"}) as client:
        first, second = (client.post(base).raise_for_status().headers["Location"] for _ in range(2))
        client.put(httpx.URL(base).join(first).copy_merge_params(digest), content=b"w").raise_for_status()
        third = client.post(base).raise_for_status().headers["Location"]
    assert len({httpx.URL(location).path for location in (first, second, third)}) == 3
