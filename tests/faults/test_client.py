"""Faults on the client's side: interrupted builds, two at once, a full disk, weights that change."""

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
from tests.support.disturbed import MODELFILE, NAME, Project, build_on_machines, digests, end, staging_tags
from tests.support.server import connect

from modelfile.report.models import short_name

BLOB = "/api/blobs/"
TAGS = ("GET", "/api/tags")
COPY = ("POST", "/api/copy")
INSPECT = [("GET", "/api/version"), TAGS, ("HEAD", BLOB)]
UPLOAD = [("HEAD", BLOB), ("POST", BLOB), ("HEAD", BLOB)]
CREATE = [("POST", "/api/create"), TAGS, ("POST", "/api/show"), TAGS]
BACK_UP = [TAGS, COPY, TAGS]
PUBLISH = [TAGS, COPY, TAGS, ("DELETE", "/api/delete")]
INSPECT_AGAIN = [TAGS, ("HEAD", BLOB)]
STEPS = [*INSPECT, *INSPECT_AGAIN, *UPLOAD, *CREATE, *BACK_UP, *PUBLISH]
CHANGING = [
    number for number, (method, path) in enumerate(STEPS) if path != "/api/show" and method in ("POST", "DELETE")
]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake: FakeOllama) -> Project:
    """Return a project to build, where its name has another model already."""
    return Project.new(tmp_path / "project", fake, monkeypatch, held=True)


def test_the_requests_of_a_build(project: Project, fake: FakeOllama) -> None:
    since = len(fake.requests)
    assert project.build().code == 0
    assert [
        (logged.method, BLOB if logged.path.startswith(BLOB) else logged.path) for logged in fake.requests[since:]
    ] == STEPS


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize(
    ("step", "done"),
    [*((step, False) for step in range(len(STEPS))), *((step, True) for step in CHANGING)],
)
def test_a_build_that_is_interrupted_at_any_request_can_be_run_again(
    project: Project,
    fake: FakeOllama,
    step: int,
    done: bool,  # whether the server has executed the request
    how: signal.Signals,
) -> None:
    hold = Hold(done=done)
    fake.fault("", hold, first=step)
    with project.start() as running:
        assert hold.reached.wait(60)
        ended = end(running, how)
    assert ended.out == ""
    if how == signal.SIGINT:
        assert ended.code == 130
        assert ended.err.endswith(
            "error: interrupted\nhelp: nothing is half-done; run it again, finished uploads are reused\n"
        )
        assert not staging_tags(fake) or STEPS[step][0] == "DELETE"
    project.is_as_before_or_as_asked()
    project.goes_on()


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("where", ["POST /api/blobs", "/api/create", "/api/show", "DELETE"])
def test_a_pin_that_is_interrupted_leaves_nothing_behind(
    project: Project,
    fake: FakeOllama,
    where: str,
    how: signal.Signals,
    done: bool,
) -> None:
    hold = Hold(done=done)
    fake.fault(where, hold)
    with project.start("pin", "Modelfile") as running:
        assert hold.reached.wait(60)
        ended = end(running, how)
    assert ended.out == ""
    project.is_tidy()
    if how == signal.SIGINT:
        assert ended.code == 130
        assert "Traceback" not in ended.err
    assert mf("pin", "Modelfile").code == 0
    assert digests(fake) == project.models


def add_other_modelfile(project: Project) -> None:
    """Put another Modelfile into the project."""
    path = project.folder / "other.Modelfile"
    path.write_text(MODELFILE + "PARAMETER seed 1\n")
    project.files[path] = path.read_bytes()


def test_of_two_builds_of_one_name_the_second_waits(project: Project, fake: FakeOllama) -> None:
    add_other_modelfile(project)
    hold = Hold()
    fake.fault("/api/create", hold)
    with project.start() as first:
        assert hold.reached.wait(60)
        with project.start("build", NAME, "--file", "other.Modelfile") as second:
            assert second.stderr
            assert any(f"waiting for another build of {NAME}" in line for line in second.stderr)
            hold.released.set()
            assert first.wait(60) == 0
            assert second.wait(60) == 0
    assert mf("build", NAME, "--file", "other.Modelfile").out.startswith(f"{NAME} is up to date")
    assert not staging_tags(fake)
    project.is_tidy()


@pytest.mark.parametrize("where", ["POST /api/blobs", "/api/create", "/api/show", "DELETE"])
@pytest.mark.parametrize("done", [False, True])
def test_two_machines_that_build_one_name_at_once_both_succeed(
    project: Project,
    fake: FakeOllama,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
    done: bool,
) -> None:
    monkeypatch.setattr("modelfile.builder.execute.PUBLISH_TIMEOUT", 0.2)
    add_other_modelfile(project)
    hold = Hold(done=done)
    fake.fault(where, hold)
    with project.start(XDG_CACHE_HOME=str(tmp_path / "other machine")) as first:
        assert hold.reached.wait(60)
        second = project.build("--file", "other.Modelfile")
        between = digests(fake)
        hold.released.set()
        _, err = first.communicate(timeout=60)
    assert second.code == 0, second
    assert first.returncode == 0, err
    assert {*between.values()} <= {*digests(fake).values()}
    assert not staging_tags(fake)
    project.fake.clear_faults()
    assert project.build().code == 0
    project.is_tidy()


def test_a_model_built_elsewhere_at_the_same_time_is_backed_up(
    project: Project, fake: FakeOllama, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelfile.builder.execute.PUBLISH_TIMEOUT", 0.2)
    add_other_modelfile(project)
    hold = Hold()
    fake.fault("/api/show", hold, first=1)  # after it has created the model, before it verifies it
    with project.start("build", NAME, "--keep", "0", XDG_CACHE_HOME=str(tmp_path / "other machine")) as first:
        assert hold.reached.wait(60)
        assert project.build("--file", "other.Modelfile").code == 0
        others = digests(fake)[NAME]
        hold.released.set()
        out, err = first.communicate(timeout=60)
    assert first.returncode == 0, err
    alias = next(name for name, digest in digests(fake).items() if digest == others)
    (line,) = (line for line in out.splitlines() if line.startswith("  concurrent "))
    assert line.endswith(short_name(alias))
    assert mf("rollback", NAME).code == 0
    assert digests(fake)[NAME] == others
    assert not staging_tags(fake)


@pytest.mark.parametrize(("age", "left"), [(30, True), (90, False)])
def test_staging_tag_of_another_machine_is_pruned_after_a_minute(
    project: Project,
    fake: FakeOllama,
    monkeypatch: pytest.MonkeyPatch,
    age: int,
    left: bool,
) -> None:
    monkeypatch.setattr("modelfile.builder.execute.PUBLISH_TIMEOUT", 0.2)
    with connect(fake.url) as client:
        client.copy(NAME, "bot:mf-building-01234567-stable")
    fake.store.clock += timedelta(seconds=age)
    assert project.build().code == 0
    assert bool(staging_tags(fake)) is left


def test_the_clock_of_this_machine_does_not_matter(project: Project, fake: FakeOllama) -> None:
    with connect(fake.url) as client:
        client.copy(NAME, "bot:mf-building-01234567-stable")
    fake.store.clock -= timedelta(hours=2)
    assert project.build("--file", "older.Modelfile").out.startswith(f"{NAME} is up to date")
    assert staging_tags(fake)


def test_no_machine_loses_the_model_of_another_one(project: Project, fake: FakeOllama, tmp_path: Path) -> None:
    created = build_on_machines(4, NAME, MODELFILE, tmp_path)
    assert {*created, *project.models.values()} <= {*digests(fake).values()}
    assert not staging_tags(fake)


def test_builds_of_two_names_do_not_wait_for_each_other(project: Project, fake: FakeOllama) -> None:
    third = {"third.gguf": b"GGUF" + bytes(60) + b"third", "third.Modelfile": b"# For tests.\nFROM ./third.gguf\n"}
    for name, content in third.items():
        (project.folder / name).write_bytes(content)
        project.files[project.folder / name] = content
    hold = Hold()
    fake.fault("POST /api/blobs", hold)
    with project.start() as first:
        assert hold.reached.wait(60)
        assert mf("build", "other:v1", "--file", "third.Modelfile").code == 0
        hold.released.set()
        assert first.wait(60) == 0
    assert digests(fake).keys() >= {NAME, "other:v1"}
    assert not staging_tags(fake)
    project.is_tidy()


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"x")


def shrink(path: Path) -> None:
    os.truncate(path, 1 << 20)


@pytest.mark.parametrize("change", [grow, shrink, Path.touch])
def test_weights_that_change_during_the_upload_are_rejected(
    project: Project, fake: FakeOllama, change: Callable[[Path], None]
) -> None:
    weights = project.folder / "weights.gguf"
    with weights.open("ab") as file:
        file.write(bytes(30 << 20))  # more than the buffers of a connection can take
    hold = Hold()
    fake.fault("POST /api/blobs", hold)
    with project.start() as running:
        assert hold.reached.wait(60)
        change(weights)
        hold.released.set()
        out, err = running.communicate(timeout=60)
    assert (running.returncode, out) == (3, "")
    assert "`weights.gguf` has changed since its digest was computed\nhelp: run the command again\n" in err
    project.files[weights] = weights.read_bytes()
    project.is_as_before()
    assert project.build().code == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process be limited to empty files")
@pytest.mark.parametrize(
    ("command", "unwritable"),
    [
        (("build", NAME), None),
        (("build", NAME, "--plan-out", "plan.json"), "plan.json"),
        (("pin", "Modelfile"), "mf.lock"),
        (("fmt", "Modelfile"), "Modelfile"),
    ],
)
def test_full_disk(project: Project, fake: FakeOllama, command: tuple[str, ...], unwritable: str | None) -> None:
    assert mf("pin", "Modelfile").code == 0
    (project.folder / "Modelfile").write_text(f"{MODELFILE}parameter seed 1\n")
    project.files.update({path: path.read_bytes() for path in project.folder.iterdir() if path.is_file()})
    program = [sys.executable, "-c", MAIN_ON_A_FULL_DISK, *command]
    ran = subprocess.run(program, capture_output=True, text=True, check=False, timeout=60)
    if unwritable is None:
        assert ran.returncode == 0, ran
    else:
        assert (ran.returncode, ran.stdout) == (3, ""), ran
        stale = f"warning: mf.lock is out of date for {NAME}\n  Modelfile: has changed since `mf pin`\n{PIN_AGAIN}"
        printed = ran.stderr.removeprefix(stale if command[0] == "build" else "")
        assert printed.startswith("error: cannot write `")
        assert f"{unwritable}`: file too large\n" in printed
        assert digests(fake) == project.models
    project.is_tidy()
    assert mf(*command).code == 0


PIN_AGAIN = "help: run `mf pin` if that is intended\n"
MAIN_ON_A_FULL_DISK = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
from modelfile.cli.app import main
from modelfile.events import Clock
Clock.monotonic = lambda _: 0.0  # so that no progress is shown
sys.exit(main(sys.argv[1:], sys.stdin, sys.stdout, sys.stderr, os.environ))
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
def test_standard_output_that_is_closed_or_full(project: Project, command: tuple[str, ...], closed: bool) -> None:
    (project.folder / "Modelfile").write_text(
        f"{MODELFILE}PARAMETER top_k 0.5\n" if command[0] == "lint" else MODELFILE
    )
    where = ">&-" if closed else "> /dev/full"
    program = ["sh", "-c", f'exec "$0" -m modelfile "$@" {where}', sys.executable, *command]
    ran = subprocess.run(program, capture_output=True, text=True, check=False, timeout=60)
    assert "Traceback" not in ran.stderr
    assert ran.returncode == 3, ran
    reason = "bad file descriptor" if closed else "no space left on device"
    message = f"error: cannot write to standard output: {reason}\n"
    assert ran.stderr.endswith(f"{message}help: the command was completed; only its output is incomplete\n")


@pytest.mark.parametrize("where", [">&- 2>&-", "> /dev/full 2> /dev/full", "2>&-"])
def test_a_build_with_closed_or_full_outputs(project: Project, where: str) -> None:
    program = ["sh", "-c", f'exec "$0" -m modelfile "$@" {where}', sys.executable, "build", NAME, "--json"]
    code = subprocess.run(program, capture_output=True, check=False, timeout=60).returncode
    assert code == (0 if where == "2>&-" else 3)
    project.goes_on()


@pytest.mark.parametrize("cache", ["a file", "nowhere", "home"])
def test_a_build_needs_no_cache_folder(project: Project, tmp_path: Path, cache: str) -> None:
    (tmp_path / "a file").touch()
    environment = {"XDG_CACHE_HOME": {"a file": str(tmp_path / "a file"), "nowhere": "/proc/nowhere"}.get(cache, "")}
    if cache == "home":
        environment |= {"HOME": "/proc/nobody"}
    environment |= {"TMPDIR": "/proc"}
    with project.start(**environment) as running:
        _, err = running.communicate(timeout=60)
    assert running.returncode == 0, err
    project.goes_on()
