"""Deadlines, with waits that keep them."""

import socket
import threading
import time
from collections.abc import Callable

import pytest
from tests.support.clock import AdvancedClock

from modelfile.stores.network.deadline import BoundedSocket, Deadline, Expired, send_all


def expire(deadline: Deadline) -> Expired:
    with pytest.raises(Expired) as caught:
        deadline.repeat(_never)
    return caught.value


def _never(seconds: float) -> None:
    time.sleep(seconds)
    raise TimeoutError


def test_a_total_ends_whatever_is_sent() -> None:
    deadline = Deadline(0.1)
    deadline.count_sent()
    error = expire(deadline)
    assert str(error) == "has not answered within 0.1 s"
    assert error.hint == "--timeout allows it more time"


def test_progress_extends_an_idle_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = AdvancedClock.replace(monkeypatch)
    deadline = Deadline(0.2, idle=True)
    for _ in range(4):
        clock.advance(0.15)
        deadline.count_sent()
    assert deadline.remaining() == pytest.approx(0.2)
    clock.advance(0.25)
    error = expire(deadline)
    assert str(error) == "has made no progress for 0.2 s"
    assert error.hint == "--idle-timeout allows it more time"
    deadline.extend(60)
    assert deadline.remaining() == pytest.approx(60)


def test_a_part_ends_no_later_than_the_whole() -> None:
    assert Deadline(1).within(10).remaining() <= 1
    assert Deadline(10).within(1).remaining() <= 1


def test_what_cannot_be_interrupted_is_left_alone() -> None:
    late, discarded = threading.Event(), threading.Event()

    def look_up() -> str:
        late.wait()
        return "192.0.2.1"

    try:
        with pytest.raises(Expired):
            Deadline(0.1).run(look_up, lambda _: discarded.set())
        assert not discarded.is_set()
    finally:
        late.set()
    assert discarded.wait(10)


def _fail() -> None:
    raise ConnectionRefusedError


@pytest.mark.parametrize(
    "run",
    [
        lambda operation, discard: Deadline(10).run(operation, discard),
        lambda operation, _: Deadline(10).repeat(lambda _: operation()),
    ],
)
def test_results_and_errors_are_passed_on(run: Callable[..., object]) -> None:
    assert run(lambda: "192.0.2.1", print) == "192.0.2.1"
    with pytest.raises(ConnectionRefusedError):
        run(_fail, print)


def test_a_socket_that_drips_keeps_its_deadline() -> None:
    ours, theirs = socket.socketpair()
    bounded = BoundedSocket.over(ours, Deadline(0.3))

    def drip() -> None:
        while True:
            time.sleep(0.05)
            try:
                theirs.sendall(b"x")
            except OSError:
                return

    thread = threading.Thread(target=drip)
    thread.start()
    with bounded, theirs, pytest.raises(Expired), bounded.makefile("rb") as file:
        file.read()
    thread.join()


@pytest.mark.parametrize("idle", [True, False])
def test_bytes_that_are_accepted_are_progress_of_an_upload(idle: bool) -> None:
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 12)
    content = bytes(1 << 20)

    def accept_slowly() -> None:
        left = len(content)
        while left and (received := len(theirs.recv(1 << 14))):
            left -= received
            time.sleep(0.05)

    thread = threading.Thread(target=accept_slowly)
    thread.start()
    with theirs, ours:
        if idle:
            send_all(ours, content, Deadline(2, idle=True))  # of 3 s at least
        else:
            with pytest.raises(Expired):
                send_all(ours, content, Deadline(0.3))
            ours.close()
        thread.join()


def test_a_server_that_accepts_nothing_ends_an_upload() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(Expired):
        send_all(ours, bytes(1 << 24), Deadline(0.2, idle=True))


@pytest.mark.parametrize("answer", [b"HTTP/1.1 413 Content Too Large\r\n", b""])
def test_a_server_that_answers_early_is_not_sent_the_rest(answer: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(answer)
        theirs.shutdown(socket.SHUT_WR)
        with pytest.raises(ConnectionAbortedError):
            send_all(ours, bytes(1 << 24), Deadline(10, idle=True))


def test_an_interim_answer_does_not_end_an_upload() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        with pytest.raises(Expired):
            send_all(ours, bytes(1 << 24), Deadline(0.2, idle=True))
