"""The fake Ollama server fails on demand, and a fault that has no effect fails the test."""

import time
from typing import Any

import httpx
import pytest
from tests.fakes.faults import DropParameter, ErrorLine, Fault, Garbage, Hangup, NoSuccess, Slow, Status, WrongAck
from tests.fakes.ollama import FakeOllama
from tests.support.raw import give_base, lines, post, upload


@pytest.fixture
def base(fake: FakeOllama) -> FakeOllama:
    """Yield a server that has `base:v1`."""
    return give_base(fake)


def test_status_and_garbage(base: FakeOllama) -> None:
    base.fault("/api/show", Status(503, "busy"))
    base.fault("/api/show", Garbage(b"<html>"), times=2)
    answers = [post(base, "/api/show", model="base:v1") for _ in range(4)]
    assert [(answer.status_code, answer.text[:6]) for answer in answers[:3]] == [(503, "busy"), *[(200, "<html>")] * 2]
    assert answers[3].json()["system"] == "old"


@pytest.mark.parametrize("path", ["/api/show", "/api/create"])
def test_hangup_before_the_answer(base: FakeOllama, path: str) -> None:
    base.fault(f"POST {path}", Hangup())
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        post(base, path, model="base:v1")
    assert base.requests[-1] == ("POST", path, {"model": "base:v1"})


def test_hangup_within_the_answer(base: FakeOllama) -> None:
    base.fault("/api/create", Hangup(after_lines=2))
    with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
        post(base, "/api/create", model="bot", **{"from": "base:v1"})
    assert "bot:latest" not in base.models


def test_hangup_within_the_request(fake: FakeOllama) -> None:
    fake.fault("/api/blobs/", Hangup(after_bytes=1000))
    with pytest.raises(httpx.TransportError):
        upload(fake)
    assert not fake.blobs
    assert upload(fake).status_code == 201


def test_error_line(base: FakeOllama) -> None:
    base.fault("/api/create", ErrorLine(after_lines=1, error="disk full"))
    answered = lines(base, "/api/create", model="bot", **{"from": "base:v1"})
    assert answered[1:] == [{"error": "disk full"}]
    assert "bot:latest" not in base.models
    base.fault("/api/tags", ErrorLine(error="disk full"))
    answer = httpx.get(f"{base.url}/api/tags")
    assert (answer.status_code, answer.json()) == (500, {"error": "disk full"})


def test_no_success(base: FakeOllama) -> None:
    base.fault("/api/create", NoSuccess())
    assert lines(base, "/api/create", model="bot", **{"from": "base:v1"})[-1] == {"status": "writing manifest"}
    assert "bot:latest" in base.models


def give_up_waiting(fake: FakeOllama) -> None:
    """Ask for the version, and hang up before the answer, but once the server has read the request."""
    before = len(fake.requests)
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{fake.url}/api/version", timeout=httpx.Timeout(60, read=0.05))
    while len(fake.requests) == before:
        time.sleep(0.01)


def test_slow(base: FakeOllama) -> None:
    base.fault("/api/version", Slow(600))
    start = time.monotonic()
    give_up_waiting(base)
    base.fault("/api/version", Slow(0.05))
    assert httpx.get(f"{base.url}/api/version").json() == {"version": "0.9.3"}
    assert time.monotonic() - start >= 0.1


def test_wrong_ack(fake: FakeOllama) -> None:
    fake.fault("/api/blobs/", WrongAck())
    assert upload(fake).status_code == 201
    assert not fake.blobs


def test_drop_parameter(base: FakeOllama) -> None:
    base.fault("/api/create", DropParameter("top_k"))
    lines(base, "/api/create", model="bot", parameters={"top_k": 3, "seed": 1}, **{"from": "base:v1"})
    shown = post(base, "/api/show", model="bot").json()["parameters"]
    assert "seed" in shown
    assert "top_k" not in shown


@pytest.mark.parametrize(
    ("method", "path", "request_", "complaint"),
    [
        ("POST", "/api/create", {"json": {"model": "x", "nonsense": 1}}, "unknown field 'nonsense'"),
        ("POST", "/api/create", {"json": {"model": "x", "renderer": "r"}}, "unknown field 'renderer'"),
        ("POST", "/api/show", {"json": {"name": "x"}}, "unknown field 'name'"),
        ("POST", "/api/show", {"json": {"model": 3}}, "'model' cannot be 3"),
        ("POST", "/api/show", {"json": ["x"]}, "no JSON object"),
        ("POST", "/api/show", {"content": b"{", "headers": {"Content-Type": "application/json"}}, "no JSON object"),
        ("POST", "/api/show", {"content": b'{"model": "x"}'}, "Content-Type ''"),
        ("POST", "/api/blobs/sha256:1", {"json": {}}, "Content-Type 'application/json'"),
        ("POST", "/api/create", {"json": {"messages": [{"role": "user"}]}}, "is not a role and a content"),
        ("GET", "/api/ps", {}, "GET /api/ps is nothing that this server knows"),
        ("PUT", "/api/tags", {}, "PUT /api/tags is nothing that this server knows"),
    ],
)
def test_what_no_client_should_send_fails_the_test(
    method: str, path: str, request_: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(AssertionError, match=complaint), FakeOllama() as fake:
        httpx.request(method, f"{fake.url}{path}", **request_)


def test_what_is_allowed_does_not() -> None:
    with FakeOllama(allow={"/api/ps", "name", "Content-Type"}) as fake:
        assert httpx.get(f"{fake.url}/api/ps").status_code == 404
        assert httpx.post(f"{fake.url}/api/show", content=b'{"name": "x"}').json() == {"error": "model is required"}


def test_a_fault_that_no_request_meets_fails_the_test() -> None:
    with pytest.raises(AssertionError, match=r"Slow.* was not met"), FakeOllama() as fake:
        fake.fault("/api/create", Slow(1))


@pytest.mark.parametrize("fault", [Hangup(after_lines=99), ErrorLine(after_lines=99), DropParameter("top_k")])
def test_a_fault_without_effect_fails_the_test(fault: Fault) -> None:
    with pytest.raises(AssertionError, match=type(fault).__name__), _faulty(fault) as fake:
        post(fake, "/api/create", model="x")


def _faulty(fault: Fault) -> FakeOllama:
    fake = FakeOllama()
    fake.fault("/api/create", fault)
    return fake


def test_a_complaint_does_not_hide_the_error_of_a_test() -> None:
    def fail() -> None:
        with FakeOllama() as fake:
            httpx.get(f"{fake.url}/api/ps")
            raise KeyError

    with pytest.raises(KeyError) as caught:
        fail()
    assert "GET /api/ps" in caught.value.__notes__[0]


def test_leaving_ends_open_connections_and_slow_answers() -> None:
    with httpx.Client() as client:
        with FakeOllama() as fake:
            client.get(f"{fake.url}/api/version")  # and the connection stays open
            fake.fault("/api/version", Slow(10**6))  # so that the test would never end
            give_up_waiting(fake)
        with pytest.raises(httpx.TransportError):
            client.get(f"{fake.url}/api/version")
