"""What goes wrong on the way, and that everything is as before afterwards."""

import hashlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from tests.cli import mf
from tests.fake_faults import (
    DropParameter,
    ErrorLine,
    Fault,
    Garbage,
    Hangup,
    NoSuccess,
    Slow,
    Status,
    WrongAck,
)
from tests.fake_ollama import FakeOllama
from tests.fake_store import published

from modelfile.errors import ServerError, Unreachable
from modelfile.ollama.client import Client

MODELFILE = "# For tests.\nFROM ./weights.gguf\nPARAMETER temperature 0.5\nSYSTEM hello\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake: FakeOllama) -> Path:
    (tmp_path / "weights.gguf").write_bytes(b"GGUF" + bytes(5 << 20))
    (tmp_path / "Modelfile").write_text(MODELFILE)
    (tmp_path / ".git").mkdir()
    monkeypatch.setenv("OLLAMA_HOST", fake.url)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("where", "fault", "message"),
    [
        ("GET /api/version", Garbage(b"<html>"), "does not answer as Ollama does"),
        ("/api/show", Status(500, '{"error": "boom"}'), "refused: boom"),
        ("/api/show", Status(502, "<html>Bad Gateway</html>"), "refused: HTTP 502 Bad Gateway"),
        ("/api/show", Garbage(b"\xff\xfe\x00"), "does not answer as Ollama does"),
        ("/api/tags", Garbage(b"[]"), "does not answer as Ollama does"),
        ("HEAD /api/blobs", Status(400), "refused: HTTP 400"),
        ("POST /api/blobs", Hangup(after_bytes=1 << 20), "broke: "),
        ("POST /api/blobs", Status(507, '{"error": "no space left on device"}'), "refused: no space left on device"),
        ("POST /api/blobs", WrongAck(), "and does not have it"),
        ("/api/create", Hangup(after_lines=1), "ended its answer before it was done|broke: "),
        ("/api/create", ErrorLine(after_lines=1, error="no space left on device"), "refused: no space left on device"),
        ("/api/create", NoSuccess(), "ended its answer before it was done"),
        ("/api/create", Garbage(b'{"status": "x"}\nnot JSON\n'), "does not answer as Ollama does"),
        ("/api/create", DropParameter("temperature"), "parameter temperature: asked 0.5, made none"),
    ],
)
def test_a_build_that_fails_says_why_and_the_next_one_succeeds(
    project: Path, fake: FakeOllama, where: str, fault: Fault, message: str
) -> None:
    before = files(project)
    fake.fault(where, fault)
    failed = mf("build", "bot:v1")
    assert failed.code == 3, failed
    assert failed.out == ""
    assert failed.err.startswith("error: ")
    assert re.search(message, failed.err), failed.err
    assert files(project) == before
    again = mf("build", "bot:v1")
    assert again.code == 0, again
    assert len(fake.models) == 1


def test_a_build_that_fails_leaves_the_model_of_that_name(project: Path, fake: FakeOllama) -> None:
    assert mf("build", "bot:v1").code == 0
    before = {name: model.digest for name, model in fake.models.items()}
    (project / "Modelfile").write_text(MODELFILE + "PARAMETER top_k 3\n")
    fake.fault("/api/create", DropParameter("top_k"))
    assert mf("build", "bot:v1").code == 3
    assert {name: model.digest for name, model in fake.models.items()} == before
    assert mf("build", "bot:v1").code == 0
    assert len(fake.models) == 1


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
def test_a_server_that_cannot_be_dialled(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], host: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    ran = mf("diff", "a:v1", "b:v1", "--host", host)
    assert ran.code == 3, ran
    assert ran.err.startswith("error: ")
    assert ran.err.count("\n") > 1


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_what_the_terminal_cannot_say_is_spelled_out(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "Modelfile").write_text("# For tests.\nFROM x:y\nSYSTEM 中\u200b\n", encoding="utf-8")
    command = [sys.executable, "-m", "modelfile", "lint", "--format", "json"]
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert ran.returncode == 1, ran.stderr
    assert b"U+200B" in ran.stdout


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Hangup(after_lines=1), "the connection to "),
        (ErrorLine(after_lines=1, error="disk full"), "team/base:v1 is not on the server and cannot be pulled: "),
    ],
)
def test_a_pull_that_fails_changes_nothing(project: Path, fake: FakeOllama, fault: Fault, message: str) -> None:
    (project / "Modelfile").write_text("# For tests.\nFROM team/base:v1\n")
    fake.registry["team/base:v1"] = published(b"GGUF")
    fake.fault("/api/pull", fault, times=2)
    before = files(project)
    for command in (("pin",), ("build", "bot:v1")):
        ran = mf(*command)
        assert ran.code == 3, ran
        assert message in ran.err
    assert files(project) == before
    assert not fake.models
    assert mf("build", "bot:v1").code == 0


@pytest.mark.parametrize("where", ["/api/create", "POST /api/blobs", "/api/show"])
def test_a_pin_that_fails_leaves_the_lock_and_the_server(project: Path, fake: FakeOllama, where: str) -> None:
    assert mf("pin").code == 0
    (project / "weights.gguf").write_bytes(b"GGUF" + bytes(100))
    before = files(project)
    fake.fault(where, Status(500, '{"error": "boom"}'))
    assert mf("pin").code == 3
    assert files(project) == before
    assert not fake.models
    assert mf("pin").code == 0


def test_weights_that_change_while_they_are_sent(project: Path, fake: FakeOllama) -> None:
    weights = project / "weights.gguf"
    with Client(fake.url) as client, pytest.raises(ServerError, match="digest mismatch"):
        client.push_blob(f"sha256:{'0' * 64}", weights, lambda _: None)
    assert not fake.blobs


def test_a_disk_that_is_full(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert mf("pin").code == 0
    (project / "Modelfile").write_text(MODELFILE + "LICENSE MIT\n")
    before = files(project)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device", "mf.lock")

    monkeypatch.setattr(os, "fsync", full)
    ran = mf("pin")
    lock = project.resolve() / "mf.lock"
    assert (ran.code, ran.err) == (3, f"error: `{lock}` cannot be written: No space left on device\n")
    assert files(project) == before


@pytest.mark.parametrize("where", ["POST /api/blobs", "/api/create"])
def test_ctrl_c(project: Path, fake: FakeOllama, where: str) -> None:
    fake.fault(where, Slow(30))
    before = files(project)
    running = subprocess.Popen(
        [sys.executable, "-m", "modelfile", "build", "bot:v1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with running:
        method, _, path = where.rpartition(" ")
        while not any(logged.path.startswith(path) and method in ("", logged.method) for logged in fake.requests):
            assert running.poll() is None
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=20)
    assert running.returncode == 130
    assert b"Traceback" not in err
    assert out == b""
    assert files(project) == before
    assert not fake.models


TRANSPORT_ERRORS = [
    error for error in vars(httpx).values() if isinstance(error, type) and issubclass(error, httpx.RequestError)
]


@pytest.mark.parametrize("error", [*TRANSPORT_ERRORS, httpx.InvalidURL, httpx.StreamError])
def test_every_error_of_httpx_is_translated(error: type[Exception]) -> None:
    raised = error("boom")
    with Client("http://127.0.0.1:9") as client, pytest.raises(Unreachable) as caught, client._translated():  # noqa: SLF001  # the seam itself
        raise raised
    assert caught.value.__cause__ is raised
    assert caught.value.hint


def test_a_proxy_is_not_asked_for_this_machine(fake: FakeOllama, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with Client(fake.url) as client:
        assert client.version() == "0.9.3"


def test_a_file_is_sent_in_pieces(project: Path, fake: FakeOllama) -> None:
    sent: list[int] = []
    weights = project / "weights.gguf"
    digest = f"sha256:{hashlib.sha256(weights.read_bytes()).hexdigest()}"
    with Client(fake.url) as client:
        client.push_blob(digest, weights, sent.append)
    assert sum(sent) == weights.stat().st_size
    assert max(sent) <= 1 << 20
