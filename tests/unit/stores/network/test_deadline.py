"""Deadlines, with waits that keep them."""

import threading
import time
from collections.abc import Callable

import pytest
from tests.support.clock import AdvancedClock

from modelfile.stores.network.deadline import Deadline, Expired


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
