"""Connections that keep deadlines: over httpx, which a key makes come first, and over our own."""

import hashlib
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from tests.fakes.faults import Hold
from tests.fakes.ollama import FakeOllama
from tests.fakes.script import Pause, Repeat, Script, drip
from tests.support.clock import AdvancedClock
from tests.support.server import connect
from tests.support.tls import make_certificate

from modelfile.errors import ServerError, ServerUnreachable
from modelfile.stores.network.deadline import Timeouts
from modelfile.stores.network.retry import Backoff
from modelfile.stores.ollama.client import Client

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
TIMEOUTS = Timeouts(first=0.05, connect=0.1, answer=0.1, idle=0.1)
UNREACHED = Timeouts(first=0.2, connect=0.3)
BLOB = f"sha256:{'0' * 64}"


def chunk(line: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(line), line)


def expire(call: Callable[[], object], message: str) -> None:
    """Make a call whose answer would never be whole, so that only its deadline ends it."""
    with pytest.raises(ServerUnreachable, match=message):
        call()


@pytest.mark.parametrize("key", ["", "geheim-0123456789"])
@pytest.mark.parametrize(
    "script",
    [
        Script((Pause(),)),
        Script(drip(HEAD * 9)),
        Script((HEAD, Repeat(b"X-A: b\r\n", 0.05))),
        Script((HEAD + b"X-A: ", Repeat(b"x", 0.05))),
        Script((HEAD + b"Content-Length: 99999\r\n\r\n", Repeat(b" ", 0.05))),
        Script((CHUNKED, Repeat(chunk(b" "), 0.05))),
        Script((Repeat(b"HTTP/1.1 102 Processing\r\n\r\n", 0.05),)),
        Script((Repeat(b"HTTP/1.1 100 Continue\r\n\r\n"),)),
    ],
)
def test_an_answer_is_whole_by_its_deadline(
    fake: FakeOllama, monkeypatch: pytest.MonkeyPatch, script: Script, key: str
) -> None:
    fake.fault("/api/version", AdvancedClock.from_start_of(script, monkeypatch), times=9)
    with connect(fake.url, key=key, timeouts=TIMEOUTS) as client:
        expire(client.version, r"has not answered within 0\.1 s")


def test_retries_do_not_outlast_the_deadline(fake: FakeOllama) -> None:
    fake.fault("/api/version", Script((Pause(0.1), b"")), times=99, required=False)
    backoff = Backoff(tries=50, first=0.1, chance=lambda: 1)
    timeouts = Timeouts(first=0.4, connect=0.4, answer=0.4)
    with connect(fake.url, key="geheim-0123456789", backoff=backoff, timeouts=timeouts) as client:
        expire(client.version, "the connection to .* broke|has not answered within")
    assert len(fake.requests) <= 0.4 / 0.1  # each answer takes 0.1 s of the 0.4 s for all


def status(text: str, total: int = 0, completed: int = 0) -> bytes:
    return chunk(b'{"status":"%s","total":%d,"completed":%d}\n' % (text.encode(), total, completed))


@pytest.mark.parametrize(
    "steps",
    [
        (Repeat(chunk(b"\n"), 0.05),),
        (Repeat(chunk(b"\n")),),
        (Repeat(status("verifying"), 0.05),),
        (Repeat(status("a") + status("b"), 0.05),),
        (Repeat(status("pulling", 9, 3) + status("pulling", 9, 1)),),
        (Repeat(status("pulling", 9, 3) + status("pulling", 9, 1), 0.05),),
        (status("pulling", 9, 9), Repeat(b'{"status":"pulling","total":9,"completed":1{n}}\n', 0.05, chunked=True)),
        (status("pulling"), Repeat(b'{"status":"pulling","completed":{n}}\n', 0.05, chunked=True)),
        (Repeat(b"0", 0.05),),
    ],
)
def test_a_stream_without_progress_ends(
    fake: FakeOllama, monkeypatch: pytest.MonkeyPatch, steps: tuple[Pause, ...]
) -> None:
    fake.fault("/api/pull", AdvancedClock.from_start_of(Script((CHUNKED, *steps)), monkeypatch))
    with connect(fake.url, timeouts=Timeouts(idle=0.02)) as client:
        expire(lambda: [*client.pull("x:v1")], r"has made no progress for 0\.02 s")


@pytest.mark.parametrize("counts", [range(9), (0, 3, 6, 1, 4, 7, 2, 5, 9)], ids=["on", "back"])
def test_a_stream_with_progress_goes_on(
    fake: FakeOllama, monkeypatch: pytest.MonkeyPatch, counts: Sequence[int]
) -> None:
    """A quarter of the time without progress passes before each status; the highest count grows with every third."""
    clock = AdvancedClock.replace(monkeypatch)
    steps = [step for number in counts for step in (Pause(0.02), status("pulling", 9, number))]
    fake.fault("/api/pull", Script((CHUNKED, *steps, status("success"))))
    with connect(fake.url, timeouts=TIMEOUTS) as client:
        lines = client.pull("x:v1")
        for number in counts:
            clock.advance(0.025)
            assert next(lines).completed == number


def test_endless_new_statuses_are_not_those_of_ollama(fake: FakeOllama) -> None:
    fake.fault("/api/pull", Script((CHUNKED, Repeat(b'{"status":"{n}"}\n', chunked=True))))
    with (
        connect(fake.url, timeouts=Timeouts(idle=60)) as client,
        pytest.raises(ServerError, match="does not answer as Ollama does"),
    ):
        for _ in client.pull("x:v1"):
            pass


@pytest.mark.parametrize(
    ("size", "script", "limit"),
    [
        (32 << 20, Script((Pause(),), unread=True), "0.1"),
        (4, Script((Pause(),)), "0.2"),
        (4, Script((Repeat(b"HTTP/1.1 100 Continue\r\n\r\n", 0.05),)), "0.2"),
    ],
)
def test_an_upload_ends_without_progress(
    fake: FakeOllama, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, script: Script, limit: str
) -> None:
    weights = tmp_path / "weights.gguf"
    weights.write_bytes(bytes(size))
    fake.fault("POST /api/blobs", AdvancedClock.from_start_of(script, monkeypatch))
    with connect(fake.url, timeouts=TIMEOUTS) as client:
        message = f"has made no progress for {limit} s"
        expire(lambda: client.push_blob(BLOB, weights, lambda _: None), message)


def test_an_early_rejection_of_an_upload_is_read(fake: FakeOllama, tmp_path: Path) -> None:
    weights = tmp_path / "weights.gguf"
    weights.write_bytes(bytes(32 << 20))
    full = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n"
    fake.fault("POST /api/blobs", Script((full, Pause()), unread=True))
    with connect(fake.url) as client, pytest.raises(ServerError, match="refused: HTTP 413"):
        client.push_blob(BLOB, weights, lambda _: None)


def test_a_file_may_be_checked_for_longer_than_a_question(
    fake: FakeOllama, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tmp_path / "weights.gguf"
    weights.write_bytes(b"GGUF")
    clock = AdvancedClock.replace(monkeypatch)
    received = threading.Event()
    monkeypatch.setattr(received, "set", lambda: clock.advance(0.15))  # longer than without progress while it is sent
    fake.fault("POST /api/blobs", Script((b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n",), begun=received))
    with connect(fake.url, timeouts=TIMEOUTS) as client:
        client.push_blob(BLOB, weights, lambda _: None)


@pytest.mark.parametrize("key", ["", "geheim-0123456789"])
def test_an_interruption_ends_the_waits_of_other_threads(fake: FakeOllama, key: str) -> None:
    ended: list[str] = []

    def ask(client: Client) -> None:
        try:
            client.version()
        except ServerUnreachable as error:
            ended.append(error.message)

    hold = Hold()
    fake.fault("/api/version", hold)
    with connect(fake.url, key=key) as client:
        waiting = threading.Thread(target=ask, args=(client,))
        waiting.start()
        assert hold.reached.wait(60)
        client.interrupt()
        waiting.join(60)
        assert ended == [f"{fake.url} was interrupted"]
        assert client.tags() == ()


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def drip_handshake(connection: socket.socket) -> None:
    with connection:
        try:
            connection.sendall(b"\x16\x03\x03\x40\x00")
            while True:
                time.sleep(0.05)
                connection.sendall(b"\x02")
        except OSError:
            pass


@pytest.mark.parametrize("silent", [True, False])
def test_a_handshake_ends_by_its_deadline(silent: bool) -> None:
    held: list[socket.socket] = []
    with listening(held.append if silent else drip_handshake) as port:
        with connect(f"https://127.0.0.1:{port}", backoff=Backoff(tries=1), timeouts=UNREACHED) as client:
            expire(client.version, "no Ollama server answers")
        with connect(f"https://127.0.0.1:{port}", timeouts=Timeouts(answer=0.3)) as client:
            expire(client.version, "no Ollama server answers")
    for connection in held:
        connection.close()


@pytest.mark.parametrize("url", ["http://gpu.example:80", "https://gpu.example:443"])
def test_a_name_is_looked_up_by_its_deadline(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    done = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: [done.wait()][1:])
    try:
        with connect(url, backoff=Backoff(tries=1), timeouts=UNREACHED) as client:
            expire(client.version, "no Ollama server answers")
    finally:
        done.set()


@pytest.mark.parametrize("key", ["", "geheim-0123456789"])
def test_a_connection_that_comes_too_late_is_closed(
    fake: FakeOllama, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    late: list[socket.socket] = []
    create = socket.create_connection

    def connect_late(address: tuple[str, int], *_: object, **__: object) -> socket.socket:
        time.sleep(0.6)
        late.append(create(address))
        return late[-1]

    monkeypatch.setattr("socket.create_connection", connect_late)
    with connect(fake.url, key=key, timeouts=TIMEOUTS) as client:
        expire(client.version, "no Ollama server answers|has not answered")
    while not late or any(connection.fileno() != -1 for connection in late):
        time.sleep(0.02)


@pytest.mark.parametrize("key", ["", "geheim-0123456789"])
def test_a_connection_that_is_opened_while_the_client_is_closed_is_closed(
    fake: FakeOllama, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    opened: list[socket.socket] = []
    create, opening, closed = socket.create_connection, threading.Event(), threading.Event()

    def connect_slowly(address: tuple[str, int], *_: object, **__: object) -> socket.socket:
        opened.append(create(address))
        opening.set()
        assert closed.wait(60)
        return opened[-1]

    def ask(client: Client) -> None:
        with suppress(ServerError, RuntimeError):
            client.version()

    monkeypatch.setattr("socket.create_connection", connect_slowly)
    with connect(fake.url, key=key) as client:
        asking = threading.Thread(target=ask, args=(client,))
        asking.start()
        assert opening.wait(60)
    closed.set()
    asking.join(60)
    assert [connection.fileno() for connection in opened] == [-1]


def test_a_proxy_keeps_deadlines(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[socket.socket] = []
    with listening(held.append) as port:
        for scheme in ("http", "https"):
            monkeypatch.setenv(f"{scheme.upper()}_PROXY", f"http://127.0.0.1:{port}")
            with connect(f"{scheme}://gpu.example:80", timeouts=TIMEOUTS) as client:
                expire(client.version, "has not answered within|no Ollama server answers")
    for connection in held:
        connection.close()


def test_a_connection_is_used_again(fake: FakeOllama, monkeypatch: pytest.MonkeyPatch) -> None:
    connections: list[object] = []
    create = socket.create_connection

    def count(*args: object, **options: object) -> socket.socket:
        connections.append(args)
        return create(*args, **options)  # type: ignore[arg-type]  # as given

    monkeypatch.setattr("socket.create_connection", count)
    with connect(fake.url, key="geheim-0123456789") as client:
        for _ in range(5):
            Client.version(client)
    assert len(connections) == 1


def test_the_context_of_tls_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str | None] = []

    def wrap(_: ssl.SSLContext, sock: socket.socket, *, server_hostname: str | None = None) -> ssl.SSLSocket:
        seen.append(server_hostname)
        sock.close()
        raise ssl.SSLCertVerificationError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed")

    monkeypatch.setattr(ssl.SSLContext, "wrap_socket", wrap)
    with (
        listening(lambda connection: connection.close()) as port,
        connect(f"https://127.0.0.1:{port}") as client,
        pytest.raises(ServerUnreachable, match="no secure connection to"),
    ):
        client.version()
    assert seen == ["127.0.0.1"]


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the certificate of 127.0.0.1, with its key, that this process trusts."""
    both = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    return both


def test_an_upload_over_tls_is_whole_however_slowly_it_is_read(certificate: Path, tmp_path: Path) -> None:
    weights = tmp_path / "weights.gguf"
    weights.write_bytes(os.urandom(6 << 20))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    received = hashlib.sha256()

    def serve(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        with context.wrap_socket(connection, server_side=True) as secure:
            left = weights.stat().st_size
            _, _, body = read_head(secure).partition(b"\r\n\r\n")
            while left:
                received.update(body)
                left -= len(body)
                if not left % 7:
                    time.sleep(0.05)
                body = secure.recv(1 << 14) if left else b""
            secure.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")

    with listening(serve) as port, connect(f"https://127.0.0.1:{port}", timeouts=Timeouts(idle=20)) as client:
        client.push_blob(BLOB, weights, lambda _: None)
    assert received.digest() == hashlib.sha256(weights.read_bytes()).digest()


def read_head(connection: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.recv(1 << 14)
    return head


def test_ctrl_c_as_soon_as_it_is_connected_is_no_other_error(fake: FakeOllama, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        time.sleep(0.2)  # until the connection is there
        raise KeyboardInterrupt

    with connect(fake.url, key="geheim-0123456789") as client:
        monkeypatch.setattr("modelfile.stores.network.deadline.Deadline.repeat", interrupted)
        with pytest.raises(KeyboardInterrupt):
            client.tags()
