"""The translation of failures of httpx, and of the server."""

import httpx
import pytest
from tests.fakes.faults import ErrorLine
from tests.fakes.ollama import FakeOllama
from tests.fakes.store import published
from tests.support.cli import mf
from tests.support.server import connect

from modelfile.errors import RegistryUnreachable, ServerError, ServerUnreachable
from modelfile.stores.ollama.failures import Failures

TRANSPORT_ERRORS = [
    error for error in vars(httpx).values() if isinstance(error, type) and issubclass(error, httpx.RequestError)
]


@pytest.mark.parametrize("error", [*TRANSPORT_ERRORS, httpx.InvalidURL, httpx.StreamError])
def test_every_error_of_httpx_is_translated(error: type[Exception]) -> None:
    raised = error("boom")
    with pytest.raises(ServerUnreachable) as caught, Failures(url="http://127.0.0.1:9").translated():
        raise raised
    assert caught.value.__cause__ is (None if error is httpx.InvalidURL else raised)  # its words may be secret
    assert caught.value.hint


@pytest.mark.parametrize("cause", ["[Errno -2] Name or service not known", "[Errno 11001] getaddrinfo failed"])
def test_an_unknown_host_is_named(monkeypatch: pytest.MonkeyPatch, cause: str) -> None:
    def send(_: httpx.Client, request: httpx.Request, **__: object) -> httpx.Response:
        raise httpx.ConnectError(cause, request=request)

    monkeypatch.setattr(httpx.Client, "send", send)
    with (
        connect("http://no.example:80") as client,
        pytest.raises(ServerUnreachable, match=r"^host `no\.example` not found"),
    ):
        client.version()


GET = 'pull model manifest: Get "https://x.example/v2/library/a/manifests/b?sig=s": '


@pytest.mark.parametrize(
    ("message", "what", "hint"),
    [
        (GET + "dial tcp: lookup x.example on 127.0.0.53:53: no such host", "resolve x.example", "DNS"),
        (GET + "dial tcp: lookup x.example: i/o timeout", "resolve x.example", "DNS"),
        (GET + "dial tcp: lookup cdn.example: server misbehaving", "resolve cdn.example", "DNS"),
        (GET + "dial tcp 127.0.0.1:9: connect: connection refused", "reach x.example: connection refused", "network"),
        ("dial tcp 127.0.0.1:9: connect: connection refused", "reach 127.0.0.1:9: connection refused", "network"),
        (GET + "dial tcp 192.0.2.1:443: connect: no route to host", "reach x.example: no route to it", "network"),
        (GET + "dial tcp [2001:db8::1]:443: connect: network is unreachable", "reach x.example: no route", "network"),
        (GET + "dial tcp 192.0.2.1:443: i/o timeout", "reach x.example: no answer in time", "network"),
        (GET + "net/http: TLS handshake timeout", "reach x.example: no answer in time", "network"),
        (GET + "context deadline exceeded", "reach x.example: no answer in time", "network"),
        (
            GET + "tls: failed to verify certificate: x509: certificate signed by unknown authority",
            "verify x.example: failed to verify certificate: x509: certificate signed by unknown authority",
            "certificates",
        ),
        (GET + "x509: certificate has expired", "verify x.example: certificate has expired", "certificates"),
        (GET + "http: server gave HTTP response to HTTPS client", "reach x.example: it does not speak HTTPS", "TLS"),
        (GET + "proxyconnect tcp: EOF", "reach x.example: its proxy does not answer", "proxy"),
        (GET + "EOF", "reach x.example: the connection broke", "network"),
        (
            "read tcp 10.0.0.2:1->192.0.2.1:443: read: connection reset by peer",
            "reach 192.0.2.1:443: the connection broke",
            "network",
        ),
    ],
)
def test_failures_of_the_server_s_own_network(message: str, what: str, hint: str) -> None:
    error = Failures(url="http://127.0.0.1:9").refused(message)
    assert isinstance(error, RegistryUnreachable)
    assert error.message.startswith(f"the server at http://127.0.0.1:9 cannot {what}")
    assert hint in (error.hint or "")


@pytest.mark.parametrize(
    "message", ["unexpected EOF", "invalid file magic", "pull model manifest: file does not exist"]
)
def test_other_failures_of_the_server(message: str) -> None:
    error = Failures(url="http://127.0.0.1:9").refused(message)
    assert type(error) is ServerError
    assert error.message == f"http://127.0.0.1:9 refused: {message}"


def test_a_failed_pull_says_that_the_server_cannot_resolve_the_registry(fake: FakeOllama) -> None:
    lookup = 'Get "https://registry.ollama.ai/v2/": dial tcp: lookup registry.ollama.ai on 127.0.0.53:53: no such host'
    fake.registry["base:v1"] = published(b"GGUF")
    fake.fault("/api/pull", ErrorLine(after_lines=1, error=lookup))
    ran = mf("pull", "base:v1", "--host", fake.url)
    cause = f"the server at {fake.url} cannot resolve registry.ollama.ai"
    assert ran.code == 3
    assert f"cannot pull base:v1: {cause}\n" in ran.err
    assert "help: check the server's DNS and network, then run the command again\n" in ran.err


@pytest.mark.parametrize("answered", [True, False])
def test_a_server_that_is_absent(answered: bool) -> None:
    failures = Failures(url="http://127.0.0.1:9")
    failures.answered = answered
    with pytest.raises(ServerUnreachable) as caught, failures.translated("w.gguf was being sent"):
        raise httpx.ConnectError("refused")
    first, second = "http://127.0.0.1:9 went away while w.gguf was being sent", "no Ollama server answers at "
    assert caught.value.message.startswith(first if answered else second)
    with pytest.raises(ServerUnreachable) as caught, failures.translated():
        raise httpx.ConnectError("refused")
    assert caught.value.message == f"{second}http://127.0.0.1:9" + (" any longer" if answered else "")
