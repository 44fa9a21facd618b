"""Tests of requests over HTTP/1.1: what Ollama answers is understood, and all else is left to a complete client."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest

from modelfile.stores.network.deadline import Deadline, Expired
from modelfile.stores.ollama.connection import LARGEST_ANSWER, Connection, NotUnderstood

OK = b"HTTP/1.1 200 OK\r\n"
LENGTH = OK + b"Content-Type: application/json\r\nContent-Length: 4\r\n\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


@contextmanager
def server(*answers: bytes) -> Iterator[tuple[Connection, list[bytes]]]:
    """Answer each request on one connection, then close it; yield a connection, and the requests."""
    requests: list[bytes] = []

    def serve() -> None:
        accepted, _ = listener.accept()
        with accepted:
            for answer in answers:
                requests.append(accepted.recv(65_536))
                accepted.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=serve)
        thread.start()
        connection = Connection(*listener.getsockname())
        try:
            yield connection, requests
        finally:
            connection.close()
            thread.join()


def test_a_request_and_the_next_use_one_connection() -> None:
    chunked = CHUNKED + b"3;x=y\r\ntru\r\n1\r\ne\r\n0\r\nX: y\r\n\r\n"
    with server(LENGTH + b"true", chunked, OK + b"\r\n") as (one, requests):
        assert one.ask("GET", "/api/tags", None, Deadline(5)) == (200, b"true")
        assert one.ask("POST", "/p%20q", b"{}", Deadline(5)) == (200, b"true")
        assert one.ask("HEAD", "/", None, Deadline(5)) == (200, b"")
    lines = [request.split(b"\r\n") for request in requests]
    assert [each[0] for each in lines] == [b"GET /api/tags HTTP/1.1", b"POST /p%20q HTTP/1.1", b"HEAD / HTTP/1.1"]
    assert lines[0][1].startswith(b"Host: 127.0.0.1:")
    assert lines[1][2] == b"Accept-Encoding: identity"
    assert lines[1][3:] == [b"Content-Type: application/json", b"Content-Length: 2", b"", b"{}"]


def test_other_statuses_are_answers_too() -> None:
    with server(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n") as (one, _):
        assert one.ask("GET", "/", None, Deadline(5)) == (404, b"")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>",
        b"\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        OK,
        OK + b"\r\ntrue",
        OK + b"Content-Length: -1\r\n\r\n",
        OK + b"Content-Length: 5\r\n\r\ntrue",
        OK + b"Content-Length: %d\r\n\r\n" % (LARGEST_ANSWER + 1),
        OK + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\ntrue",
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        OK + b"no colon\r\n\r\n",
        OK + b"X: y\r\n" * 65_536,
        OK + b"".join(b"X-%d: y\r\n" % number for number in range(200)) + b"\r\n",
        OK + b"X: " + b"y" * 70_000,
        CHUNKED + b"4\r\ntrue\r\n",
        CHUNKED + b"4\r\ntrue!\r\n0\r\n\r\n",
        CHUNKED + b"x\r\n",
        CHUNKED + b"-1\r\n",
        CHUNKED + b"FFFFFFFFFF\r\n",
        CHUNKED + b"\r\n",
    ],
)
def test_an_unusual_answer_is_not_understood(answer: bytes) -> None:
    with server(answer) as (one, _), pytest.raises((ValueError, ConnectionError)):
        one.ask("GET", "/", None, Deadline(5))


@pytest.mark.parametrize("target", ["/a b", "/\r\nX: y", "/é"])
def test_a_path_that_is_not_quoted_is_not_sent(target: str) -> None:
    with pytest.raises(NotUnderstood, match="not quoted"):
        Connection("127.0.0.1", 1).ask("GET", target, None, Deadline(5))


def test_an_answer_is_whole_by_its_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection = Connection(*listener.getsockname())
        with pytest.raises(Expired):
            connection.ask("GET", "/", None, Deadline(0.1))
        connection.close()
