"""Tests of sockets that keep deadlines."""

import socket
import threading
import time

import pytest

from modelfile.stores.network.deadline import Deadline, Expired
from modelfile.stores.network.sockets import BoundedSocket, send_all


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
