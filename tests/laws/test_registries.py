"""Models in registries: the same fingerprint whether read from the layers or from a server that pulled them."""

from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.ollama import FakeOllama
from tests.fakes.store import published
from tests.laws.test_laws import models
from tests.support.server import connect

from modelfile.events import ignore
from modelfile.manifest import Manifest
from modelfile.names import ModelName
from modelfile.recipe.model import Model, fingerprint
from modelfile.stores.encoding import read_model
from modelfile.stores.memory import MemoryRegistry, MemoryStore
from modelfile.stores.ollama.store import ServerStore

NAME = ModelName.parse("base:v1")
VALUES = st.floats(-1e30, 1e30) | st.booleans() | st.text() | st.lists(st.text(), max_size=3) | st.integers(-9, 9)


@given(models)
def test_memory(model: Model) -> None:
    registry, store = MemoryRegistry({NAME: model}), MemoryStore(registry={NAME: model})
    store.pull(NAME, ignore)
    stored, manifest = store.find(NAME), registry.resolve(NAME)
    assert stored
    assert manifest
    assert fingerprint(read_model(manifest, lambda layer: registry.read(NAME, layer))) == stored.fingerprint


@given(
    request=st.fixed_dictionaries(
        {},
        optional={
            "template": st.sampled_from(("{{ .Prompt }}", "{{ .System }}\n{{ .Prompt }}", '"')),
            "system": st.text(),
            "license": st.lists(st.text(), max_size=3),
            "parameters": st.dictionaries(st.from_regex(r"[a-z_]{1,30}", fullmatch=True), VALUES, max_size=4),
            "messages": st.lists(
                st.fixed_dictionaries({"role": st.sampled_from(("user", "assistant")), "content": st.text()}),
                max_size=3,
            ),
        },
    )
)
def test_server(request: dict[str, object]) -> None:
    with FakeOllama(allow=("field",)) as fake, connect(fake.url) as client:
        model = published(b"GGUF", **request)
        fake.registry["base:v1"] = model
        store = ServerStore(client)
        store.pull(NAME, ignore)
        stored = store.find(NAME)
        assert stored
        manifest = Manifest.parse(model.manifest, "x")
        assert read_model(manifest, lambda layer: model.blobs[layer.digest]) == stored.model
