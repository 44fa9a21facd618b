"""The stores that the contracts are tested on."""

from collections.abc import Iterator

import pytest
from tests.fakes.ollama import FakeOllama
from tests.support.server import connect

from modelfile.stores.memory import MemoryStore
from modelfile.stores.ollama.store import ServerStore
from modelfile.stores.open import open_folder
from modelfile.stores.protocol import Store

KINDS = ["memory", "folder 0.9.3", "folder 0.24.0", "fake 0.9.3", "fake 0.33.0"]


@pytest.fixture(params=[*KINDS, pytest.param("real", marks=pytest.mark.live)])
def any_store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """Yield every kind of store, empty."""
    kind, _, version = request.param.partition(" ")
    match kind:
        case "memory":
            yield MemoryStore()
        case "folder":
            with open_folder(request.getfixturevalue("tmp_path") / "store", ollama=version) as store:
                yield store
        case "fake":
            with FakeOllama(version) as fake, connect(fake.url) as client:
                yield ServerStore(client)
        case _:
            with connect(request.getfixturevalue("real")) as client:
                yield ServerStore(client)
