"""Downloads of ranges of layers: registries that fail, lie, redirect and cut."""

import functools
import hashlib
import re
from collections.abc import Iterator
from threading import Thread

import httpx
import pytest
from tests.fakes.hostile import error, reply
from tests.fakes.registry import FakeRegistry
from tests.fakes.script import End, Pause, Repeat, Script, Step
from tests.fakes.store import published

from modelfile.errors import InvalidRegistryAnswer, RangeIgnored, RegistryRefused, RegistryUnreachable, ServerError
from modelfile.manifest import Layer
from modelfile.names import ModelName
from modelfile.stores.network.deadline import Deadline, Timeouts
from modelfile.stores.network.retry import Backoff
from modelfile.stores.open import open_registry
from modelfile.stores.registry import downloads, quirks
from modelfile.stores.registry.remote import RegistryClient

CONTENT = b"GGUF" + bytes(range(256)) * 1000
DIGEST = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
SIZE = len(CONTENT)
WEIGHTS = Layer(media_type="application/vnd.ollama.image.model", digest=DIGEST, size=SIZE)
BLOB = f"/blobs/{DIGEST}"
TOKEN = "token-0123456789"  # noqa: S105  # of nobody
FAST = Backoff(first=0.001)


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as fake:
        fake.push("team/bot", "v1", published(CONTENT))
        yield fake


def download(
    fake: FakeRegistry, start: int = 0, end: int = SIZE, layer: Layer = WEIGHTS, timeouts: Timeouts | None = None
) -> bytes:
    """Return a range as it is downloaded."""
    received = bytearray()
    with open_registry(backoff=FAST, timeouts=timeouts) as registry:
        registry.download(ModelName.parse(f"{fake.host}/team/bot:v1"), layer, start, end, received.extend)
    return bytes(received)


def partial(start: int, stop: int, *steps: Step, length: int | None = None, total: object = SIZE) -> Script:
    """Return an answer with the bytes [start, stop), whose connection then breaks off or does what the steps say."""
    head = (
        f"HTTP/1.1 206 Partial Content\r\nContent-Length: {SIZE - start if length is None else length}\r\n"
        f"Content-Range: bytes {start}-{SIZE - 1}/{total}\r\n\r\n"
    )
    return Script((head.encode() + CONTENT[start:stop], *steps))


def whole(stop: int, *steps: Step) -> Script:
    """Return an answer with the beginning of the whole layer."""
    return Script((f"HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n".encode() + CONTENT[:stop], *steps))


def ranges(fake: FakeRegistry) -> list[str | None]:
    return [asked.headers.get("Range") for asked in fake.requests if BLOB in asked.path]


@pytest.mark.parametrize(("start", "end"), [(0, SIZE), (0, 1), (7, 9), (SIZE - 1, SIZE), (3, 3)])
def test_range(start: int, end: int, fake: FakeRegistry) -> None:
    assert download(fake, start, end) == CONTENT[start:end]


def test_whole_layer_is_asked_for_without_a_range(fake: FakeRegistry) -> None:
    download(fake)
    assert ranges(fake) == [None]


@pytest.mark.parametrize("end", [(), (End.RESET,)])
def test_download_goes_on_where_it_was_cut(end: tuple[Step, ...], fake: FakeRegistry) -> None:
    fake.fault(BLOB, whole(100_000, *end))
    fake.fault(BLOB, partial(100_000, 100_001, *end))
    assert download(fake) == CONTENT
    assert ranges(fake) == [None, f"bytes=100000-{SIZE - 1}", f"bytes=100001-{SIZE - 1}"]


def test_cuts_without_end_are_an_error(fake: FakeRegistry) -> None:
    fake.fault(BLOB, whole(0), times=6)
    with pytest.raises(RegistryUnreachable, match=r"cannot download the model of .*: the connection to .* broke"):
        download(fake)
    assert len(fake.requests) == 6


def test_each_cut_after_much_progress_gets_new_tries(fake: FakeRegistry) -> None:
    fake.fault(BLOB, whole(70_000))
    for start in range(70_000, 210_000, 70_000):
        for _ in range(4):
            fake.fault(BLOB, partial(start, start))
        fake.fault(BLOB, partial(start, start + 70_000))
    assert download(fake) == CONTENT


@pytest.mark.parametrize("status", ["429 Too Many Requests", "500 No", "502 No", "503 No", "504 No"])
def test_failures_that_pass(status: str, fake: FakeRegistry) -> None:
    fake.fault(BLOB, error("later", status, "Retry-After: 0"), times=3)
    assert download(fake) == CONTENT
    assert len(fake.requests) == 4


def test_retry_after_is_waited_for(fake: FakeRegistry) -> None:
    pauses: list[float] = []
    fake.fault(BLOB, error("later", "429 Too Many Requests", "Retry-After: 7"))
    received = bytearray()
    with open_registry(backoff=Backoff(first=0.001, pause=pauses.append)) as registry:
        registry.download(ModelName.parse(f"{fake.host}/team/bot:v1"), WEIGHTS, 0, SIZE, received.extend)
    assert received == CONTENT
    assert 6.9 < sum(pauses) < 7.2


def test_retry_after_that_is_too_long(fake: FakeRegistry) -> None:
    fake.fault(BLOB, error("later", "429 Too Many Requests", "Retry-After: 3600"))
    with pytest.raises(RegistryRefused, match="gets too many requests") as caught:
        download(fake)
    assert caught.value.hint == "run the command again in 3600 s"


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (reply("", "404 Not Found"), r"rejects the request \(HTTP 404\)"),
        (reply("", "403 Forbidden"), r"denies access \(HTTP 403\)"),
        (reply("x", "200 OK", "Content-Encoding: gzip"), "sends a compressed answer"),
        (reply("short"), "sends 5 bytes instead of 256,004"),
        (reply("x", "206 Partial Content"), "sends another range of bytes than was asked for"),
        (reply("x", "206 Partial Content", "Content-Range: bytes 0-0/9"), "sends another range"),
        (reply("x", "206 Partial Content", "Content-Range: bytes 5-0/9"), "sends another range"),
        (reply("x", "206 Partial Content", "Content-Range: bytes ?"), "sends another range"),
        (partial(0, 1, total=9), "has 9 bytes for it instead of 256,004"),
        (partial(0, 1, length=9), "sends a range of another size than it says"),
        (reply("", "416 Range Not Satisfiable"), r"rejects the request \(HTTP 416\)"),
        (reply("", "307 Temporary Redirect", f"Location: {BLOB}"), "redirects|rejects"),
    ],
)
def test_lies_are_one_error_at_once(script: Script, message: str, fake: FakeRegistry) -> None:
    fake.fault(BLOB, script, times=12)
    with pytest.raises(ServerError, match=message) as caught:
        download(fake)
    assert str(caught.value).startswith("cannot download the model of ")
    fake._faults.clear()  # noqa: SLF001  # most are met once


def test_redirect_loop(fake: FakeRegistry) -> None:
    fake.fault(BLOB, reply("", "302 Found", f"Location: http://{fake.host}/v2/team/bot{BLOB}"), times=10)
    with pytest.raises(InvalidRegistryAnswer, match="redirects more than 10 times"):
        download(fake)


def test_endless_body_is_not_read(fake: FakeRegistry) -> None:
    endless = (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Repeat(b"x" * 65536, chunked=True))
    fake.fault(BLOB, Script(endless))
    with pytest.raises(InvalidRegistryAnswer, match="sends more than the 256,004 bytes"):
        download(fake)


def test_registry_without_ranges(fake: FakeRegistry) -> None:
    fake.knows_ranges = False
    assert download(fake, 0, 5) == CONTENT[:5]
    with pytest.raises(RangeIgnored, match="ignores ranges of bytes"):
        download(fake, 5, 9)


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
def test_redirects_are_followed_without_credentials(status: str, fake: FakeRegistry) -> None:
    with FakeRegistry() as other:
        other.push("team/bot", "v1", published(CONTENT))
        fake.token = TOKEN
        moved = reply("", status, f"Location: http://localhost:{other.host.rpartition(':')[2]}/v2/team/bot{BLOB}")
        fake.fault(BLOB, moved)
        assert download(fake, 4, 9) == CONTENT[4:9]
        assert [asked.headers.get("Authorization") for asked in other.requests] == [None]
        assert [asked.headers.get("Range") for asked in other.requests] == ["bytes=4-8"]


@pytest.mark.parametrize("status", ["400 Bad", "401 No", "403 Forbidden", "404 Not Found", "410 Gone"])
def test_expired_address_is_renewed(status: str, fake: FakeRegistry) -> None:
    with FakeRegistry() as other:
        other.push("team/bot", "v1", published(CONTENT))
        other.fault(BLOB, whole(100_000))
        other.fault(BLOB, error("Request has expired", status))
        fake.blobs_at = f"http://localhost:{other.host.rpartition(':')[2]}"
        assert download(fake) == CONTENT
        assert len(fake.requests) == len(other.requests) == 3


def test_token_that_expires_is_renewed(fake: FakeRegistry) -> None:
    fake.token = TOKEN
    with open_registry(backoff=FAST) as registry:
        name = ModelName.parse(f"{fake.host}/team/bot:v1")
        registry.download(name, WEIGHTS, 0, 5, bytearray().extend)
        fake.token = f"{TOKEN}-new"
        registry.download(name, WEIGHTS, 5, 9, bytearray().extend)
    assert sum(asked.path.startswith("/token?") for asked in fake.requests) == 2


def test_stalled_connection_is_made_again(fake: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first is given up as soon as it has brought nine bytes, however slow this machine is."""
    within, received = Deadline.within, bytearray()
    parts: list[tuple[Deadline, float]] = []

    def record(deadline: Deadline, seconds: float) -> Deadline:
        parts.append((within(deadline, seconds), seconds))
        return parts[-1][0]

    def receive(chunk: bytes) -> None:
        received.extend(chunk)
        if len(received) == 9:
            monkeypatch.setattr(parts[0][0], "extend", functools.partial(parts[0][0].extend, 0))

    monkeypatch.setattr(Deadline, "within", record)
    fake.fault(BLOB, whole(9, Pause()))
    with open_registry(backoff=FAST) as registry:
        registry.download(ModelName.parse(f"{fake.host}/team/bot:v1"), WEIGHTS, 0, SIZE, receive)
    assert (received, parts[0][1]) == (bytearray(CONTENT), downloads.STALLED)
    assert ranges(fake) == [None, f"bytes=9-{SIZE - 1}"]


def test_silence_is_an_error(fake: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "STALLED", 0.3)
    context = httpx.create_ssl_context()  # which takes long the first time
    monkeypatch.setattr(httpx, "create_ssl_context", lambda: context)
    fake.fault(BLOB, Script((Pause(),)), times=99)
    with pytest.raises(RegistryUnreachable, match=r"has made no progress for (0\.3|1) s"):
        download(fake, timeouts=Timeouts(idle=1))


def test_interrupt_ends_it_at_once(fake: FakeRegistry) -> None:
    fake.fault(BLOB, whole(9, Pause()))
    with open_registry() as registry:
        assert isinstance(registry, RegistryClient)
        interrupt = registry.interrupt
        ended: list[BaseException] = []

        def work() -> None:
            try:
                registry.download(ModelName.parse(f"{fake.host}/team/bot:v1"), WEIGHTS, 0, SIZE, lambda _: interrupt())
            except ServerError as error:
                ended.append(error)

        thread = Thread(target=work)
        thread.start()
        thread.join(10)
        assert not thread.is_alive()
    assert re.search("was interrupted", str(ended[0]))


def test_private_model_of_hugging_face(fake: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = quirks.Quirks(source="x", credential=quirks.Credential.HUGGING_FACE)
    monkeypatch.setitem(quirks.QUIRKS, fake.host, hub)
    with FakeRegistry() as other:
        other.push("team/bot", "v1", published(CONTENT))
        fake.token, fake.blobs_at = TOKEN, f"http://localhost:{other.host.rpartition(':')[2]}"
        received = bytearray()
        with open_registry(environ={"HF_TOKEN": TOKEN}) as registry:
            name = ModelName.parse(f"{fake.host}/team/bot:v1")
            registry.download(name, WEIGHTS, 5, 9, received.extend)
        assert received == CONTENT[5:9]
        sent = [asked.headers.get("Authorization") for asked in (*fake.requests, *other.requests)]
        assert sent == [None, f"Bearer {TOKEN}", None]
