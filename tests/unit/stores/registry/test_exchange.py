"""Requests to registries: redirects, retries, and limits of time and size."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from threading import Thread

import httpx
import pytest
from tests.fakes.hostile import reply
from tests.fakes.registry import FakeRegistry
from tests.fakes.script import End, Pause, Repeat, Script, drip
from tests.fakes.store import published
from tests.support.clock import AdvancedClock

from modelfile.errors import InvalidRegistryAnswer, RegistryRefused, RegistryUnreachable
from modelfile.manifest import Manifest
from modelfile.names import ModelName
from modelfile.stores.network.deadline import Timeouts
from modelfile.stores.network.retry import Backoff
from modelfile.stores.open import open_registry
from modelfile.stores.protocol import Registry
from modelfile.stores.registry.exchange import Answer

TOKEN = "secret-0123456789"  # noqa: S105  # of nothing
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
ENDLESS = Script((HEAD + b"Connection: close\r\n\r\n", Repeat(b"x" * 65536)))
SHORT = Timeouts(connect=0.1, answer=0.1)


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as fake:
        fake.push("team/bot", "v1", published(b"GGUF", system="You are terse."))
        yield fake


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def registry(pauses: list[float]) -> Iterator[Registry]:
    backoff = Backoff(tries=4, tries_unseen=4, pause=pauses.append, chance=lambda: 0.0)
    with open_registry(backoff=backoff) as registry:
        yield registry


def name(fake: FakeRegistry) -> ModelName:
    return ModelName.parse(f"{fake.host}/team/bot:v1")


def resolve(registry: Registry, fake: FakeRegistry) -> Manifest:
    manifest = registry.resolve(name(fake))
    assert manifest
    return manifest


@pytest.mark.parametrize("status", ["429 Too Many Requests", "500 Error", "502 Bad", "503 Busy", "504 Late"])
def test_retry_after_statuses_that_pass(
    fake: FakeRegistry, registry: Registry, pauses: list[float], status: str
) -> None:
    fake.fault("/manifests/", reply("", status), times=2)
    resolve(registry, fake)
    assert sum(pauses) == pytest.approx(0.25 + 0.5)


@pytest.mark.parametrize(
    "script", [Script(), Script((End.RESET,)), Script((HEAD + b"Content-Length: 99\r\n\r\n{",)), Script((HEAD,))]
)
def test_retry_after_a_broken_connection(fake: FakeRegistry, registry: Registry, script: Script) -> None:
    fake.fault("/manifests/", script, times=2)
    resolve(registry, fake)


def test_truncated_answers_are_reported(fake: FakeRegistry, registry: Registry) -> None:
    fake.fault("/manifests/", Script((HEAD + b"Content-Length: 99\r\n\r\n{",)), times=4)
    with pytest.raises(RegistryUnreachable, match=f"the connection to {fake.host} broke") as caught:
        resolve(registry, fake)
    assert caught.value.message.startswith(f"cannot read the manifest of {name(fake)}: ")


def test_retries_end(fake: FakeRegistry, registry: Registry) -> None:
    fake.fault("/manifests/", reply('{"error":"down"}', "503 Busy"), times=4)
    with pytest.raises(RegistryUnreachable, match=r"has failed \(HTTP 503: down\)"):
        resolve(registry, fake)
    assert len(fake.requests) == 4


def test_retry_after_is_honored(fake: FakeRegistry, registry: Registry, pauses: list[float]) -> None:
    fake.fault("/manifests/", reply("", "429 Too Many Requests", "Retry-After: 7"))
    resolve(registry, fake)
    assert sum(pauses) == pytest.approx(7)


def test_waits_are_reported_before_they_begin(fake: FakeRegistry, pauses: list[float]) -> None:
    waits: list[tuple[str, float, int]] = []
    fake.fault("/manifests/", reply("", "429 Too Many Requests", "Retry-After: 7"))
    backoff = Backoff(pause=pauses.append, on_wait=lambda host, seconds: waits.append((host, seconds, len(pauses))))
    with open_registry(backoff=backoff) as registry:
        resolve(registry, fake)
    assert waits == [(fake.host, 7.0, 0)]


def test_retry_after_beyond_the_limit_is_reported_at_once(fake: FakeRegistry, registry: Registry) -> None:
    fake.fault("/manifests/", reply('{"error":"slow down"}', "429 Too Many Requests", "Retry-After: 3600"))
    with pytest.raises(RegistryRefused) as caught:
        resolve(registry, fake)
    assert "too many requests (HTTP 429: slow down)" in caught.value.message
    assert caught.value.hint == "run the command again in 3600 s"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("soon", None),
        ("", None),
        ("-1", None),
    ],
)
def test_retry_after_as_written(text: str, seconds: float | None) -> None:
    assert Answer(status=429, headers=httpx.Headers({"Retry-After": text}), body=b"").retry_after == seconds


def test_retry_after_as_a_time() -> None:
    text = format_datetime(datetime.now(UTC) + timedelta(seconds=9000))
    found = Answer(status=429, headers=httpx.Headers({"Retry-After": text}), body=b"").retry_after
    assert found == pytest.approx(9000, abs=600)


@pytest.mark.parametrize("status", ["400 Bad Request", "403 Forbidden", "405 Not Allowed", "412 Precondition Failed"])
def test_other_statuses_are_not_retried(fake: FakeRegistry, registry: Registry, status: str) -> None:
    fake.fault("/manifests/", reply("newer version required", status))
    with pytest.raises(RegistryRefused, match=rf"\(HTTP {status[:3]}: newer version required\)"):
        resolve(registry, fake)
    assert len(fake.requests) == 1


def test_blobs_are_redirected_without_credentials(fake: FakeRegistry, registry: Registry) -> None:
    fake.token = TOKEN
    with FakeRegistry() as other:
        other.push("team/bot", "v1", published(b"GGUF", system="You are terse."))
        fake.blobs_at = f"http://localhost:{other.host.rpartition(':')[2]}"
        manifest = resolve(registry, fake)
        assert registry.read(name(fake), manifest.config)
        assert [asked.headers.get("Authorization") for asked in other.requests] == [None]
    assert fake.requests[-1].headers["Authorization"] == f"Bearer {TOKEN}"


def test_another_port_is_another_host_for_credentials(fake: FakeRegistry, registry: Registry) -> None:
    fake.token = TOKEN
    with FakeRegistry() as other:
        other.push("team/bot", "v1", published(b"GGUF", system="You are terse."))
        fake.blobs_at = f"http://{other.host}"
        assert registry.read(name(fake), resolve(registry, fake).config)
        assert [asked.headers.get("Authorization") for asked in other.requests] == [None]


def test_endless_redirect(fake: FakeRegistry, registry: Registry) -> None:
    location = f"Location: http://{fake.host}/v2/team/bot/manifests/v1"
    fake.fault("/manifests/", reply("", "307 Temporary Redirect", location), times=10)
    with pytest.raises(InvalidRegistryAnswer, match="redirects more than 10 times"):
        resolve(registry, fake)


@pytest.mark.parametrize("location", ["ftp://x/", "http://[", "javascript:1", "http://" + "a" * 20_000])
def test_invalid_redirect(fake: FakeRegistry, registry: Registry, location: str) -> None:
    fake.fault("/manifests/", reply("", "302 Found", f"Location: {location}"))
    with pytest.raises(InvalidRegistryAnswer, match="redirects to an invalid address"):
        resolve(registry, fake)


def test_redirect_without_a_location(fake: FakeRegistry, registry: Registry) -> None:
    fake.fault("/manifests/", reply("", "302 Found"))
    with pytest.raises(RegistryRefused, match="HTTP 302"):
        resolve(registry, fake)


@pytest.mark.parametrize("chunked", [True, False])
def test_huge_answer(fake: FakeRegistry, registry: Registry, *, chunked: bool) -> None:
    stated = Script((HEAD + b"Content-Length: 99999999999\r\n\r\n", Pause()))
    fake.fault("/manifests/", ENDLESS if chunked else stated)
    with pytest.raises(
        InvalidRegistryAnswer, match=r"more than the 4,194,304( bytes)? that are read|99,999,999,999 bytes"
    ):
        resolve(registry, fake)


def test_huge_error(fake: FakeRegistry, registry: Registry) -> None:
    fake.fault("/manifests/", Script((b"HTTP/1.1 400 Bad\r\nConnection: close\r\n\r\n", Repeat(b"x" * 65536))))
    with pytest.raises(RegistryRefused) as caught:
        resolve(registry, fake)
    assert len(caught.value.message) < 3000


def test_compressed_answer(fake: FakeRegistry, registry: Registry) -> None:
    fake.fault("/manifests/", reply("{}", "200 OK", "Content-Encoding: gzip"))
    with pytest.raises(InvalidRegistryAnswer, match="sends a compressed answer"):
        resolve(registry, fake)


def test_layer_of_another_size_is_rejected_before_it_is_read(fake: FakeRegistry, registry: Registry) -> None:
    manifest = resolve(registry, fake)
    fake.fault("/blobs/", Script((HEAD + b"Content-Length: 3\r\n\r\n", Pause())))
    with pytest.raises(InvalidRegistryAnswer, match=rf"sends 3 bytes instead of {manifest.config.size}"):
        registry.read(name(fake), manifest.config)


def test_cookies_are_not_kept(fake: FakeRegistry, registry: Registry) -> None:
    fake.fault("/manifests/", reply("{}", "503 Busy", "Set-Cookie: a=b"))
    resolve(registry, fake)  # the fake one complains about a cookie


@pytest.mark.parametrize(
    "script",
    [
        Script((Pause(),)),
        Script(drip(HEAD * 9)),
        Script((HEAD + b"Content-Length: 99999\r\n\r\n", Repeat(b" ", 0.05))),
    ],
)
def test_slow_registry_is_given_up(fake: FakeRegistry, monkeypatch: pytest.MonkeyPatch, script: Script) -> None:
    fake.fault("/manifests/", AdvancedClock.from_start_of(script, monkeypatch))
    with open_registry(timeouts=SHORT) as registry, pytest.raises(RegistryUnreachable) as caught:
        registry.resolve(name(fake))
    assert caught.value.message == (
        f"cannot read the manifest of {name(fake)}: {fake.host} has not answered within 0.1 s"
    )
    assert caught.value.hint == "--timeout allows it more time"


def test_interrupt_ends_requests_and_waits(fake: FakeRegistry) -> None:
    fake.fault("/manifests/", Script((Pause(),)))
    fake.fault("/tags/", reply("", "429 Too Many Requests", "Retry-After: 25"))
    with open_registry(backoff=Backoff()) as registry:
        ended = list[str]()

        def list_tags() -> None:
            with pytest.raises(RegistryUnreachable, match="was interrupted"):
                registry.tags(name(fake))
            ended.append("tags")

        def interrupt() -> None:
            while len(fake.requests) < 2:
                time.sleep(0.02)
            registry.interrupt()

        threads = [Thread(target=list_tags), Thread(target=interrupt)]
        for thread in threads:
            thread.start()
        with pytest.raises(RegistryUnreachable, match="was interrupted"):
            registry.resolve(name(fake))
        for thread in threads:
            thread.join()
        assert ended == ["tags"]
        assert registry.resolve(name(fake))  # new ones may follow


def test_no_answer(pauses: list[float], registry: Registry) -> None:
    with pytest.raises(RegistryUnreachable) as caught:
        registry.resolve(ModelName.parse("127.0.0.1:9/team/bot:v1"))
    assert caught.value.message.startswith(
        "cannot read the manifest of 127.0.0.1:9/team/bot:v1: no answer from 127.0.0.1:9"
    )
    assert "HTTPS_PROXY" in (caught.value.hint or "")
    assert pauses


def test_loopback_is_never_asked_through_a_proxy(fake: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with open_registry() as registry:
        assert registry.resolve(name(fake))


def test_others_are_asked_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://user:secret-pw@127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    with open_registry(backoff=Backoff(tries=1)) as registry, pytest.raises(RegistryUnreachable) as caught:
        registry.resolve(ModelName.parse("registry.example/team/bot:v1"))
    assert "no answer from registry.example" in caught.value.message  # the test would fail if it were dialed
    assert "secret-pw" not in f"{caught.value}{caught.value.hint}"


def test_invalid_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://user:p/w@[")
    with open_registry() as registry, pytest.raises(RegistryUnreachable, match="invalid address") as caught:
        registry.resolve(ModelName.parse("registry.example/team/bot:v1"))
    assert "p/w" not in f"{caught.value}"
