"""Notes on waits for registries."""

from io import StringIO

from modelfile.cli.options import _WaitNotes
from modelfile.events import Clock
from modelfile.report.terminal import Terminal


class _Clock(Clock):
    now_in_seconds = 100.0

    def monotonic(self) -> float:
        return self.now_in_seconds


def test_threads_that_wait_for_the_same_host_give_one_note() -> None:
    err, clock = StringIO(), _Clock()
    notes = _WaitNotes(Terminal(StringIO(), StringIO(), err, {}, clock))
    for host, seconds in (("a", 30), ("a", 30), ("b", 5), ("b", 1), ("c", 1)):
        notes.note(host, seconds)
    clock.now_in_seconds += 1
    notes.note("a", 30)
    clock.now_in_seconds += 30
    notes.note("a", 60)
    assert err.getvalue().splitlines() == [
        f"{host} is busy or fails: the next try is in {seconds} s" for host, seconds in (("a", 30), ("b", 5), ("a", 60))
    ]
