"""Pushes: what is compared before, and what is checked afterwards."""

from collections.abc import Iterator
from typing import Any

import pytest

from modelfile.errors import NotFound, RegistryRefused, ServerError, VerificationError, WouldReplace
from modelfile.events import Events, ignore
from modelfile.library.publication import push
from modelfile.names import ModelName
from modelfile.recipe.model import Model
from modelfile.stores.memory import MemoryRegistry, MemoryStore
from modelfile.stores.ollama.store import ServerStore
from modelfile.stores.ollama.wire import ProgressWire
from modelfile.stores.protocol import RegistrySettings

NAME = ModelName.parse("registry.example/team/bot:v1")
OLD, NEW = (Model(weights=(f"sha256:{'1' * 64}",), system=system) for system in ("old", "new"))


class Server(MemoryStore):
    """A server that pushes to registries; `made` is what arrives there, or the error."""

    def __init__(self, registry: MemoryRegistry, model: Model) -> None:
        super().__init__(registry={NAME: model})
        self.pull(NAME, ignore)
        self.made: Model | ServerError | None = model
        self.pushes = 0
        self._registries = registry

    def push(self, name: ModelName, events: Events) -> None:
        """Push a model."""
        del events
        self.pushes += 1
        if isinstance(self.made, ServerError):
            raise self.made
        if self.made:
            self._registries.push(name, self.made)


def test_new_tag() -> None:
    registry = MemoryRegistry()
    pushed = push(str(NAME), Server(registry, NEW), registry)
    manifest = registry.resolve(NAME)
    assert manifest
    assert (pushed.name, pushed.digest, pushed.previous) == (NAME, manifest.digest, None)
    assert not pushed.was_up_to_date


def test_tag_with_the_same_model_is_up_to_date() -> None:
    registry = MemoryRegistry({NAME: NEW})
    server = Server(registry, NEW)
    assert push(str(NAME), server, registry).was_up_to_date
    assert push("Registry.Example/TEAM/bot:v1", server, registry).was_up_to_date
    assert server.pushes == 0


def test_tag_with_another_model_is_replaced_only_on_request() -> None:
    registry = MemoryRegistry({NAME: OLD})
    server, old = Server(registry, NEW), registry.resolve(NAME)
    with pytest.raises(WouldReplace) as caught:
        push(str(NAME), server, registry)
    assert str(caught.value).startswith(f"{NAME} on https://registry.example already has another model: mf1:")
    assert caught.value.details == ("changes: system (may change answers)",)
    assert (server.pushes, registry.resolve(NAME)) == (0, old)
    pushed = push(str(NAME), server, registry, replace=True)
    assert old
    assert pushed.previous == old.digest != pushed.digest


def test_missing_model() -> None:
    registry = MemoryRegistry()
    with pytest.raises(NotFound, match="none:v1 not found"):
        push("none:v1", Server(registry, NEW), registry)


@pytest.mark.parametrize(("made", "what"), [(None, "no model of this name"), (OLD, "another model of this name")])
def test_registry_is_looked_at_afterwards(made: Model | None, what: str) -> None:
    registry = MemoryRegistry()
    server = Server(registry, NEW)
    server.made = made
    with pytest.raises(VerificationError, match=f"https://registry.example has {what} after the push of"):
        push(str(NAME), server, registry)


def test_error_of_the_server_names_the_model() -> None:
    registry = MemoryRegistry()
    server = Server(registry, NEW)
    server.made = ServerError("memory: refused: max retries exceeded")
    with pytest.raises(ServerError, match=f"cannot push {NAME}: memory: refused: max retries exceeded") as caught:
        push(str(NAME), server, registry)
    assert caught.value.hint == "check that you may push to registry.example, and that the server can reach it"
    server.made = RegistryRefused("cannot push the config of x: y denies access")
    with pytest.raises(RegistryRefused, match=r"^cannot push the config"):
        push(str(NAME), server, registry)


@pytest.mark.parametrize(
    ("name", "insecure"), [("registry.example/team/bot:v1", False), ("127.0.0.1:5000/team/bot:v1", True)]
)
def test_server_pushes_past_mirrors(name: str, *, insecure: bool) -> None:
    asked: list[tuple[str, bool]] = []

    class Client:
        url = "http://server"

        def push(self, name: str, *, insecure: bool) -> Iterator[ProgressWire]:
            asked.append((name, insecure))
            return iter(())

    settings = RegistrySettings(mirrors={"registry.example": "http://127.0.0.1:5000"})
    client: Any = Client()
    ServerStore(client, route=settings.route).push(ModelName.parse(name), ignore)
    assert asked == [(name, insecure)]
