"""Progress: lines, bars and counts."""

import hashlib
import io
import json
import re
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TextIO

import pytest
from tests.fakes.faults import Slow
from tests.fakes.ollama import FakeOllama
from tests.fakes.store import published
from tests.support.cli import mf
from tests.support.terminal import mf_on_terminal, screen

from modelfile.events import Clock, Progress
from modelfile.report.progress import Meter, draw_bar, progress, track
from modelfile.report.terminal import Terminal

MB = 1000**2


class ManualClock(Clock):
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def monotonic(self) -> float:
        """Return the time that was set."""
        return self.seconds


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def meter(clock: ManualClock) -> Meter:
    return Meter("building", clock)


def terminal(
    stderr: TextIO, clock: Clock, stdout: TextIO | None = None, environ: Mapping[str, str] | None = None
) -> Terminal:
    """Return a terminal on these streams."""
    return Terminal(io.StringIO(), stdout or io.StringIO(), stderr, environ or {}, clock)


def test_line_every_five_seconds_after_half_a_second(meter: Meter, clock: ManualClock) -> None:
    lines = []
    for tenth in range(121):
        clock.seconds = 100 + tenth / 10
        meter.record(Progress(status="uploading model.gguf", total=240 * MB, completed=2 * MB * tenth))
        lines.append(meter.describe() if meter.is_due() else None)
    assert [(index / 10, line) for index, line in enumerate(lines) if line] == [
        (0.5, "uploading model.gguf 10 of 240 MB, 20 MB/s, 12 s left"),
        (5.5, "uploading model.gguf 110 of 240 MB, 20 MB/s, 6 s left"),
        (10.5, "uploading model.gguf 210 of 240 MB, 20 MB/s, 2 s left"),
    ]


def test_short_steps_get_a_line_only_in_turn(meter: Meter, clock: ManualClock) -> None:
    lines = []
    for tenth in range(121):
        clock.seconds = 100 + tenth / 10
        if tenth % 4 == 0:
            meter.record(Progress(status=f"step {tenth // 4}"))
        lines.append(meter.describe() if meter.is_due() else None)
    assert [(index / 10, line) for index, line in enumerate(lines) if line] == [
        (5.5, "step 13"),
        (11.0, "step 27"),
    ]


@pytest.mark.parametrize(
    ("seconds", "total", "completed", "text"),
    [
        (10, 0, 0, "x, 10 s"),
        (3, 0, 0, "x"),
        (1, 0, 0, "x"),
        (0.1, 4_200 * MB, 1_500 * MB, "x 1.5 of 4.2 GB"),
        (10, 4_200 * MB, 1_500 * MB, "x 1.5 of 4.2 GB, 150 MB/s, 18 s left"),
        (100, 40_000 * MB, 1_500 * MB, "x 1.5 of 40 GB, 15 MB/s, 43 min left"),
        (1000, 40_000 * MB, 1_500 * MB, "x 1.5 of 40 GB, 1.5 MB/s, 7 h 8 min left"),
        (1, 999, 500, "x 500 of 999 B, 500 B/s, 1 s left"),
        (1, 4000, 0, "x"),
        (10, 4000, 0, "x, 10 s"),
        (1, 4000, 4000, "x 4 of 4 kB"),
        (10, 4000, 4000, "x 4 of 4 kB, 10 s"),
    ],
)
def test_descriptions(meter: Meter, clock: ManualClock, seconds: float, total: int, completed: int, text: str) -> None:
    meter.record(Progress(status="x", total=total))
    clock.seconds += seconds
    meter.record(Progress(status="x", total=total, completed=completed))
    assert meter.describe() == text


def test_rate_counts_from_the_start_of_each_phase(meter: Meter, clock: ManualClock) -> None:
    meter.record(Progress(status="hashing", total=100 * MB, completed=90 * MB))
    clock.seconds += 10
    meter.record(Progress(status="pulling", total=100 * MB, completed=50 * MB))
    clock.seconds += 1
    meter.record(Progress(status="pulling", total=100 * MB, completed=60 * MB))
    assert meter.describe() == "pulling 60 of 100 MB, 10 MB/s, 4 s left"


def test_rate_is_that_of_the_last_seconds(meter: Meter, clock: ManualClock) -> None:
    done = 0
    for second in range(60):  # 100 MB/s, then 1 MB/s
        clock.seconds += 1
        done += 100_000_000 if second < 40 else 1_000_000
        meter.record(Progress(status="uploading", total=10_000_000_000, completed=done))
    assert meter.describe() == "uploading 4.0 of 10 GB, 1 MB/s, 1 h 40 min left"


def test_transfer_that_waits_has_no_rate(meter: Meter, clock: ManualClock) -> None:
    for completed in (1_000_000, 2_000_000, 2_000_100):
        meter.record(Progress(status="uploading", total=10_000_000, completed=completed))
        clock.seconds += 0.4
    for _ in range(6):
        clock.seconds += 5
        text = meter.describe()
    assert text == "uploading 2.0 of 10 MB, 31 s"


def test_control_codes_of_a_server_are_spelled_out(meter: Meter) -> None:
    meter.record(Progress(status="a\x1b[2Jb"))
    assert meter.describe() == "a<U+001B>[2Jb"


def test_threads_may_report_at_once(meter: Meter) -> None:
    with ThreadPoolExecutor(4) as pool:
        for number in range(1000):
            pool.submit(meter.record, Progress(status=str(number % 3), total=1000, completed=number))
            meter.describe()
    assert meter.bytes_done()[0] == 1000


@pytest.mark.parametrize("no_color", [False, True])
def test_bar(meter: Meter, clock: ManualClock, no_color: bool) -> None:
    meter.record(Progress(status="uploading [/INST].gguf", total=240 * MB))
    clock.seconds += 2
    meter.record(Progress(status="uploading [/INST].gguf", total=240 * MB, completed=120 * MB))
    done = threading.Event()
    done.set()
    drawn = Screen()
    environ = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "COLUMNS": "100"}
    draw_bar(meter, done, terminal(drawn, clock, environ=environ | ({"NO_COLOR": "1"} if no_color else {})))
    plain = re.sub(r"\x1b\[[0-9;]*m", "", drawn.getvalue())
    assert re.search(r"━{9,} *\S* *uploading \[/INST\]\.gguf 120 of 240 MB, 60 MB/s, 2 s left", plain)
    assert ("\x1b[38;" in drawn.getvalue()) is not no_color


@pytest.mark.parametrize("piped", [False, True])
def test_results_are_printed_above_the_bar(meter: Meter, clock: ManualClock, *, piped: bool) -> None:
    class Printing(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002  # the signature is threading's
            shown.write([("the result", "bold")])
            shown.print("and more")
            return True

    drawn, out = Screen(), io.StringIO()
    shown = terminal(drawn, clock, out if piped else Screen(), environ={"TERM": "xterm"})
    draw_bar(meter, Printing(), shown)
    assert out.getvalue() == ("the result\nand more\n" if piped else "")
    assert [line for line in screen(drawn.getvalue()) if line] == ([] if piped else ["the result", "and more"])


class Stream(io.StringIO):
    """Standard error, with an event for the first text."""

    def __init__(self) -> None:
        super().__init__()
        self.written = threading.Event()

    def write(self, text: str) -> int:
        """Write a text and set the event."""
        try:
            return super().write(text)
        finally:
            self.written.set()


@pytest.mark.parametrize("status", [None, "creating"])
def test_lines_are_printed_without_new_events(clock: ManualClock, status: str | None) -> None:
    stream = Stream()
    with progress("building", terminal(stream, clock)) as events:
        if status:
            events(Progress(status=status))
        clock.seconds += 30
        assert stream.written.wait(60)
    assert stream.getvalue() == f"{status or 'building'}, 30 s\n"


def test_closed_standard_error_does_not_stop_the_work(clock: ManualClock) -> None:
    class Closed(Stream):
        def write(self, _: str) -> int:
            self.written.set()
            raise BrokenPipeError

    stream = Closed()
    with progress("building", terminal(stream, clock)) as events:
        clock.seconds += 30
        assert stream.written.wait(60)
        events(Progress(status="creating"))


class Screen(io.StringIO):
    """A terminal that shows what was flushed."""

    def __init__(self) -> None:
        super().__init__()
        self.shown = ""

    def isatty(self) -> bool:
        """Return True."""
        return True

    def flush(self) -> None:
        """Show all that was written."""
        self.shown = self.getvalue()


def count(clock: ManualClock, stream: io.StringIO, seconds: float, most: int = 7) -> None:
    """Count six files that take so many seconds each, and stop after `most`."""
    counting = track("abcdef", "checked", terminal(stream, clock))
    seen = ""
    for item in counting:
        seen += item
        clock.seconds += seconds
        if len(seen) == most:
            break
    counting.close()
    assert seen == "abcdef"[:most]


def test_counter_is_shown_on_a_terminal(clock: ManualClock) -> None:
    shown = Screen()
    count(clock, shown, 0.25)
    assert shown.shown == "\rchecked 3 of 6\rchecked 4 of 6\rchecked 5 of 6\rchecked 6 of 6\r\x1b[K"


def test_counter_is_redrawn_ten_times_a_second_at_most(clock: ManualClock) -> None:
    shown = Screen()
    count(clock, shown, 0.0625)
    assert shown.shown == ""
    clock.seconds += 10
    shown = Screen()
    for _ in track(range(16), "checked", terminal(shown, clock)):
        clock.seconds += 0.0625
    assert shown.shown == "".join(f"\rchecked {number} of 16" for number in (9, 11, 13, 15)) + "\r\x1b[K"


def test_counter_is_erased_if_interrupted(clock: ManualClock) -> None:
    shown = Screen()
    count(clock, shown, 1, most=3)
    assert shown.shown == "\rchecked 1 of 6\rchecked 2 of 6\r\x1b[K"


def test_counter_needs_a_terminal(clock: ManualClock) -> None:
    stream = io.StringIO()
    count(clock, stream, 1)
    assert stream.getvalue() == ""


def test_quiet_terminal_shows_no_progress(clock: ManualClock) -> None:
    screen = Screen()
    quiet = terminal(screen, clock)
    quiet.quiet = True
    with progress("building", quiet) as events:
        events(Progress(status="creating"))
        clock.seconds += 30
    for _ in track("abc", "checked", quiet):
        clock.seconds += 30
    assert screen.getvalue() == ""


PLANNED = """\
{name} on {url}, Ollama 0.9.3
  current      none
  upload       weights.gguf, 71 bytes ({blob}…)
  create       from weights.gguf, and verify
  publish      as {name}
  unknown      fingerprint, until the server has read the weights
"""


@pytest.mark.parametrize("no_color", [False, True])
def test_build_erases_its_bar(
    project: Path, fake: FakeOllama, monkeypatch: pytest.MonkeyPatch, *, no_color: bool
) -> None:
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    fake.fault("/api/blobs", Slow(1.0))
    fake.fault("/api/create", Slow(1.0))
    code, written = mf_on_terminal("build", "bot:v1", cwd=project)
    shown = json.loads(mf("show", "bot:v1", "--json").out)
    made = f"bot:v1\n  fingerprint  {shown['fingerprint']}\n  digest       {shown['digest']}\n"
    blob = f"sha256:{hashlib.sha256((project / 'weights.gguf').read_bytes()).hexdigest()[:12]}"
    planned = PLANNED.format(name="bot:v1", url=fake.url, blob=blob)
    assert (code, screen(written)) == (0, (planned + made).split("\n"))
    assert "━" in written


def test_build_of_several_models_erases_its_bar(models: Path, fake: FakeOllama) -> None:
    fake.fault("/api/create", Slow(1.0), times=2)
    code, written = mf_on_terminal("build", cwd=models)
    lines = screen(written)
    assert (code, lines[-4].split(), lines[-1]) == (0, ["MODEL", "RESULT", "FINGERPRINT"], "")
    assert "━" in written
    assert "━" not in "".join(lines)


def test_pull_erases_its_bar(project: Path, fake: FakeOllama) -> None:
    fake.registry["team/base:v1"] = published(b"GGUF")
    fake.fault("/api/pull", Slow(1.0), times=2)
    code, written = mf_on_terminal("pull", "team/none:v1", "team/base:v1", cwd=project)
    lines = screen(written)
    assert (code, [line.split()[0] for line in lines[:-1]]) == (3, ["error:", "help:", "team/base:v1"])
    assert "━" in written
