"""What the client tries again and what not, whom it tells a key, and how it dials."""

import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from tests.fakes.faults import ErrorLine, Fault, Hangup, Slow, Status
from tests.fakes.ollama import FakeOllama
from tests.fakes.store import published
from tests.support.cli import mf

from modelfile.errors import ModelfileError, ServerError, ServerUnreachable, UsageError
from modelfile.stores.ollama.client import Client
from modelfile.stores.ollama.retry import Backoff

KEY = "geheim-0123456789"
BASE = "team/base:v1"


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def client(fake: FakeOllama, pauses: list[float]) -> Iterator[Client]:
    fake.registry[BASE] = published(b"GGUF", system="You are terse.")
    patience = Backoff(tries=4, pause=pauses.append, chance=lambda: 0.5)
    with Client(fake.url, patience=patience) as client:
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


def test_pauses_are_cut_by_chance() -> None:
    assert [*Backoff(tries=4, chance=lambda: 0).waits(known=True)] == [0.25, 0.5, 1]
    assert [*Backoff(tries=4, chance=lambda: 1).waits(known=True)] == [0.125, 0.25, 0.5]


def test_a_restart_by_systemd_is_outlasted_and_a_server_that_is_not_there_told_within_a_second() -> None:
    assert sum(Backoff(chance=lambda: 1).waits(known=True)) > 3.5
    assert sum(Backoff(chance=lambda: 0).waits(known=False)) < 1


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
def test_a_server_that_was_there_is_waited_for(pauses: list[float], known: bool, tries: int) -> None:  # noqa: FBT001
    with FakeOllama() as fake:
        client = Client(fake.url, patience=Backoff(pause=pauses.append))
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
def test_what_will_not_pass_is_told_at_once(
    client: Client, pauses: list[float], monkeypatch: pytest.MonkeyPatch, error: httpx.HTTPError
) -> None:
    def fail(*_: object, **__: object) -> httpx.Response:
        raise error

    monkeypatch.setattr(client._http, "stream", fail)  # noqa: SLF001  # what the network does
    with pytest.raises(ServerUnreachable):
        client.version()
    assert not pauses


def test_ctrl_c_while_it_waits(fake: FakeOllama) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    fake.fault("/api/version", Status(503))
    with Client(fake.url, patience=Backoff(pause=interrupt)) as client, pytest.raises(KeyboardInterrupt):
        client.version()
    assert len(fake.requests) == 1


def test_silence_is_told(fake: FakeOllama, client: Client, pauses: list[float]) -> None:
    client._http.timeout = httpx.Timeout(0.05)  # noqa: SLF001  # what it has is longer than a test
    fake.fault("/api/version", Slow(30))
    with pytest.raises(ServerUnreachable, match="has stopped answering"):
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
    ("url", "told"),
    [
        ("https://gate.example:443", True),
        ("http://127.0.0.1:11434", True),
        ("http://127.1.2.3:11434", True),
        ("http://localhost:11434", True),
        ("http://[::1]:11434", True),
        ("http://gate.example:80", False),
        ("http://localhost.example:80", False),
        ("http://192.168.0.2:11434", False),
    ],
)
def test_who_is_told_the_key(monkeypatch: pytest.MonkeyPatch, url: str, told: bool) -> None:  # noqa: FBT001
    version = httpx.Response(200, json={"version": "0.9.3"})
    seen = answered(monkeypatch, version)
    with Client(url, key=f" {KEY}\n") as client:
        assert client.version() == "0.9.3"
    assert [headers.get("Authorization") for headers in seen] == [f"Bearer {KEY}" if told else None]


@pytest.mark.parametrize(
    ("url", "key", "hint"),
    [
        ("https://gate.example:443", KEY, "it has refused what OLLAMA_API_KEY says"),
        ("https://gate.example:443", "", "a key for it is read from OLLAMA_API_KEY"),
        ("http://gate.example:80", KEY, "OLLAMA_API_KEY was not sent"),
    ],
)
@pytest.mark.parametrize("status", [401, 403])
def test_a_gate_that_stays_shut(monkeypatch: pytest.MonkeyPatch, url: str, key: str, hint: str, status: int) -> None:
    refusal = httpx.Response(status, json={"error": f"unknown key {KEY}"} if key else {"error": "no key"})
    answered(monkeypatch, refusal)
    with Client(url, key=key) as client, pytest.raises(ServerError) as caught:
        client.version()
    assert (caught.value.hint or "").startswith(hint)
    assert KEY not in "".join(traceback.format_exception(caught.value)) + repr(client) + repr(client._http.headers)  # noqa: SLF001


@pytest.mark.parametrize("key", ["a b\x00c", "geheim\r\nX-Y: z", "geheiß"])
def test_a_key_that_is_none_is_not_repeated(key: str) -> None:
    with pytest.raises(UsageError) as caught:
        Client("https://gate.example:443", key=key)
    assert "gehei" not in "".join(traceback.format_exception(caught.value))


def test_the_key_is_nowhere_in_what_a_command_prints(fake: FakeOllama, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", fake.url)
    monkeypatch.setenv("OLLAMA_API_KEY", KEY)
    fake.fault("/api/tags", Status(403, f'{{"error": "bad key {KEY}"}}'))
    for arguments in (("diff", "a:v1", "b:v1"), ("diff", "a:v1", "b:v1", "--json")):
        ran = mf(*arguments)
        assert ran.code == 3
        assert KEY not in ran.out + ran.err
    assert all(KEY not in repr(logged) for logged in fake.requests)


def test_an_answer_from_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    moved = httpx.Response(301, headers={"Location": "https://gate.example/"})
    answered(monkeypatch, moved)
    with Client("http://gate.example:80") as client, pytest.raises(ServerError, match="sends elsewhere: HTTP 301"):
        client.version()


@pytest.mark.parametrize("proxy", ["ftp://u:geheim@x", "http://u:geheim@127.0.0.1:9", "http://u:geheim@[::1"])
def test_a_proxy_s_password_is_not_repeated(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(ModelfileError) as caught, Client("http://192.0.2.1:80") as client:
        client.version()
    assert "geheim" not in f"{caught.value}{caught.value.hint}"


def test_a_zone_is_dialled(monkeypatch: pytest.MonkeyPatch) -> None:
    dialled: list[object] = []

    def connect(address: object, *_: object, **__: object) -> None:
        dialled.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr("socket.create_connection", connect)
    with Client("http://[fe80::1%eth0]:80", patience=Backoff(tries=1)) as client, pytest.raises(ServerUnreachable):
        client.version()
    assert dialled == [("fe80::1%eth0", 80)]


def test_no_certificates_are_read_for_this_machine(
    fake: FakeOllama, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none"))
    with Client(fake.url) as client:
        assert client.version() == "0.9.3"
    with pytest.raises(ServerUnreachable, match="cannot be dialled"):
        Client("https://127.0.0.1:1")


def test_no_part_of_a_proxy_s_password_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://user:s3cr/et@proxy:8080")
    with pytest.raises(ServerUnreachable, match="an address is not one") as caught:
        Client("https://example.com:443")
    assert "s3cr" not in str(caught.value)
    assert caught.value.__cause__ is None
