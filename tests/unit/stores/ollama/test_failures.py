"""The translation of failures of httpx, and of the server."""

import httpx
import pytest
from tests.support.server import connect

from modelfile.errors import ServerUnreachable
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


def test_a_server_that_cannot_resolve_a_registry() -> None:
    message = (
        'pull model manifest: Get "https://x.example/v2/": dial tcp: lookup x.example on 127.0.0.53:53: no such host'
    )
    error = Failures(url="http://127.0.0.1:9").refused(message)
    assert error.message == "the server at http://127.0.0.1:9 cannot resolve x.example"
