"""What goes wrong on this side: a build that is ended, two at once, a disk that is full, weights that change."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from tests.fakes.faults import Hold
from tests.fakes.ollama import FakeOllama
from tests.support.cli import mf
from tests.support.disturbed import MODELFILE, NAME, Project, build_on_machines, digests, end, scratches

from modelfile.report.models import short_name
from modelfile.stores.ollama.client import Client

BLOB = "/api/blobs/"
TAGS = ("GET", "/api/tags")
COPY = ("POST", "/api/copy")
LOOK = [("GET", "/api/version"), TAGS, ("HEAD", BLOB), ("HEAD", BLOB)]
SEND = [("HEAD", BLOB), ("POST", BLOB), ("HEAD", BLOB)]
MAKE = [("POST", "/api/create"), TAGS, ("POST", "/api/show"), TAGS]
KEEP = [TAGS, COPY, TAGS]
TAKE = [TAGS, COPY, TAGS, ("DELETE", "/api/delete")]
AGAIN = [TAGS, ("HEAD", BLOB), ("HEAD", BLOB)]
STEPS = [*LOOK, *AGAIN, *SEND, *MAKE, *KEEP, *TAKE]
DOES = [number for number, (method, path) in enumerate(STEPS) if path != "/api/show" and method in ("POST", "DELETE")]


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake: FakeOllama) -> Project:
    return Project.new(tmp_path / "project", fake, monkeypatch, held=True)


def test_the_steps_of_a_build(held: Project, fake: FakeOllama) -> None:
    since = len(fake.requests)
    assert held.build().code == 0
    assert [
        (logged.method, BLOB if logged.path.startswith(BLOB) else logged.path) for logged in fake.requests[since:]
    ] == STEPS


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize(
    ("step", "done"),
    [*((step, False) for step in range(len(STEPS))), *((step, True) for step in DOES)],
)
def test_a_build_that_is_ended_at_any_step(
    held: Project,
    fake: FakeOllama,
    step: int,
    done: bool,  # noqa: FBT001  # whether the server has done the step
    how: signal.Signals,
) -> None:
    hold = Hold(done=done)
    fake.fault("", hold, first=step)
    with held.start() as running:
        assert hold.reached.wait(20)
        ended = end(running, how)
    assert ended.out == ""
    if how == signal.SIGINT:
        assert ended.code == 130
        assert ended.err.endswith(
            "error: interrupted\n"
            "help: every model is as it was or as asked; run the command again: what was sent whole is not sent again\n"
        )
        assert not scratches(fake) or STEPS[step][0] == "DELETE"
    held.is_as_before_or_as_asked()
    held.goes_on()


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("where", ["POST /api/blobs", "/api/create", "/api/show", "DELETE"])
def test_a_pin_that_is_ended(
    held: Project,
    fake: FakeOllama,
    where: str,
    how: signal.Signals,
    done: bool,  # noqa: FBT001
) -> None:
    hold = Hold(done=done)
    fake.fault(where, hold)
    with held.start("pin", "Modelfile") as running:
        assert hold.reached.wait(20)
        ended = end(running, how)
    assert ended.out == ""
    held.is_tidy()
    if how == signal.SIGINT:
        assert ended.code == 130
        assert "Traceback" not in ended.err
    assert mf("pin", "Modelfile").code == 0
    assert digests(fake) == held.models


def other(project: Project) -> None:
    """Put another Modelfile into the project."""
    path = project.folder / "other.Modelfile"
    path.write_text(MODELFILE + "PARAMETER seed 1\n")
    project.files[path] = path.read_bytes()


def test_two_builds_of_one_name_at_once(held: Project, fake: FakeOllama) -> None:
    other(held)
    hold = Hold()
    fake.fault("/api/create", hold)
    with held.start() as first:
        assert hold.reached.wait(20)
        with held.start("build", NAME, "--file", "other.Modelfile") as second:
            assert second.stderr
            assert any(f"waiting for another build of {NAME}" in line for line in second.stderr)
            hold.released.set()
            assert first.wait(20) == 0
            assert second.wait(20) == 0
    assert mf("build", NAME, "--file", "other.Modelfile").out.startswith("Nothing to do")
    assert not scratches(fake)
    held.is_tidy()


@pytest.mark.parametrize("where", ["POST /api/blobs", "/api/create", "/api/show", "DELETE"])
@pytest.mark.parametrize("done", [False, True])
def test_two_builds_of_one_name_at_once_from_two_machines(
    held: Project,
    fake: FakeOllama,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
    done: bool,  # noqa: FBT001
) -> None:
    monkeypatch.setattr("modelfile.builder.execute.PATIENCE_ELSEWHERE", 0.2)
    other(held)
    hold = Hold(done=done)
    fake.fault(where, hold)
    with held.start(XDG_CACHE_HOME=str(tmp_path / "elsewhere")) as first:
        assert hold.reached.wait(20)
        second = held.build("--file", "other.Modelfile")
        between = digests(fake)
        hold.released.set()
        _, err = first.communicate(timeout=20)
    assert second.code == 0, second
    assert first.returncode == 0, err
    assert {*between.values()} <= {*digests(fake).values()}
    assert not scratches(fake)
    held.fake.mend()
    assert held.build().code == 0
    held.is_tidy()


def test_what_another_machine_makes_meanwhile_is_kept(
    held: Project, fake: FakeOllama, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelfile.builder.execute.PATIENCE_ELSEWHERE", 0.2)
    other(held)
    hold = Hold()
    fake.fault("/api/show", hold, first=1)  # when it has made the model, and looks at it
    with held.start("build", NAME, "--no-keep", XDG_CACHE_HOME=str(tmp_path / "elsewhere")) as first:
        assert hold.reached.wait(20)
        assert held.build("--file", "other.Modelfile").code == 0
        others = digests(fake)[NAME]
        hold.released.set()
        out, err = first.communicate(timeout=20)
    assert first.returncode == 0, err
    alias = next(name for name, digest in digests(fake).items() if digest == others)
    assert f"  meanwhile    another build gave it another model, kept as {short_name(alias)}\n" in out
    assert mf("rollback", NAME).code == 0
    assert digests(fake)[NAME] == others
    assert not scratches(fake)


@pytest.mark.parametrize(("age", "left"), [(30, True), (90, False)])
def test_what_was_killed_elsewhere_is_waited_for_and_then_swept(
    held: Project,
    fake: FakeOllama,
    monkeypatch: pytest.MonkeyPatch,
    age: int,
    left: bool,  # noqa: FBT001
) -> None:
    monkeypatch.setattr("modelfile.builder.execute.PATIENCE_ELSEWHERE", 0.2)
    with Client(fake.url) as client:
        client.copy(NAME, "bot:mf-building-01234567-v1")
    fake.store.clock += timedelta(seconds=age)
    assert held.build().code == 0
    assert bool(scratches(fake)) is left


def test_the_clock_of_this_machine_does_not_matter(held: Project, fake: FakeOllama) -> None:
    with Client(fake.url) as client:
        client.copy(NAME, "bot:mf-building-01234567-v1")
    fake.store.clock -= timedelta(hours=2)
    assert held.build("--file", "older.Modelfile").out.startswith("Nothing to do")
    assert scratches(fake)


def test_of_several_machines_none_loses_what_another_made(held: Project, fake: FakeOllama, tmp_path: Path) -> None:
    made = build_on_machines(4, NAME, MODELFILE, tmp_path)
    assert {*made, *held.models.values()} <= {*digests(fake).values()}
    assert not scratches(fake)


def test_two_builds_of_two_names_at_once(held: Project, fake: FakeOllama) -> None:
    third = {"third.gguf": b"GGUF" + bytes(60) + b"third", "third.Modelfile": b"# For tests.\nFROM ./third.gguf\n"}
    for name, content in third.items():
        (held.folder / name).write_bytes(content)
        held.files[held.folder / name] = content
    hold = Hold()
    fake.fault("POST /api/blobs", hold)
    with held.start() as first:
        assert hold.reached.wait(20)
        assert mf("build", "other:v1", "--file", "third.Modelfile").code == 0
        hold.released.set()
        assert first.wait(20) == 0
    assert digests(fake).keys() >= {NAME, "other:v1"}
    assert not scratches(fake)
    held.is_tidy()


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"x")


def shrink(path: Path) -> None:
    os.truncate(path, 1 << 20)


@pytest.mark.parametrize("change", [grow, shrink, Path.touch])
def test_weights_that_change_while_they_are_sent(
    held: Project, fake: FakeOllama, change: Callable[[Path], None]
) -> None:
    weights = held.folder / "weights.gguf"
    with weights.open("ab") as file:
        file.write(bytes(30 << 20))  # more than the buffers of a connection hold
    hold = Hold()
    fake.fault("POST /api/blobs", hold)
    with held.start() as running:
        assert hold.reached.wait(20)
        change(weights)
        hold.released.set()
        out, err = running.communicate(timeout=20)
    assert (running.returncode, out) == (3, "")
    assert "`weights.gguf` has changed since its digest was computed\nhelp: run the command again\n" in err
    held.files[weights] = weights.read_bytes()
    held.is_as_before()
    assert held.build().code == 0


@pytest.mark.skipif(sys.platform != "linux", reason="no other system lets a process have no room on its disk")
@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("build", NAME), None),
        (("build", NAME, "--plan-out", "plan.json"), "plan.json"),
        (("pin", "Modelfile"), "mf.lock"),
        (("fmt", "Modelfile"), "Modelfile"),
    ],
)
def test_no_room_on_the_disk(held: Project, fake: FakeOllama, command: tuple[str, ...], told: str | None) -> None:
    assert mf("pin", "Modelfile").code == 0
    (held.folder / "Modelfile").write_text(f"{MODELFILE}parameter seed 1\n")
    held.files.update({path: path.read_bytes() for path in held.folder.iterdir() if path.is_file()})
    program = [sys.executable, "-c", NO_ROOM, *command]
    ran = subprocess.run(program, capture_output=True, text=True, check=False, timeout=20)
    if told is None:
        assert ran.returncode == 0, ran
    else:
        assert (ran.returncode, ran.stdout) == (3, ""), ran
        assert ran.stderr.startswith("error: `")
        assert f"{told}` cannot be written: File too large\n" in ran.stderr
        assert digests(fake) == held.models
    held.is_tidy()
    assert mf(*command).code == 0


NO_ROOM = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
from modelfile.__main__ import main
main()
"""


@pytest.mark.parametrize(
    "command",
    [
        ("ls",),
        ("ls", "--json"),
        ("build", NAME),
        ("build", NAME, "--json"),
        ("build", "x:v1", "--dry-run"),
        ("show", NAME),
        ("diff", NAME, "Modelfile"),
        ("lint", "Modelfile"),
    ],
)
@pytest.mark.parametrize("closed", [False, True])
def test_an_output_that_takes_nothing(held: Project, command: tuple[str, ...], closed: bool) -> None:  # noqa: FBT001
    (held.folder / "Modelfile").write_text(f"{MODELFILE}PARAMETER top_k 0.5\n" if command[0] == "lint" else MODELFILE)
    where = ">&-" if closed else "> /dev/full"
    program = ["sh", "-c", f'exec "$0" -m modelfile "$@" {where}', sys.executable, *command]
    ran = subprocess.run(program, capture_output=True, text=True, check=False, timeout=20)
    assert "Traceback" not in ran.stderr
    if closed:
        assert ran.returncode in (0, 1), ran
    else:
        assert ran.returncode == 3, ran
        assert ran.stderr.endswith("error: could not read or write: No space left on device\n")


@pytest.mark.parametrize("where", [">&- 2>&-", "> /dev/full 2> /dev/full", "2>&-"])
def test_nobody_who_listens(held: Project, where: str) -> None:
    program = ["sh", "-c", f'exec "$0" -m modelfile "$@" {where}', sys.executable, "build", NAME, "--json"]
    code = subprocess.run(program, capture_output=True, check=False, timeout=20).returncode
    assert code == (3 if "full" in where else 0)
    held.goes_on()


@pytest.mark.parametrize("cache", ["a file", "nowhere", "home"])
def test_no_place_for_a_cache(held: Project, tmp_path: Path, cache: str) -> None:
    (tmp_path / "a file").touch()
    environment = {"XDG_CACHE_HOME": {"a file": str(tmp_path / "a file"), "nowhere": "/proc/nowhere"}.get(cache, "")}
    if cache == "home":
        environment |= {"HOME": "/proc/nobody"}
    environment |= {"TMPDIR": "/proc"}
    with held.start(**environment) as running:
        _, err = running.communicate(timeout=20)
    assert running.returncode == 0, err
    held.goes_on()
