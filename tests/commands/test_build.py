"""`mf build` against a fake server: what is asked, sent, made and left, and what happens to several builds at once."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.faults import DropParameter, Slow
from tests.fakes.ollama import FakeOllama
from tests.fakes.show import shown
from tests.fakes.store import published
from tests.support.building import LOCAL, asked, digests, edit
from tests.support.cli import mf
from tests.support.disturbed import end

from modelfile.builder.execute import Job, build
from modelfile.events import Progress
from modelfile.filesystem import name_lock, write_atomic
from modelfile.names import ModelName
from modelfile.recipe.recipe import Recipe
from modelfile.stores.ollama.client import Client
from modelfile.stores.ollama.lazy import QuickStore
from modelfile.stores.ollama.store import ServerStore
from modelfile.stores.staging import staging_name

NAME = ModelName.parse("bot:v1")


def test_a_dry_run_only_looks(project: Path, fake: FakeOllama) -> None:
    ran = mf("build", "bot:v1", "--dry-run", "--detailed-exitcode")
    assert ran.code == 2
    assert "upload       weights.gguf, 71 bytes" in ran.out
    assert asked(fake) == {("GET", "/api/tags"), ("GET", "/api/version"), ("HEAD", "/api/blobs")}
    assert mf("build", "bot:v1").code == 0
    before = digests(fake)
    edit(project / "Modelfile", "0.5", "0.7")
    changed = mf("build", "bot:v1", "--dry-run")
    assert (changed.code, changed.err) == (0, "")
    assert "    parameter temperature: 0.5 -> 0.7\n" in changed.out
    edit(project / "Modelfile", "0.7", "0.5")
    assert mf("build", "bot:v1", "--dry-run", "--detailed-exitcode").code == 0
    assert digests(fake) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ("bot:v1", "--detailed-exitcode"),
        ("bot:v1", "--plan", "x", "--dry-run"),
        ("bot:v1", "--keep", "1", "--no-keep"),
        ("-f", "Modelfile"),
        (),
    ],
)
def test_what_does_not_go_together(project: Path, arguments: tuple[str, ...]) -> None:
    assert project.exists()
    assert mf("build", *arguments).code == 2


def test_nothing_to_do_is_found_out_by_three_small_questions(project: Path, fake: FakeOllama) -> None:
    assert project.exists()
    assert mf("build", "bot:v1").code == 0
    since = len(fake.requests)
    again = mf("build", "bot:v1")
    assert (again.code, again.err) == (0, "")
    assert again.out.startswith("Nothing to do: bot:v1 already is mf1:")
    assert asked(fake, since) == {("GET", "/api/tags"), ("GET", "/api/version"), ("HEAD", "/api/blobs")}
    assert len(fake.requests) - since == 3


def test_nothing_to_do_imports_neither_httpx_nor_pydantic(project: Path) -> None:
    assert project.exists()
    assert mf("build", "bot:v1").code == 0
    code = (
        "import sys\nfrom modelfile.__main__ import main\nsys.argv = ['mf', 'build', 'bot:v1']\n"
        "try:\n    main()\nfinally:\n    print(*sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.startswith("Nothing to do")
    heavy = {"httpx", "pydantic", "filelock", "rich", "gguf", "numpy"}
    assert {*ran.stdout.split()} & heavy == set()


def test_weights_that_are_no_file_are_not_waited_for(project: Path) -> None:
    os.mkfifo(project / "pipe")
    edit(project / "Modelfile", "weights.gguf", "pipe")
    ran = mf("build", "bot:v1")
    assert ran.code == 3
    assert "`pipe` is neither a file nor a folder\nhelp: a pipe" in ran.err


def test_a_modelfile_may_be_a_pipe(project: Path, fake: FakeOllama) -> None:
    os.mkfifo(project / "pipe")
    with ThreadPoolExecutor() as pool:
        pool.submit((project / "pipe").write_text, LOCAL)
        assert mf("build", "bot:v1", "-f", "pipe").code == 0
    assert [*fake.models] == ["bot:v1"]


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as pool:
        read = pool.submit(pipe.read_bytes)
        write_atomic(pipe, b"plan")
        assert read.result(timeout=20) == b"plan"
    assert pipe.is_fifo()


def test_a_missing_file_is_told_as_one_on_standard_input_too(project: Path) -> None:
    assert project.exists()
    ran = mf("build", "bot:v1", "-f", "-", stdin=b"# For tests.\nFROM ./missing.gguf\n")
    assert ran.code == 1
    assert ":2:6: error MF207 missing-file: `./missing.gguf` does not exist" in ran.err


def test_a_cache_that_is_lost_or_damaged_is_no_harm(project: Path, fake: FakeOllama) -> None:
    assert mf("build", "bot:v1").code == 0
    before = digests(fake)
    entries = [*(Path(os.environ["XDG_CACHE_HOME"]) / "modelfile" / "models").iterdir()]
    assert len(entries) == 2
    for entry in entries:
        entry.write_text(entry.read_text().replace("sha256:", "sha256:0"))
    damaged = json.loads(mf("build", "bot:v1", "--json").out)
    assert (damaged["built"], damaged["kept"]) == (True, None)  # it is the same again
    for entry in entries:
        entry.unlink()
    assert json.loads(mf("build", "bot:v1", "--json").out)["built"]
    assert digests(fake) == before
    edit(project / "Modelfile", "FROM ./weights.gguf", "FROM bot:v1")
    entries[0].parent.rename(entries[0].parent.with_name("elsewhere"))
    assert json.loads(mf("build", "bot:v1", "--json").out)["built"] is False


def test_a_model_whose_weights_have_gone_is_built_again(project: Path, fake: FakeOllama) -> None:
    assert project.exists()
    assert mf("build", "bot:v1").code == 0
    (weights,) = (digest for digest, blob in fake.blobs.items() if blob.startswith(b"GGUF"))
    del fake.blobs[weights]
    assert mf("build", "bot:v1").code == 0
    assert weights in fake.blobs


def test_a_model_whose_weights_have_gone_is_nobody_elses(project: Path, fake: FakeOllama) -> None:
    assert mf("build", "bot:v1").code == 0
    (weights,) = (digest for digest, blob in fake.blobs.items() if blob.startswith(b"GGUF"))
    del fake.blobs[weights]
    edit(project / "Modelfile", "0.5", "0.7")
    ran = mf("build", "bot:v1", "--no-keep")
    assert (ran.code, "meanwhile" in ran.out) == (0, False), ran
    assert [*fake.models] == ["bot:v1"]


def test_what_a_killed_build_left_is_swept(project: Path, fake: FakeOllama) -> None:
    assert project.exists()
    assert mf("build", "bot:v1").code == 0
    with Client(fake.url) as client:
        client.copy("bot:v1", str(staging_name(NAME)))
        assert "sweep" in mf("build", "bot:v1", "--dry-run").out
        assert mf("build", "bot:v1").out.startswith("Nothing to do")
    assert [*fake.models] == ["bot:v1"]


@contextlib.contextmanager
def store(fake: FakeOllama) -> Iterator[QuickStore]:
    with Client(fake.url) as client:
        yield QuickStore(fake.url, lambda: ServerStore(client))


def test_the_second_of_two_builds_at_once_waits_and_says_so(project: Path, fake: FakeOllama) -> None:
    job = Job(name=NAME, recipe=Recipe(files=(project / "weights.gguf",)))
    heard = []
    with contextlib.ExitStack() as first, store(fake) as place:
        first.enter_context(name_lock(staging_name(NAME).full, place.place, lambda _: None, "build"))

        def events(now: Progress) -> None:
            heard.append(now.status)
            if "waiting for another build of bot:v1" in now.status:  # the first ends, and has made the model
                with Client(fake.url) as client:
                    list(client.create("bot:v1", job.recipe.request(dict.fromkeys(job.recipe.files, digest))))
                first.close()

        digest = fake.store.add((project / "weights.gguf").read_bytes())
        built = build(job, place, events)
    assert any("waiting" in status for status in heard)
    assert built.plan.existing is not None
    assert [*fake.models] == ["bot:v1"]


def test_builds_of_two_names_do_not_wait_for_each_other(project: Path, fake: FakeOllama) -> None:
    assert project.exists()
    with name_lock(staging_name(NAME).full, fake.url, lambda _: None, "build"):
        assert mf("build", "other:v1").code == 0


@pytest.mark.parametrize("where", ["POST /api/blobs", "/api/create"])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_an_end_in_the_middle(project: Path, fake: FakeOllama, where: str, how: signal.Signals) -> None:
    (project / "old.Modelfile").write_text(LOCAL.replace("0.5", "0.1"))
    if where == "/api/create":
        assert mf("build", "bot:v1", "-f", "old.Modelfile").code == 0
    before = digests(fake)
    fake.fault(where, Slow(60))
    command = [sys.executable, "-m", "modelfile", "build", "bot:v1", "--no-keep"]
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
        assert "error: interrupted\nhelp: every model is as it was or as asked; run the command again" in ended.err
    assert digests(fake) == before
    again = mf("build", "bot:v1", "--no-keep")
    assert again.code == 0, again
    assert [*fake.models] == ["bot:v1"]


def test_a_build_elsewhere_at_the_same_moment_is_noticed(
    project: Path, fake: FakeOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert project.exists()
    monkeypatch.setattr(ServerStore, "copy", lambda *_: None)
    ran = mf("build", "bot:v1")
    assert ran.code == 3
    assert f"bot:v1 on {fake.url} is not what {staging_name(NAME)} was when it was copied" in ran.err
    assert not fake.models


def test_a_difference_is_told_with_what_the_version_has_to_do_with_it(project: Path) -> None:
    edit(project / "Modelfile", "PARAMETER", "RENDERER qwen3\nREQUIRES 0.20.0\nPARAMETER")
    with FakeOllama(allow={"renderer", "requires"}) as old:
        ran = mf("build", "bot:v1", "--host", old.url)
        assert not old.models
    assert ran.code == 3
    assert "  renderer: asked qwen3, made none (RENDERER came with Ollama " in ran.err
    assert "  requires: asked 0.20.0, made none (REQUIRES came with Ollama 0.14.0, this is 0.9.3)" in ran.err


@pytest.mark.parametrize(
    ("version", "name", "why"),
    [
        ("0.9.3", "draft_num_predict", "`draft_num_predict` came with Ollama "),
        ("0.9.3", "temperature", "asked 0.5, made none\nhelp"),
    ],
)
def test_a_parameter_that_is_lost(project: Path, version: str, name: str, why: str) -> None:
    edit(project / "Modelfile", "temperature 0.5", f"{name} {'3' if name != 'temperature' else '0.5'}")
    with FakeOllama(version) as old:
        old.fault("/api/create", DropParameter(name))
        ran = mf("build", "bot:v1", "--host", old.url)
    assert ran.code == 3
    assert why in ran.err


def test_weights_that_the_server_rewrites(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeOllama("0.33.0") as new:
        monkeypatch.setenv("OLLAMA_HOST", new.url)
        made = json.loads(mf("build", "bot:v1", "--json").out)
        (sent,), (built,) = made["rewritten"]["sent"], made["rewritten"]["made"]
        assert sent != built
        assert {sent, built} <= new.blobs.keys()
        assert mf("build", "bot:v1").out == f"Nothing to do: bot:v1 already is {made['fingerprint']}\n"
        assert mf("build", "bot:v2").out.splitlines()[3:] == [
            f"  weights      {sent[:19]}… was sent",
            f"               {built[:19]}… is what Ollama 0.33.0 made of it",
        ]
        assert mf("pin").code == 0
        lock = json.loads((project / "mf.lock").read_text())
        assert lock["version"] == "1.1"
        assert lock["modelfiles"]["Modelfile"]["built"] == [built]
        shutil.rmtree(os.environ["XDG_CACHE_HOME"])  # by the lock alone
        assert json.loads(mf("build", "bot:v1", "--json").out)["built"] is False
        lock["modelfiles"]["Modelfile"]["fingerprint"] = f"mf1:{'0' * 64}"
        (project / "mf.lock").write_text(json.dumps(lock))
        other = mf("build", "bot:v1")
        assert other.code == 3
        assert "what a build of bot:v1 gives is not what was pinned" in other.err


def test_another_version_than_the_pinned_one_may_make_something_else(project: Path) -> None:
    assert mf("pin").code == 0
    assert json.loads((project / "mf.lock").read_text())["version"] == "1.0"
    with FakeOllama("0.33.0") as new:
        ran = mf("build", "bot:v1", "--host", new.url)
    assert ran.code == 0
    assert "warning: Ollama 0.33.0 makes something else of these weights than the 0.9.3 of mf.lock" in ran.err


@pytest.mark.parametrize(
    ("configured", "arguments", "kept"),
    [("", (), 3), ("keep = 1\n", (), 1), ("keep = 1\n", ("--keep", "2"), 2), ("", ("--no-keep",), 0)],
)
def test_what_the_tag_held_is_kept(
    project: Path, fake: FakeOllama, configured: str, arguments: tuple[str, ...], kept: int
) -> None:
    (project / "mf.toml").write_text(configured)
    for number in range(5):
        (project / "Modelfile").write_text(f"{LOCAL}PARAMETER seed {number}\n")
        assert mf("build", "bot:v1", *arguments).code == 0
    assert len(fake.models) == 1 + kept


def test_a_base_that_is_pulled_is_planned_again(project: Path, fake: FakeOllama) -> None:
    fake.registry["team/base:v1"] = published(b"GGUF", system="You are terse.")
    (project / "Modelfile").write_text("# For tests.\nFROM team/base:v1\nPARAMETER seed 1\n")
    ran = mf("build", "bot:v1")
    assert ran.code == 0, ran
    assert "  pull         team/base:v1\n" in ran.err
    assert mf("build", "bot:v1").out.startswith("Nothing to do")


def test_a_build_that_ended_a_moment_ago_is_seen(
    project: Path, fake: FakeOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(project / "Modelfile", "PARAMETER", "LICENSE MIT\nPARAMETER")
    other = project / "other.Modelfile"
    other.write_text((project / "Modelfile").read_text().replace("MIT", "another"))
    real = name_lock

    @contextlib.contextmanager
    def late(*arguments: Any) -> Iterator[None]:
        monkeypatch.setattr("modelfile.builder.execute.name_lock", real)
        assert mf("build", "bot:v1", "-f", "other.Modelfile").code == 0
        with real(*arguments):
            yield

    monkeypatch.setattr("modelfile.builder.execute.name_lock", late)
    ran = mf("build", "bot:v1")
    assert ran.code == 0, ran
    assert "  keep         what bot:v1 holds" in ran.err
    assert len(fake.models) == 2


def test_a_base_that_is_quantized_already_is_told_before_anything_is_sent(
    project: Path, fake: FakeOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert mf("build", "base:v1").code == 0
    (project / "Modelfile").write_text("# For tests.\nFROM base:v1\n")
    level = "F16"

    def levelled(*arguments: Any, **named: Any) -> dict[str, Any]:
        return shown(*arguments, **named) | {"details": {"quantization_level": level}}

    monkeypatch.setattr("tests.fakes.store.shown", levelled)
    assert mf("build", "bot:v1", "--quantize", "q8_0", "--dry-run").code == 0
    level = "Q4_K_M"
    since = len(fake.requests)
    ran = mf("build", "bot:v1", "--quantize", "q8_0")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        "error: the base base:v1 cannot be quantized: its weights are Q4_K_M\nhelp: Ollama 0.9.3 quantizes F16, F32\n"
    )
    assert asked(fake, since) == {("GET", "/api/tags"), ("GET", "/api/version"), ("POST", "/api/show")}
