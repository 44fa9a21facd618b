"""The first look at a server: what it takes for an answer, and what it leaves to the client."""

from collections.abc import Callable

import pytest
from tests.fakes.faults import Garbage, Hangup, Status
from tests.fakes.ollama import FakeOllama

from modelfile.stores.ollama.client import Client
from modelfile.stores.ollama.lazy import QuickStore
from modelfile.stores.ollama.store import ServerStore
from modelfile.stores.ollama.transport import Glance

BLOB = f"sha256:{'0' * 64}"


def opened(client: Client, log: list[str]) -> Callable[[], ServerStore]:
    def open_store() -> ServerStore:
        log.append("opened")
        return ServerStore(client)

    return open_store


def test_a_look_is_enough(fake: FakeOllama) -> None:
    digest = fake.store.add(b"GGUF weights")
    log: list[str] = []
    with Client(fake.url) as client:
        list(client.create("bot:v1", {"files": {"w.gguf": digest}}))
        store = QuickStore(fake.url, opened(client, log))
        assert store.list() == ServerStore(client).list()
        assert (store.version(), store.has_blob(digest), store.has_blob(BLOB)) == ("0.9.3", True, False)
        store.close()
    assert not log


@pytest.mark.parametrize(
    "fault",
    [
        Status(500, '{"error": "boom"}'),
        Hangup(),
        Garbage(b"<html>"),
        Garbage(b"[]"),
        Garbage(b'{"models": [{"name": "a b"}]}'),
        Garbage(b'{"models": [{"name": "a:b", "digest": "x", "size": 1, "modified_at": "now"}]}'),
        Garbage(b'{"models": [{"name": "a:b", "digest": "x", "size": 1, "modified_at": "2026-01-01T00:00:00"}]}'),
    ],
)
def test_what_is_no_answer_is_asked_again(fake: FakeOllama, fault: Status | Hangup | Garbage) -> None:
    fake.fault("/api/tags", fault)
    log: list[str] = []
    with Client(fake.url) as client:
        store = QuickStore(fake.url, opened(client, log))
        assert store.list() == ()
        assert store.version() == "0.9.3"
    assert log == ["opened"]


@pytest.mark.parametrize("url", ["http://192.0.2.1:11434", "https://127.0.0.1:1", "http://ollama.example:80"])
def test_only_this_machine_is_looked_at(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("http.client.HTTPConnection.connect", lambda _: pytest.fail("it connects"))
    assert (Glance(url).get("/api/version"), Glance(url).head("/")) == (None, None)


def test_nobody_there() -> None:
    assert Glance("http://127.0.0.1:9").get("/api/version") is None
