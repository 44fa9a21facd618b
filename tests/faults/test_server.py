"""Faults of the server and of the network, after which everything is as before."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.fakes.faults import (
    DropParameter,
    Endless,
    ErrorLine,
    Fault,
    Garbage,
    Hangup,
    Hold,
    NoSuccess,
    Raw,
    Slow,
    Status,
    WrongAck,
)
from tests.fakes.ollama import FakeOllama
from tests.fakes.store import published
from tests.support.cli import mf
from tests.support.clock import AdvancedClock, ClockEvent
from tests.support.disturbed import NAME, Project, end, staging_tags
from tests.support.server import connect

from modelfile.stores.network.deadline import Timeouts

ALWAYS = 99
FULL = '{"error":"write /var/lib/ollama/models/blobs/sha256-1085439661: no space left on device"}'
FULL_MANIFEST = "write /var/lib/ollama/models/manifests/registry.ollama.ai/library/bot/x: no space left on device"
BOOM = '{"error":"boom"}'
STRANGE = "does not answer as Ollama does"
TOO_LONG = f"{STRANGE}: an answer has more than 16 MiB"
BROKE = "the connection to .* broke: "
BROKE_SENDING = "the connection to .* broke while weights.gguf was being sent: "
ENDED = "ended its answer early"
ROOM = "help: free space on the server's disk"
NDJSON = "application/x-ndjson"


@pytest.fixture(params=[False, True], ids=["new", "held"])
def project(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake: FakeOllama
) -> Project:
    return Project.new(tmp_path / "project", fake, monkeypatch, held=request.param)


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake: FakeOllama) -> Project:
    return Project.new(tmp_path / "project", fake, monkeypatch, held=True)


@pytest.fixture
def new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake: FakeOllama) -> Project:
    return Project.new(tmp_path / "project", fake, monkeypatch)


FAULTS = [
    # rejecting
    (
        "",
        Status(401, '{"error":"unauthorized"}'),
        "refused: unauthorized\nhelp: set OLLAMA_API_KEY",
    ),
    ("", Status(403, "Forbidden"), "refused: HTTP 403 Forbidden\nhelp: set OLLAMA_API_KEY"),
    ("", Status(502, "<html>Bad Gateway</html>"), "refused: HTTP 502 Bad Gateway\nhelp: look at the log"),
    ("POST /api/blobs", Status(413, "<html>"), "refused: HTTP 413 (Request Entity|Content) Too Large\nhelp: "),
    ("HEAD /api/blobs", Status(400), "refused: HTTP 400"),
    ("/api/copy", Status(403), "refused: HTTP 403 Forbidden"),
    # answering 500
    ("GET /api/version", Status(500, BOOM), "refused: boom"),
    ("/api/tags", Status(500, BOOM), "refused: boom"),
    ("/api/show", Status(500, BOOM), "refused: boom"),
    ("POST /api/blobs", Status(500, BOOM), "refused: boom"),
    ("/api/create", Status(500, BOOM), "refused: boom"),
    ("/api/copy", Status(500, BOOM), "refused: boom"),
    # dead
    ("", Hangup(), BROKE),
    ("POST /api/blobs", Hangup(after_bytes=1 << 20), BROKE_SENDING),
    ("POST /api/blobs", Hangup(after_bytes=1 << 20, for_good=True), BROKE_SENDING),
    ("/api/create", Hangup(after_lines=1), f"{ENDED}|{BROKE}"),
    ("/api/create", Hangup(after_lines=1, for_good=True), f"{ENDED}|{BROKE}"),
    ("/api/copy", Hangup(), BROKE),
    # answering garbage
    ("", Garbage(b"<html>Welcome to nginx!</html>"), STRANGE),
    ("", Raw(b"SSH-2.0-OpenSSH_9.6\r\n"), BROKE),
    ("", Raw(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnone"), STRANGE),
    ("", Raw(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"mod'), BROKE),
    (
        "",
        Raw(b"HTTP/1.1 301 Moved\r\nLocation: https://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n"),
        "redirects elsewhere",
    ),
    ("", Status(404, "404 page not found"), STRANGE),
    ("GET /api/version", Garbage(b"[" * 100_000), STRANGE),
    ("/api/tags", Garbage(b"[]"), STRANGE),
    ("/api/tags", Garbage(b'{"models":[{"name":"bot:v1"}]}'), STRANGE),
    ("/api/show", Garbage(b"\xff\xfe\x00"), STRANGE),
    ("/api/show", Garbage(b"{}"), "does not report the weights of this model"),
    ("/api/create", Garbage(b'{"status": "x"}\nnot JSON\n'), STRANGE),
    ("/api/create", Garbage(b""), ENDED),
    ("/api/create", Garbage(b"null"), STRANGE),
    # an error after progress, and no end
    ("/api/create", ErrorLine(after_lines=1, error="boom"), "refused: boom\nhelp: see the server's log"),
    ("/api/create", NoSuccess(), ENDED),
    # an endless answer
    ("GET /api/version", Endless(b" " * 65536), TOO_LONG),
    ("/api/tags", Endless(b'{"models":[' + b"0," * 65536), TOO_LONG),
    ("/api/show", Endless(b"\n" * 65536), TOO_LONG),
    ("POST /api/blobs", Endless(b"x" * 65536), TOO_LONG),
    ("/api/create", Endless(b"x" * 65536, NDJSON), TOO_LONG),
    # acknowledging what it does not have
    (
        "POST /api/blobs",
        WrongAck(),
        "accepted `.*weights.gguf` but does not have it\nhelp: see the server's log: its disk",
    ),
    ("/api/create", Garbage(b'{"status": "success"}\n'), f"reported that it created {NAME}, but does not have it"),
    ("/api/create", DropParameter("temperature"), "parameter temperature: expected 0.5, created none"),
    ("/api/copy", Status(200), "differs from "),
    # full
    ("POST /api/blobs", Status(500, FULL), f"no space left on device\n{ROOM}"),
    ("/api/create", ErrorLine(after_lines=1, error=FULL_MANIFEST), f"no space left on device\n{ROOM}"),
    ("/api/copy", Status(500, FULL), f"no space left on device\n{ROOM}"),
]


@pytest.mark.parametrize(("where", "fault", "message"), FAULTS)
def test_a_build_that_fails_says_why_and_the_next_one_succeeds(
    held: Project, fake: FakeOllama, where: str, fault: Fault, message: str
) -> None:
    fake.fault(where, fault, times=ALWAYS)
    failed = held.build()
    assert (failed.code, failed.out) == (3, ""), failed
    assert re.search(f"^error: .*{message}", failed.err, re.MULTILINE | re.DOTALL), failed.err
    assert "\nhelp: " in failed.err
    held.is_as_before()
    held.goes_on()


def test_a_parameter_that_was_not_asked_for_is_a_failure(
    held: Project, fake: FakeOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = fake.store.create
    with monkeypatch.context() as patched:
        added = {"top_k": 1, "stop": ["<e>"]}  # weights may bring a stop
        patched.setattr(
            fake.store, "create", lambda asked: create({**asked, "parameters": {**asked["parameters"], **added}})
        )
        failed = held.build()
    assert (failed.code, failed.out) == (3, ""), failed
    assert re.findall(r"^  parameter.*", failed.err, re.MULTILINE) == ["  parameter top_k: expected none, created 1"]
    held.is_as_before()
    held.goes_on()


@pytest.mark.parametrize("where", ["", "/api/tags", "HEAD /api/blobs", "/api/show", "/api/create", "/api/copy"])
def test_a_first_build_that_fails(new: Project, fake: FakeOllama, where: str) -> None:
    fake.fault(where, Status(500, BOOM), times=ALWAYS)
    assert new.build().code == 3
    new.is_as_before()
    new.goes_on()


@pytest.mark.parametrize(
    ("where", "fault"),
    [
        ("GET /api/version", Status(500, BOOM)),
        ("/api/tags", Status(500, BOOM)),
        ("HEAD /api/blobs", Status(503)),
        ("/api/show", Status(500, BOOM)),
        ("/api/copy", Status(500, BOOM)),
        ("POST /api/blobs", Status(503)),
        ("POST /api/blobs", Hangup(after_bytes=1 << 20)),
        ("", Hangup()),
        ("", Slow(0.05)),
    ],
)
def test_transient_failures_are_not_reported(project: Project, fake: FakeOllama, where: str, fault: Fault) -> None:
    fake.fault(where, fault, times=2)
    built = project.build()
    assert built.code == 0, built
    assert "error" not in built.err
    project.goes_on()


@pytest.mark.parametrize(("times", "code"), [(4, 0), (5, 3)])
def test_a_folder_that_the_server_removes_too_early(project: Project, fake: FakeOllama, times: int, code: int) -> None:
    """It does so after it has deleted another model, to that of the model that it is creating."""
    lost = "open /models/manifests/registry.ollama.ai/library/bot/mf-building-1-v1: no such file or directory"
    fake.fault("/api/create", ErrorLine(error=lost), times=times)
    assert project.build().code == code
    project.goes_on()


@pytest.mark.parametrize(
    "where",
    ["GET /api/version", "/api/tags", "HEAD /api/blobs", "/api/show", "POST /api/blobs", "/api/create", "/api/copy"],
)
def test_a_server_that_falls_silent(
    project: Project, fake: FakeOllama, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Time passes only from the silence on, and by looks at the clock: no request expires because a machine is busy."""
    with monkeypatch.context() as patch:
        clock = AdvancedClock.replace(patch)
        fake.fault(where, Hold(reached=ClockEvent(clock)), times=ALWAYS)
        patch.setattr("modelfile.stores.open.TIMEOUTS", Timeouts(first=0.1, connect=0.1, answer=0.1, idle=0.1))
        failed = project.build()
    assert (failed.code, failed.out) == (3, ""), failed
    if where in ("POST /api/blobs", "/api/create"):
        expected = (
            r"has made no progress for 0\.[12] s\nhelp: see the server's log; --idle-timeout allows it more time\n"
        )
    else:
        expected = r"has not answered within 0\.1 s\nhelp: see the server's log; --timeout allows it more time\n"
    assert re.search(f"error: {fake.url} {expected}", failed.err)
    project.is_as_before()
    project.goes_on()


@pytest.mark.parametrize("fault", [Hangup(), Status(500, BOOM), Status(404, '{"error":"model not found"}')])
def test_a_staging_tag_that_cannot_be_deleted_is_deleted_by_the_next_build(
    project: Project, fake: FakeOllama, fault: Fault
) -> None:
    fake.fault("DELETE", fault, times=ALWAYS)
    assert project.build().code == 0
    assert len(staging_tags(fake)) == 1
    project.is_as_before_or_as_asked()
    project.goes_on()


def test_no_server(project: Project) -> None:
    absent = project.build("--host", "127.0.0.1:9")
    assert (absent.code, absent.out) == (3, "")
    hint = "start one with `ollama serve`, name another with --host or OLLAMA_HOST, or use a folder with --store"
    assert absent.err == f"error: no Ollama server answers at http://127.0.0.1:9\nhelp: {hint}\n"
    project.is_as_before()


def test_a_progress_without_end_is_ended_by_ctrl_c(held: Project, fake: FakeOllama) -> None:
    endless = Endless(b'{"status":"verifying conversion"}\n' * 1000, NDJSON)
    fake.fault("/api/create", endless)
    with held.start() as running:
        assert endless.answered.wait(60)
        peak = Path(f"/proc/{running.pid}/status").read_text() if sys.platform == "linux" else ""
        ended = end(running, signal.SIGINT)
    assert ended.code == 130
    assert "error: interrupted\nhelp: " in ended.err
    assert all(int(kilobytes) < 90_000 for kilobytes in re.findall(r"VmHWM:\s*(\d+) kB", peak))
    held.is_as_before()
    held.goes_on()


@pytest.mark.parametrize(
    ("environment", "host"),
    [
        ({}, "a..b"),
        ({}, "x" * 70 + ".example"),
        ({"ALL_PROXY": "socks5://127.0.0.1:9"}, "http://192.0.2.1"),
        ({"NO_PROXY": "[::1"}, "http://192.0.2.1"),
        ({"SSL_CERT_FILE": "/no/such/file"}, "https://192.0.2.1"),
    ],
)
def test_a_server_that_cannot_be_reached(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], host: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    ran = mf("diff", "a:v1", "b:v1", "--host", host)
    assert ran.code == 3, ran
    assert ran.err.startswith("error: ")
    assert ran.err.count("\n") > 1


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_characters_that_the_terminal_lacks_are_escaped(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "Modelfile").write_text("# For tests.\nFROM x:y\nSYSTEM 中\u202e\n", encoding="utf-8")
    command = [sys.executable, "-m", "modelfile", "lint", "--format", "json"]
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert ran.returncode == 1, ran.stderr
    assert b"U+202E" in ran.stdout


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Hangup(after_lines=1), "the connection to "),
        (ErrorLine(after_lines=1, error="boom"), "cannot pull base team/base:v1: "),
        (ErrorLine(after_lines=1, error=FULL_MANIFEST), "no space left on device\nhelp: free space"),
        (Endless(b"x" * 65536, NDJSON), TOO_LONG),
        (Garbage(b'{"status": "success"}\n'), "reported that it pulled team/base:v1, but does not have it"),
    ],
)
def test_a_pull_that_fails_changes_nothing(new: Project, fake: FakeOllama, fault: Fault, message: str) -> None:
    (new.folder / "Modelfile").write_text("# For tests.\nFROM team/base:v1\n")
    fake.registry["team/base:v1"] = published(b"GGUF")
    fake.fault("/api/pull", fault, times=ALWAYS)
    for command in (("build", NAME), ("pin",), ("pull", "team/base:v1")):
        ran = mf(*command)
        assert ran.code == 3, ran
        assert message in ran.err or "build" not in command
        assert "\nhelp: " in ran.err
    assert not fake.models
    assert json.loads((new.folder / "mf.lock").read_text())["modelfiles"].keys() == {"older.Modelfile"}  # needs no base
    fake.clear_faults()
    assert new.build().code == 0


@pytest.mark.parametrize("where", ["/api/create", "POST /api/blobs", "/api/show"])
def test_a_pin_that_fails_leaves_the_lock_and_the_server(new: Project, fake: FakeOllama, where: str) -> None:
    assert mf("pin").code == 0
    lock = (new.folder / "mf.lock").read_bytes()
    (new.folder / "weights.gguf").write_bytes(b"GGUF" + bytes(100))
    fake.fault(where, Status(500, BOOM), times=ALWAYS)
    assert mf("pin").code == 3
    assert (new.folder / "mf.lock").read_bytes() == lock
    assert not fake.models
    fake.clear_faults()
    assert mf("pin").code == 0


def test_a_proxy_is_not_asked_for_this_machine(fake: FakeOllama, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with connect(fake.url, key="to make httpx ask") as client:
        assert client.version() == "0.9.3"


def test_a_file_is_sent_in_pieces(new: Project, fake: FakeOllama) -> None:
    sent: list[int] = []
    weights = new.folder / "weights.gguf"
    digest = f"sha256:{hashlib.sha256(weights.read_bytes()).hexdigest()}"
    with connect(fake.url) as client:
        client.push_blob(digest, weights, sent.append)
    assert sum(sent) == weights.stat().st_size
    assert max(sent) <= 1 << 20
