"""The ways to a server: a connection of our own until it is not enough, and then httpx."""

import hashlib
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.fakes.faults import Fault, Garbage, Hangup, Status
from tests.fakes.ollama import FakeOllama
from tests.fakes.script import Pause, Script
from tests.support.clock import AdvancedClock
from tests.support.server import connect

from modelfile.errors import ServerError
from modelfile.events import ignore
from modelfile.stores.network import connections
from modelfile.stores.network.deadline import Timeouts
from modelfile.stores.network.retry import Backoff
from modelfile.stores.network.sockets import BoundedSocket
from modelfile.stores.ollama.connection import Connection
from modelfile.stores.ollama.store import ServerStore
from modelfile.stores.uploads import upload_all

BLOB = f"sha256:{'0' * 64}"
ASK = """
import sys
from modelfile.addresses import ServerAddress
from modelfile.names import ModelName
from modelfile.stores.open import open_store
with open_store(ServerAddress.parse(sys.argv[1]), key=sys.argv[2]) as store:
    store.ollama, store.list(), store.has_blob(sys.argv[3]), store.find(ModelName.parse("bot:v1"))
    store.copy(ModelName.parse("bot:v1"), ModelName.parse("bot:v2"))
print(*sys.modules)
"""


@pytest.mark.parametrize("key", ["", "geheim"])
def test_small_requests_to_this_machine_need_no_httpx_unless_there_is_a_key(fake: FakeOllama, key: str) -> None:
    digest = fake.store.add(b"GGUF weights")
    with connect(fake.url) as client:
        list(client.create("bot:v1", {"files": {"w.gguf": digest}}))
    program = [sys.executable, "-c", ASK, fake.url, key, digest]
    ran = subprocess.run(program, capture_output=True, text=True, check=True)
    clients = {"httpx", "http", "email", "ssl"}
    assert {*ran.stdout.split()} & {"pydantic", *clients} == (clients if key else set())
    assert fake.models.keys() == {"bot:v1", "bot:v2"}


@pytest.mark.no_cover  # Python 3.11 cannot install the tracer of coverage in two threads at once
@pytest.mark.parametrize("key", ["", "geheim-0123456789"])
def test_eight_uploads_at_once_never_share_a_connection(fake: FakeOllama, tmp_path: Path, key: str) -> None:
    for number in range(20):
        digests = {}
        for file in range(8):
            path = tmp_path / f"{number}-{file}.gguf"
            path.write_bytes(b"GGUF %d %d" % (number, file))
            digests[path] = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
        with connect(fake.url, key=key) as client:
            upload_all(digests, ServerStore(client), ignore)
        assert {*digests.values()} <= fake.blobs.keys()


def owned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let every connection, over our own and httpx, note whether two threads use it at once."""
    users: dict[int, int] = {}
    shared: list[str] = []

    def watch(owner: type, method: str) -> None:
        original = getattr(owner, method)

        def watched(self: object, *args: object, **options: object) -> object:
            user = users.setdefault(id(self), threading.get_ident())
            if user != threading.get_ident():
                shared.append(f"{owner.__name__}.{method}")
            try:
                return original(self, *args, **options)
            finally:
                users.pop(id(self), None)

        monkeypatch.setattr(owner, method, watched)

    for owner, method in (
        (BoundedSocket, "recv_into"),
        (BoundedSocket, "sendall"),
        (connections._Stream, "read"),  # noqa: SLF001  # where all bytes pass
        (connections._Stream, "write"),  # noqa: SLF001  # what sends
    ):
        watch(owner, method)
    return shared


@pytest.mark.no_cover  # Python 3.11 cannot install the tracer of coverage in two threads at once
@pytest.mark.parametrize("key", ["", "geheim-0123456789"])
def test_eight_threads_may_ask_at_once(fake: FakeOllama, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    shared = owned(monkeypatch)
    digest = fake.store.add(b"GGUF weights")
    wrong: list[object] = []
    start = threading.Barrier(8)

    def ask() -> None:
        start.wait()
        answers = [(client.has_blob(digest), client.has_blob(BLOB), client.version()) for _ in range(50)]
        wrong.extend(answer for answer in answers if answer != (True, False, "0.9.3"))

    with connect(fake.url, key=key) as client:
        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong
    assert not shared
    assert len(fake.requests) == 8 * 50 * 3


@pytest.mark.parametrize("fault", [Status(500, '{"error": "boom"}'), Hangup(), Script((Pause(),))])
def test_anything_but_a_good_answer_is_asked_for_again(
    fake: FakeOllama, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    AdvancedClock.replace(monkeypatch)
    fake.fault("/api/tags", AdvancedClock.from_start_of(fault, monkeypatch) if isinstance(fault, Script) else fault)
    with connect(fake.url, backoff=Backoff(tries=1), timeouts=Timeouts(first=0.1)) as client:
        assert client.tags() == ()
        assert client.version() == "0.9.3"
    assert len(fake.requests) == 3


def test_garbage_is_no_answer_of_ollama(fake: FakeOllama) -> None:
    fake.fault("/api/tags", Garbage(b"<html>"))
    with connect(fake.url) as client, pytest.raises(ServerError, match="does not answer as Ollama does"):
        client.tags()


@pytest.mark.parametrize("url", ["http://192.0.2.1:11434", "https://127.0.0.1:1", "http://ollama.example:80"])
def test_only_this_machine_is_asked_without_httpx(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connection, "ask", lambda *_: pytest.fail("it connects"))
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with connect(url, backoff=Backoff(tries=1)) as client, pytest.raises(ServerError):
        client.version()
