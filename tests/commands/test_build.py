"""`mf build` on a fake server: requests, uploads, results, backups, and concurrent builds."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.faults import DropParameter, Slow
from tests.fakes.ollama import FakeOllama
from tests.fakes.show import shown
from tests.fakes.store import published
from tests.support.building import BASE, LOCAL, MUTABLE, UPON, asked, digests, edit
from tests.support.builds import build_request
from tests.support.cli import mf
from tests.support.disturbed import end
from tests.support.server import connect

from modelfile.builder.execute import build
from modelfile.events import Progress
from modelfile.filesystem import write_atomic
from modelfile.locks import name_lock
from modelfile.names import ModelName
from modelfile.recipe.recipe import Recipe
from modelfile.stores.ollama.store import ServerStore
from modelfile.stores.ollama.wire import create_request
from modelfile.stores.staging import staging_name

NAME = ModelName.parse("bot:v1")


def test_a_dry_run_changes_nothing(project: Path, fake: FakeOllama) -> None:
    ran = mf("build", "bot:v1", "--dry-run", "--exit-code")
    assert ran.code == 1
    assert "upload       weights.gguf, 71 bytes" in ran.out
    assert asked(fake) == {("GET", "/api/tags"), ("GET", "/api/version"), ("HEAD", "/api/blobs")}
    assert mf("build", "bot:v1").code == 0
    before = digests(fake)
    edit(project / "Modelfile", "0.5", "0.7")
    changed = mf("build", "bot:v1", "--dry-run")
    assert (changed.code, changed.err) == (0, "")
    assert "    behavior (may change answers)\n      temperature  0.5 -> 0.7  default 0.8\n" in changed.out
    edit(project / "Modelfile", "0.7", "0.5")
    assert mf("build", "bot:v1", "--dry-run", "--exit-code").code == 0
    assert digests(fake) == before


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("bot:v1", "--exit-code"), "--exit-code needs --dry-run"),
        (("bot:v1", "--plan", "x", "--dry-run"), "--plan cannot be used with --dry-run or --plan-out"),
        (("bot:v1", "--plan", "x", "--keep", "1"), "--plan cannot be used with --file, --quantize, --with"),
        (("-f", "Modelfile"), "--file and --latest need a NAME"),
        ((), "no model to build"),
    ],
)
def test_incompatible_options_are_a_usage_error(project: Path, arguments: tuple[str, ...], error: str) -> None:
    assert project.exists()
    ran = mf("build", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"error: {error}")


@pytest.mark.parametrize("text", [UPON, LOCAL])
def test_a_plan_whose_models_are_built_is_up_to_date(project: Path, fake: FakeOllama, text: str) -> None:
    (project / "base.Modelfile").write_text(BASE)
    (project / "Modelfile").write_text(text)
    assert mf("build", "base:v1", "-f", "base.Modelfile").code == 0
    assert mf("build", "bot:v1").code == 0  # from now on it is known what comes of the weights
    (project / "Modelfile").write_text(f"{text}LICENSE MIT\n")
    assert mf("build", "bot:v1", "--plan-out", "plan.json").code == 0
    assert mf("build", "--plan", "plan.json").code == 0
    before = digests(fake)
    again = mf("build", "bot:v1", "--plan", "plan.json")
    assert (again.code, again.out[:22], again.err, digests(fake)) == (0, "bot:v1 is up to date: ", "", before)
    (project / "Modelfile").write_text(f"{text}LICENSE BSD\n")
    changed = mf("build", "--plan", "plan.json")
    assert (changed.code, "is out of date" in changed.err, digests(fake)) == (3, True, before)


@pytest.mark.parametrize("path", ["bot/Modelfile", "./bot/Modelfile", "bot", "bot/", "bot/prod.Modelfile"])
def test_a_path_as_the_name_of_a_model_is_a_usage_error(project: Path, path: str) -> None:
    (project / "bot").mkdir()
    for name in ("Modelfile", "prod.Modelfile"):
        (project / "bot" / name).write_text(LOCAL)
    file = path.removeprefix("./") if path.endswith("file") else "bot/Modelfile"
    model = "prod" if "prod" in path else "bot"
    ran = mf("build", path)
    hint = f"help: name the model, as in `mf build {model}:v1 -f {file}`\n"
    assert (ran.code, ran.out, ran.err) == (2, "", f"error: `{path}` is a path, not a model\n{hint}")
    (project / "mf.toml").write_text(f'[models.q-bot]\nmodelfile = "{file}"\ntag = "dev"\n')
    assert mf("build", path).err.endswith("\nhelp: name the model, as in `mf build q-bot:dev`\n")
    long = mf("build", f"./{'x' * 5000}")
    assert (long.code, long.err.startswith("error: invalid model name `./xxx")) == (2, True)


def test_a_pipe_as_weights_is_rejected(project: Path) -> None:
    os.mkfifo(project / "pipe")
    edit(project / "Modelfile", "weights.gguf", "pipe")
    ran = mf("build", "bot:v1")
    assert ran.code == 3
    assert "`pipe` is neither a file nor a folder\nhelp: use a regular file; a pipe" in ran.err


def test_a_modelfile_may_be_a_pipe_that_is_open(project: Path, fake: FakeOllama) -> None:
    reading, writing = os.pipe()  # as in `-f <(program)`
    os.write(writing, LOCAL.replace("./weights.gguf", str(project / "weights.gguf")).encode())
    os.close(writing)
    assert mf("build", "bot:v1", "-f", f"/dev/fd/{reading}").code == 0
    os.close(reading)
    assert [*fake.models] == ["bot:v1"]
    os.mkfifo(project / "pipe")
    assert mf("build", "bot:v2", "-f", "pipe").code == 3  # to open it would wait


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with os.fdopen(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK), "rb") as reader:
        write_atomic(pipe, b"plan")
        assert reader.read() == b"plan"
    assert pipe.is_fifo()


def test_a_file_missing_for_a_modelfile_from_standard_input_is_reported(project: Path) -> None:
    assert project.exists()
    ran = mf("build", "bot:v1", "-f", "-", stdin=b"# For tests.\nFROM ./missing.gguf\n")
    assert ran.code == 3
    assert ":2:6: error MF207 missing-file: file not found: `./missing.gguf`" in ran.err


def test_the_stale_staging_tag_of_a_killed_build_is_pruned(project: Path, fake: FakeOllama) -> None:
    assert project.exists()
    assert mf("build", "bot:v1").code == 0
    with connect(fake.url) as client:
        client.copy("bot:v1", str(staging_name(NAME)))
        stale = f"  prune        {staging_name(NAME)}, the stale staging tag of a killed build\n"
        assert stale in mf("build", "bot:v1", "--dry-run").out
        assert mf("build", "bot:v1").out.startswith("bot:v1 is up to date: ")
    assert [*fake.models] == ["bot:v1"]


@contextlib.contextmanager
def store(fake: FakeOllama) -> Iterator[ServerStore]:
    with connect(fake.url) as client:
        yield ServerStore(client)


def test_the_second_of_two_concurrent_builds_waits_and_reports_it(project: Path, fake: FakeOllama) -> None:
    request = build_request(NAME, Recipe(files=(project / "weights.gguf",)))
    statuses = []
    with contextlib.ExitStack() as first, store(fake) as server:
        first.enter_context(name_lock(staging_name(NAME).full, str(server.location), lambda _: None, "build"))

        def events(now: Progress) -> None:
            statuses.append(now.status)
            if "waiting for another build of bot:v1" in now.status:  # the first one creates the model and ends
                with connect(fake.url) as client:
                    list(
                        client.create(
                            "bot:v1", create_request(request.recipe, dict.fromkeys(request.recipe.files, digest))
                        )
                    )
                first.close()

        digest = fake.store.add((project / "weights.gguf").read_bytes())
        built = build(request, server, events)
    assert any("waiting" in status for status in statuses)
    assert built.plan.existing is not None
    assert [*fake.models] == ["bot:v1"]


def test_builds_of_two_names_do_not_wait_for_each_other(project: Path, fake: FakeOllama) -> None:
    assert project.exists()
    with name_lock(staging_name(NAME).full, fake.url, lambda _: None, "build"):
        assert mf("build", "other:v1").code == 0


@pytest.mark.parametrize("where", ["POST /api/blobs", "/api/create"])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_build_that_is_killed_or_interrupted_changes_nothing(
    project: Path, fake: FakeOllama, where: str, how: signal.Signals
) -> None:
    (project / "old.Modelfile").write_text(LOCAL.replace("0.5", "0.1"))
    if where == "/api/create":
        assert mf("build", "bot:v1", "-f", "old.Modelfile").code == 0
    before = digests(fake)
    fake.fault(where, Slow(60))
    command = [sys.executable, "-m", "modelfile", "build", "bot:v1", "--keep", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        since = len(fake.requests)
        method, _, path = where.rpartition(" ")
        while not any(
            logged.path.startswith(path) and method in ("", logged.method) for logged in fake.requests[since:]
        ):
            assert running.poll() is None
        ended = end(running, how)
    if how == signal.SIGINT:
        assert ended.code == 130
        assert "error: interrupted\nhelp: nothing is half-done; run it again, finished uploads are reused" in ended.err
    assert digests(fake) == before
    again = mf("build", "bot:v1", "--keep", "0")
    assert again.code == 0, again
    assert [*fake.models] == ["bot:v1"]


def test_a_concurrent_build_on_another_machine_is_detected(
    project: Path, fake: FakeOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert project.exists()
    monkeypatch.setattr(ServerStore, "copy", lambda *_: None)
    ran = mf("build", "bot:v1")
    assert ran.code == 3
    copied = f"error: the copy bot:v1 on {fake.url} differs from {staging_name(NAME)}\n"
    assert ran.err.endswith(
        f"{copied}help: another program may have changed it at the same time: run the command again\n"
    )
    assert not fake.models


def test_a_parameter_that_the_server_drops_is_reported(project: Path) -> None:
    assert project.exists()
    with FakeOllama("0.9.3") as old:
        old.fault("/api/create", DropParameter("temperature"))
        ran = mf("build", "bot:v1", "--host", old.url)
    assert ran.code == 3
    assert "expected 0.5, created none\nhelp" in ran.err


def test_rewritten_weights_are_reported_and_pinned(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeOllama("0.33.0") as new:
        monkeypatch.setenv("OLLAMA_HOST", new.url)
        result = json.loads(mf("build", "bot:v1", "--json").out)
        (sent,), (built,) = result["rewritten"]["sent"], result["rewritten"]["created"]
        assert sent != built
        assert {sent, built} <= new.blobs.keys()
        assert mf("build", "bot:v1").out == f"bot:v1 is up to date: {result['fingerprint']}\n"
        assert mf("build", "bot:v2").out.splitlines()[3:] == [
            f"  weights      sent {sent[:19]}…",
            f"               Ollama 0.33.0 rewrote them to {built[:19]}…",
        ]
        again = mf("build", "bot:v1", "bot:v2").out.splitlines()  # no notes on models that are up to date
        assert [line.split("  mf1:")[0] for line in again[1:]] == ["bot:v1  up to date", "bot:v2  up to date"]
        assert mf("pin").code == 0
        lock = json.loads((project / "mf.lock").read_text())
        assert lock["modelfiles"]["Modelfile"]["built"] == [built]
        shutil.rmtree(os.environ["XDG_CACHE_HOME"])  # only the lock knows the expected fingerprint
        assert json.loads(mf("build", "bot:v1", "--json").out)["built"] is False
        lock["modelfiles"]["Modelfile"]["fingerprint"] = f"mf1:{'0' * 64}"
        (project / "mf.lock").write_text(json.dumps(lock))
        other = mf("build", "bot:v1")
        assert other.code == 3
        assert "the fingerprint of bot:v1" in other.err


def test_another_version_than_the_pinned_one_may_create_another_model(project: Path) -> None:
    assert project.exists()
    assert mf("pin").code == 0
    with FakeOllama("0.33.0") as new:
        ran = mf("build", "bot:v1", "--host", new.url)
    assert ran.code == 0
    assert "warning: Ollama 0.33.0 creates another model from these weights than the 0.9.3 of mf.lock" in ran.err


@pytest.mark.parametrize(
    ("configured", "arguments", "backups"),
    [
        ("", (), 3),
        ("keep = 1\n", (), 1),
        ("keep = 1\n", ("--keep", "2"), 2),
        (
            "",
            (
                "--keep",
                "0",
            ),
            0,
        ),
    ],
)
def test_previous_models_of_the_tag_are_backed_up(
    project: Path, fake: FakeOllama, configured: str, arguments: tuple[str, ...], backups: int
) -> None:
    (project / "mf.toml").write_text(MUTABLE + configured)
    for number in range(5):
        (project / "Modelfile").write_text(f"{LOCAL}PARAMETER seed {number}\n")
        assert mf("build", "bot:v1", *arguments).code == 0
    assert len(fake.models) == 1 + backups


def test_a_build_is_planned_again_after_its_base_is_pulled(project: Path, fake: FakeOllama) -> None:
    fake.registry["team/base:v1"] = published(b"GGUF", system="You are terse.")
    (project / "Modelfile").write_text("# For tests.\nFROM team/base:v1\nPARAMETER seed 1\n")
    ran = mf("build", "bot:v1")
    assert ran.code == 0, ran
    assert "  pull         team/base:v1\n" in ran.err
    assert mf("build", "bot:v1").out.startswith("bot:v1 is up to date: ")


def test_a_build_that_ends_just_before_this_one_begins_is_backed_up(
    project: Path, fake: FakeOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(project / "Modelfile", "PARAMETER", "LICENSE MIT\nPARAMETER")
    other = project / "other.Modelfile"
    other.write_text((project / "Modelfile").read_text().replace("MIT", "another"))
    real = name_lock

    @contextlib.contextmanager
    def lock_after_another_build(*arguments: Any) -> Iterator[None]:
        monkeypatch.setattr("modelfile.builder.execute.name_lock", real)
        assert mf("build", "bot:v1", "-f", "other.Modelfile").code == 0
        with real(*arguments):
            yield

    monkeypatch.setattr("modelfile.builder.execute.name_lock", lock_after_another_build)
    ran = mf("build", "bot:v1")
    assert ran.code == 0, ran
    assert "  back up      bot:v1, for `mf rollback`" in ran.err
    assert len(fake.models) == 2


def test_a_quantized_base_is_rejected_before_anything_is_uploaded(
    project: Path, fake: FakeOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert mf("build", "base:v1").code == 0
    (project / "Modelfile").write_text("# For tests.\nFROM base:v1\n")
    level = "F16"

    def with_level(*arguments: Any, **named: Any) -> dict[str, Any]:
        return shown(*arguments, **named) | {"details": {"quantization_level": level}}

    monkeypatch.setattr("tests.fakes.store.shown", with_level)
    assert mf("build", "bot:v1", "--quantize", "q8_0", "--dry-run").code == 0
    level = "Q4_K_M"
    since = len(fake.requests)
    ran = mf("build", "bot:v1", "--quantize", "q8_0")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        "error: cannot quantize the base base:v1: its weights are Q4_K_M\nhelp: Ollama 0.9.3 quantizes only F16, F32\n"
    )
    assert asked(fake, since) == {("GET", "/api/tags"), ("GET", "/api/version"), ("POST", "/api/show")}
