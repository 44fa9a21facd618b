"""Retries, keys and dialing, over httpx: a key makes it come first."""

import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from tests.fakes.faults import ErrorLine, Fault, Hangup, Hold, Status
from tests.fakes.ollama import FakeOllama
from tests.fakes.store import published
from tests.support.cli import mf
from tests.support.clock import AdvancedClock, ClockEvent
from tests.support.server import connect

from modelfile.errors import ModelfileError, ServerError, ServerUnreachable, UsageError
from modelfile.stores.network.deadline import Timeouts
from modelfile.stores.network.retry import Backoff
from modelfile.stores.ollama.client import Client

KEY = "geheim-0123456789"
BASE = "team/base:v1"


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def client(fake: FakeOllama, pauses: list[float]) -> Iterator[Client]:
    fake.registry[BASE] = published(b"GGUF", system="You are terse.")
    backoff = Backoff(tries=4, pause=pauses.append, chance=lambda: 0.5)
    with connect(fake.url, key=KEY, backoff=backoff) as client:
        client.version()
        fake.requests.clear()
        yield client


def pull(client: Client) -> object:
    return [*client.pull(BASE)]


def copy(client: Client) -> object:
    pull(client)
    client.copy(BASE, "copy:v1")
    return client.show("copy:v1")


@pytest.mark.parametrize("fault", [Status(502), Status(503), Status(504), Hangup()])
@pytest.mark.parametrize(
    ("where", "call"),
    [
        ("/api/version", Client.version),
        ("/api/tags", Client.tags),
        ("/api/show", copy),
        ("/api/copy", copy),
        ("HEAD /api/blobs", lambda client: client.has_blob(f"sha256:{'0' * 64}")),
        ("/api/pull", pull),
    ],
)
def test_what_is_harmless_is_tried_again(
    fake: FakeOllama, client: Client, pauses: list[float], where: str, call: Callable[[Client], object], fault: Fault
) -> None:
    fake.fault(where, fault, times=3)
    call(client)
    assert pauses == [0.1875, 0.375, 0.75]


@pytest.mark.parametrize(("where", "call"), [("/api/show", copy), ("/api/copy", copy), ("/api/tags", Client.tags)])
def test_a_500_of_what_moves_no_weights(
    fake: FakeOllama, client: Client, pauses: list[float], where: str, call: Callable[[Client], object]
) -> None:
    fake.fault(where, Status(500, '{"error": "boom"}'))
    call(client)
    assert pauses == [0.1875]


def test_it_gives_up(fake: FakeOllama, client: Client, pauses: list[float]) -> None:
    fake.fault("/api/version", Status(503), times=9)
    with pytest.raises(ServerError, match="refused: HTTP 503 Service Unavailable"):
        client.version()
    assert len(pauses) == 3
    assert len(fake.requests) == 4


@pytest.mark.parametrize(
    ("where", "fault", "call"),
    [
        ("/api/create", Status(503), lambda client: [*client.create("x:v1", {"from": BASE})]),
        ("/api/create", Status(500), lambda client: [*client.create("x:v1", {"from": BASE})]),
        ("/api/create", Hangup(after_lines=1), lambda client: [*client.create("x:v1", {"from": BASE})]),
        ("/api/delete", Status(503), lambda client: client.delete(BASE)),
        ("/api/delete", Hangup(), lambda client: client.delete(BASE)),
        ("/api/pull", ErrorLine(after_lines=1, error="no such manifest"), pull),
        ("/api/pull", Status(500, '{"error": "no such manifest"}'), pull),
        ("/api/version", Status(400), Client.version),
    ],
)
def test_what_may_do_harm_or_be_of_no_use_is_not_tried_again(
    fake: FakeOllama, client: Client, pauses: list[float], where: str, fault: Fault, call: Callable[[Client], object]
) -> None:
    pull(client)
    fake.fault(where, fault)
    with pytest.raises(ServerError):
        call(client)
    assert not pauses


@pytest.mark.parametrize(("known", "tries"), [(True, 6), (False, 3)])
def test_a_server_that_was_there_is_waited_for(pauses: list[float], known: bool, tries: int) -> None:
    with FakeOllama() as fake:
        client = connect(fake.url, backoff=Backoff(pause=pauses.append))
        if known:
            client.version()
    with client, pytest.raises(ServerUnreachable, match="no Ollama server answers"):
        client.delete("x:v1")  # it has not been sent, so it cannot be done twice
    assert len(pauses) == tries - 1


@pytest.mark.parametrize(
    "error",
    [
        httpx.ReadTimeout("late"),
        httpx.ConnectTimeout("late"),
        httpx.ConnectError("[Errno -2] Name or service not known"),
        httpx.ProxyError("407 Proxy Authentication Required"),
    ],
)
def test_lasting_failures_are_reported_at_once(
    client: Client, pauses: list[float], monkeypatch: pytest.MonkeyPatch, error: httpx.HTTPError
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(httpx.Client, "stream", fail)
    with pytest.raises(ServerUnreachable):
        client.version()
    assert not pauses


def test_ctrl_c_while_it_waits(fake: FakeOllama) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    fake.fault("/api/version", Status(503))
    with connect(fake.url, key=KEY, backoff=Backoff(pause=interrupt)) as client, pytest.raises(KeyboardInterrupt):
        client.version()
    assert len(fake.requests) == 1


@pytest.mark.parametrize("key", ["", KEY])
def test_suppress_is_reported(fake: FakeOllama, monkeypatch: pytest.MonkeyPatch, pauses: list[float], key: str) -> None:
    fake.fault("/api/version", Hold(reached=ClockEvent(AdvancedClock.replace(monkeypatch))), times=1 if key else 2)
    backoff, timeouts = Backoff(pause=pauses.append), Timeouts(first=0.05, answer=0.05)
    with (
        connect(fake.url, key=key, backoff=backoff, timeouts=timeouts) as client,
        pytest.raises(ServerUnreachable, match=r"has not answered within 0\.05 s"),
    ):
        client.version()
    assert not pauses


def answered(monkeypatch: pytest.MonkeyPatch, answer: httpx.Response) -> list[httpx.Headers]:
    """Answer whatever is sent; it goes nowhere, and its headers are kept."""
    seen: list[httpx.Headers] = []

    def send(_: httpx.Client, request: httpx.Request, **__: object) -> httpx.Response:
        seen.append(request.headers)
        answer.request = request
        return answer

    monkeypatch.setattr(httpx.Client, "send", send)
    return seen


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("https://proxy.example:443", True),
        ("http://127.0.0.1:11434", True),
        ("http://127.1.2.3:11434", True),
        ("http://localhost:11434", True),
        ("http://[::1]:11434", True),
        ("http://proxy.example:80", False),
        ("http://localhost.example:80", False),
        ("http://192.168.0.2:11434", False),
    ],
)
def test_the_key_is_sent_encrypted_or_to_this_machine(monkeypatch: pytest.MonkeyPatch, url: str, sent: bool) -> None:
    version = httpx.Response(200, json={"version": "0.9.3"})
    seen = answered(monkeypatch, version)
    with connect(url, key=f" {KEY}\n") as client:
        assert client.version() == "0.9.3"
    assert [headers.get("Authorization") for headers in seen] == [f"Bearer {KEY}" if sent else None]


@pytest.mark.parametrize(
    ("url", "key", "hint"),
    [
        ("https://proxy.example:443", KEY, "it rejects the key in OLLAMA_API_KEY"),
        ("https://proxy.example:443", "", "set OLLAMA_API_KEY"),
        ("http://proxy.example:80", KEY, "OLLAMA_API_KEY was not sent"),
    ],
)
@pytest.mark.parametrize("status", [401, 403])
def test_a_rejected_key(monkeypatch: pytest.MonkeyPatch, url: str, key: str, hint: str, status: int) -> None:
    refusal = httpx.Response(status, json={"error": f"unknown key {KEY}"} if key else {"error": "no key"})
    answered(monkeypatch, refusal)
    with connect(url, key=key) as client, pytest.raises(ServerError) as caught:
        client.version()
    assert (caught.value.hint or "").startswith(hint)
    assert KEY not in "".join(traceback.format_exception(caught.value)) + repr(client)


@pytest.mark.parametrize("key", ["a b\x00c", "geheim\r\nX-Y: z", "geheiß"])
def test_an_invalid_key_is_not_repeated(key: str) -> None:
    with pytest.raises(UsageError) as caught:
        connect("https://proxy.example:443", key=key)
    assert "gehei" not in "".join(traceback.format_exception(caught.value))


def test_the_key_is_nowhere_in_what_a_command_prints(fake: FakeOllama) -> None:
    fake.fault("/api/tags", Status(403, f'{{"error": "bad key {KEY}"}}'))
    for arguments in (("diff", "a:v1", "b:v1"), ("diff", "a:v1", "b:v1", "--json")):
        ran = mf(*arguments, environ={"OLLAMA_HOST": fake.url, "OLLAMA_API_KEY": KEY})
        assert ran.code == 3
        assert KEY not in ran.out + ran.err
    assert all(KEY not in repr(logged) for logged in fake.requests)


def test_an_answer_from_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    moved = httpx.Response(301, headers={"Location": "https://proxy.example/"})
    answered(monkeypatch, moved)
    with (
        connect("http://proxy.example:80") as client,
        pytest.raises(ServerError, match="redirects elsewhere: HTTP 301"),
    ):
        client.version()


@pytest.mark.parametrize("proxy", ["ftp://u:geheim@x", "http://u:geheim@127.0.0.1:9", "http://u:geheim@[::1"])
def test_a_proxy_s_password_is_not_repeated(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(ModelfileError) as caught, connect("http://192.0.2.1:80") as client:
        client.version()
    assert "geheim" not in f"{caught.value}{caught.value.hint}"


def test_a_zone_is_part_of_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    dialed: list[object] = []

    def dial(address: object, *_: object, **__: object) -> None:
        dialed.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr("socket.create_connection", dial)
    with connect("http://[fe80::1%eth0]:80", backoff=Backoff(tries=1)) as client, pytest.raises(ServerUnreachable):
        client.version()
    assert dialed == [("fe80::1%eth0", 80)]


def test_no_certificates_are_read_for_this_machine(
    fake: FakeOllama, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none"))
    with connect(fake.url, key=KEY) as client:
        assert client.version() == "0.9.3"
    with connect("https://127.0.0.1:1") as client, pytest.raises(ServerUnreachable, match="cannot connect to"):
        client.version()


def test_no_part_of_a_proxy_s_password_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://user:s3cr/et@proxy:8080")
    with (
        connect("https://example.com:443") as client,
        pytest.raises(ServerUnreachable, match="invalid server or proxy address") as caught,
    ):
        client.version()
    assert "s3cr" not in str(caught.value)
    assert caught.value.__cause__ is None
