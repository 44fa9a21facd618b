"""`mf build` with and without its cache: models that are up to date, rebuilt, or lost by the server."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.fakes.ollama import FakeOllama
from tests.support.building import asked, digests, edit
from tests.support.cli import mf


def test_a_build_with_nothing_to_do_sends_two_requests(project: Path, fake: FakeOllama) -> None:
    assert project.exists()
    assert mf("build", "bot:v1").code == 0
    since = len(fake.requests)
    again = mf("build", "bot:v1")
    assert (again.code, again.err) == (0, "")
    assert again.out.startswith("bot:v1 is up to date: mf1:")
    assert asked(fake, since) == {("GET", "/api/tags"), ("GET", "/api/version")}
    assert len(fake.requests) - since == 2


def test_a_build_with_nothing_to_do_imports_neither_httpx_nor_pydantic(project: Path) -> None:
    assert project.exists()
    assert mf("build", "bot:v1").code == 0
    code = "import sys\nfrom modelfile.__main__ import main\ntry:\n    main()\nfinally:\n    print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code, "build", "bot:v1"], capture_output=True, text=True, check=True)
    assert ran.stdout.startswith("bot:v1 is up to date: ")
    heavy = {"httpx", "pydantic", "filelock", "rich", "gguf", "numpy"}
    assert {*ran.stdout.split()} & heavy == set()


def rebuild(fake: FakeOllama) -> tuple[bool, dict[str, str]]:
    """Build again without a change; return whether the server had to create the model, and its models then."""
    since = len(fake.requests)
    ran = mf("build", "bot:v1", "--json")
    assert ran.code == 0, ran
    result = json.loads(ran.out)
    created = ("POST", "/api/create") in asked(fake, since)
    assert (result["built"], result["backup"]) == (created, None)
    return created, digests(fake)


def test_a_model_is_rebuilt_unchanged_after_the_cache_is_lost_or_damaged(project: Path, fake: FakeOllama) -> None:
    assert project.exists()
    assert mf("build", "bot:v1").code == 0
    before = digests(fake)
    entries = [*(Path(os.environ["XDG_CACHE_HOME"]) / "modelfile" / "models").iterdir()]
    assert len(entries) == 2
    for entry in entries:
        entry.write_text(entry.read_text().replace("sha256:", "sha256:0"))
    assert rebuild(fake) == (True, before)
    for entry in entries:
        entry.unlink()
    assert rebuild(fake) == (True, before)
    entries[0].parent.rename(entries[0].parent.with_name("elsewhere"))
    assert rebuild(fake) == (True, before)


def test_no_cache_neither_reads_nor_writes_it(project: Path, fake: FakeOllama, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelfile.weights.digests._RACY", 0)
    os.utime(project / "weights.gguf", (1, 1))
    cache = Path(os.environ["XDG_CACHE_HOME"]) / "modelfile"
    assert mf("build", "bot:v1", "--no-cache").code == 0
    assert {path.name for path in cache.iterdir()} == {"locks"}
    assert mf("build", "bot:v1").code == 0
    assert {path.name for path in cache.iterdir()} == {"built", "digests", "locks", "models"}
    since = len(fake.requests)
    assert mf("build", "bot:v1", "--no-cache").code == 0
    assert ("POST", "/api/create") in asked(fake, since)


def test_a_model_may_be_from_its_own_name(project: Path, fake: FakeOllama) -> None:
    assert mf("build", "bot:v1").code == 0
    before = digests(fake)
    edit(project / "Modelfile", "FROM ./weights.gguf", "FROM bot:v1")
    shutil.rmtree(os.environ["XDG_CACHE_HOME"])
    assert rebuild(fake) == (False, before)
    edit(project / "Modelfile", "0.5", "0.7")
    changed = mf("build", "bot:v1", "--keep", "0")
    assert changed.code == 0, changed
    assert [*fake.models] == ["bot:v1"]
    assert digests(fake) != before
    assert mf("build", "bot:v1").out.startswith("bot:v1 is up to date: ")


def lose_weights(fake: FakeOllama) -> str:
    """Delete the only weights from the server's disk, and return their digest."""
    (weights,) = (digest for digest, blob in fake.blobs.items() if blob.startswith(b"GGUF"))
    del fake.blobs[weights]
    return weights


def test_a_model_that_the_server_cannot_read_is_rebuilt(project: Path, fake: FakeOllama) -> None:
    assert project.exists()
    assert mf("build", "bot:v1").code == 0
    weights = lose_weights(fake)
    shutil.rmtree(os.environ["XDG_CACHE_HOME"])  # a model in the cache is not requested
    ran = mf("build", "bot:v1")
    assert ran.code == 0, ran
    assert weights in fake.blobs
    assert [*fake.models] == ["bot:v1"]


@pytest.mark.parametrize("cached", [True, False])
def test_a_changed_model_replaces_one_whose_weights_are_lost(project: Path, fake: FakeOllama, *, cached: bool) -> None:
    assert mf("build", "bot:v1").code == 0
    weights = lose_weights(fake)
    if not cached:
        shutil.rmtree(os.environ["XDG_CACHE_HOME"])
    edit(project / "Modelfile", "0.5", "0.7")
    ran = mf("build", "bot:v1", "--keep", "0")
    assert (ran.code, "concurrent" in ran.out) == (0, False), ran
    assert weights in fake.blobs
    assert [*fake.models] == ["bot:v1"]
