"""What is said while something lasts."""

import hashlib
import io
import json
import re
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from rich.console import Console
from tests.fakes.faults import Slow
from tests.fakes.ollama import FakeOllama
from tests.fakes.store import published
from tests.support.cli import mf
from tests.support.terminal import mf_on_terminal, screen

from modelfile.events import Progress
from modelfile.report.progress import Meter, counted, draw_bar, progress

MB = 1000**2


class Clock:
    """A clock that goes when it is told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """What it shows."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def meter(clock: Clock) -> Meter:
    return Meter("building", clock)


def test_a_line_every_few_seconds_and_none_for_what_is_quick(meter: Meter, clock: Clock) -> None:
    said = []
    for tenth in range(121):
        clock.now = 100 + tenth / 10
        meter.hear(Progress(status="uploading model.gguf", total=240 * MB, completed=2 * MB * tenth))
        said.append(meter.due())
    assert [(index / 10, line) for index, line in enumerate(said) if line] == [
        (0.5, "uploading model.gguf 10 of 240 MB, 20 MB/s, 12 s left"),
        (5.5, "uploading model.gguf 110 of 240 MB, 20 MB/s, 6 s left"),
        (10.5, "uploading model.gguf 210 of 240 MB, 20 MB/s, 2 s left"),
    ]


def test_what_is_over_at_once_gets_no_line_but_many_of_them_do(meter: Meter, clock: Clock) -> None:
    said = []
    for tenth in range(121):
        clock.now = 100 + tenth / 10
        if tenth % 4 == 0:
            meter.hear(Progress(status=f"step {tenth // 4}"))
        said.append(meter.due())
    assert [(index / 10, line) for index, line in enumerate(said) if line] == [
        (5.5, "step 13"),
        (11.0, "step 27"),
    ]


@pytest.mark.parametrize(
    ("seconds", "total", "completed", "said"),
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
def test_lines(meter: Meter, clock: Clock, seconds: float, total: int, completed: int, said: str) -> None:
    meter.hear(Progress(status="x", total=total))
    clock.now += seconds
    meter.hear(Progress(status="x", total=total, completed=completed))
    assert meter.describe() == said


def test_every_phase_has_its_own_rate_and_what_was_there_is_none(meter: Meter, clock: Clock) -> None:
    meter.hear(Progress(status="hashing", total=100 * MB, completed=90 * MB))
    clock.now += 10
    meter.hear(Progress(status="pulling", total=100 * MB, completed=50 * MB))
    clock.now += 1
    meter.hear(Progress(status="pulling", total=100 * MB, completed=60 * MB))
    assert meter.describe() == "pulling 60 of 100 MB, 10 MB/s, 4 s left"


def test_what_a_server_says_does_nothing_to_a_terminal(meter: Meter) -> None:
    meter.hear(Progress(status="a\x1b[2Jb"))
    assert meter.describe() == "a<U+001B>[2Jb"


def test_several_threads_may_tell(meter: Meter) -> None:
    with ThreadPoolExecutor(4) as pool:
        for number in range(1000):
            pool.submit(meter.hear, Progress(status=str(number % 3), total=1000, completed=number))
            meter.describe()
    assert meter.share()[0] == 1000


@pytest.mark.parametrize("no_color", [False, True])
def test_a_bar(meter: Meter, clock: Clock, monkeypatch: pytest.MonkeyPatch, no_color: bool) -> None:  # noqa: FBT001
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    meter.hear(Progress(status="uploading [/INST].gguf", total=240 * MB))
    clock.now += 2
    meter.hear(Progress(status="uploading [/INST].gguf", total=240 * MB, completed=120 * MB))
    done = threading.Event()
    done.set()
    drawn = io.StringIO()
    draw_bar(meter, done, Console(file=drawn, force_terminal=True, width=100, color_system="truecolor"))
    plain = re.sub(r"\x1b\[[0-9;]*m", "", drawn.getvalue())
    assert re.search(r"━{9,} *\S* *uploading \[/INST\]\.gguf 120 of 240 MB, 60 MB/s, 2 s left", plain)
    assert ("\x1b[38;" in drawn.getvalue()) is not no_color


def test_a_result_that_is_piped_on_stays_out_of_the_bar(meter: Meter, capsys: pytest.CaptureFixture[str]) -> None:
    class Printing(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002  # the signature is threading's
            print("the result")  # noqa: T201  # what a command does meanwhile
            return True

    drawn = io.StringIO()
    draw_bar(meter, Printing(), Console(file=drawn, force_terminal=True))
    assert capsys.readouterr().out == "the result\n"
    assert "result" not in drawn.getvalue()


class Stream(io.StringIO):
    """Where it is said; it lets the block go on once something was."""

    def __init__(self) -> None:
        super().__init__()
        self.written = threading.Event()

    def write(self, text: str) -> int:
        """Take a text."""
        try:
            return super().write(text)
        finally:
            self.written.set()


@pytest.mark.parametrize("status", [None, "creating"])
def test_lines_come_by_themselves(monkeypatch: pytest.MonkeyPatch, clock: Clock, status: str | None) -> None:
    stream = Stream()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr("modelfile.report.progress.clock", clock)
    with progress("building") as events:
        if status:
            events(Progress(status=status))
        clock.now += 30
        assert stream.written.wait(20)
    assert stream.getvalue() == f"{status or 'building'}, 30 s\n"


def test_nobody_reads(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    class Closed(Stream):
        def write(self, _: str) -> int:
            self.written.set()
            raise BrokenPipeError

    stream = Closed()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr("modelfile.report.progress.clock", clock)
    with progress("building") as events:
        clock.now += 30
        assert stream.written.wait(20)
        events(Progress(status="creating"))


class Terminal(io.StringIO):
    """A terminal that shows what was flushed."""

    def __init__(self) -> None:
        super().__init__()
        self.shown = ""

    def isatty(self) -> bool:
        """It is."""
        return True

    def flush(self) -> None:
        """Show it."""
        self.shown = self.getvalue()


def count(clock: Clock, monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, seconds: float, most: int = 7) -> None:
    """Count six files, each of which takes so long, and stop after so many."""
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr("modelfile.report.progress.time.monotonic", clock)
    counting = counted("abcdef", "checked")
    seen = ""
    for item in counting:
        seen += item
        clock.now += seconds
        if len(seen) == most:
            break
    counting.close()
    assert seen == "abcdef"[:most]


def test_files_are_counted_on_a_terminal(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    count(clock, monkeypatch, terminal, 0.25)
    assert terminal.shown == "\rchecked 3 of 6\rchecked 4 of 6\rchecked 5 of 6\rchecked 6 of 6\r\x1b[K"


def test_not_every_file_is_counted_where_they_are_many(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    count(clock, monkeypatch, terminal, 0.0625)
    assert terminal.shown == ""
    clock.now += 10
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    for _ in counted(range(16), "checked"):
        clock.now += 0.0625
    assert terminal.shown == "".join(f"\rchecked {number} of 16" for number in (9, 11, 13, 15)) + "\r\x1b[K"


def test_the_count_is_wiped_out_when_it_is_left(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    count(clock, monkeypatch, terminal, 1, most=3)
    assert terminal.shown == "\rchecked 1 of 6\rchecked 2 of 6\r\x1b[K"


def test_nothing_is_counted_where_there_is_no_terminal(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    count(clock, monkeypatch, stream, 1)
    assert stream.getvalue() == ""


PLANNED = """\
{name} on {url}, Ollama 0.9.3
  now          not there
  upload       weights.gguf, 71 bytes ({blob}…)
  create       from weights.gguf, and look at what came of it
  take         the name {name}
  not known    what it gives, until the server has looked at the weights
"""


@pytest.mark.parametrize("no_color", [False, True])
def test_a_build_leaves_no_bar_on_a_terminal(
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


def test_a_build_of_several_leaves_no_bar_on_a_terminal(models: Path, fake: FakeOllama) -> None:
    fake.fault("/api/create", Slow(1.0), times=2)
    code, written = mf_on_terminal("build", cwd=models)
    lines = screen(written)
    assert (code, lines[-4].split(), lines[-1]) == (0, ["MODEL", "RESULT", "FINGERPRINT"], "")
    assert "━" in written
    assert "━" not in "".join(lines)


def test_a_pull_leaves_no_bar_on_a_terminal(project: Path, fake: FakeOllama) -> None:
    fake.registry["team/base:v1"] = published(b"GGUF")
    fake.fault("/api/pull", Slow(1.0), times=2)
    code, written = mf_on_terminal("pull", "team/none:v1", "team/base:v1", cwd=project)
    lines = screen(written)
    assert (code, [line.split()[0] for line in lines[:-1]]) == (3, ["error:", "help:", "team/base:v1"])
    assert "━" in written
