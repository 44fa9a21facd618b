"""Builds in a folder on bases whose tags have moved: they are downloaded by the digests in the lock."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fakes.hostile import reply
from tests.fakes.registry import FakeRegistry
from tests.fakes.store import published
from tests.support.cli import Ran, mf

from modelfile.cli.options import _open_registries
from modelfile.errors import ExitCode


@pytest.fixture
def fake(tiny: Path) -> Iterator[FakeRegistry]:
    with FakeRegistry() as fake:
        fake.push("team/base", "main", published(tiny.read_bytes(), system="old"))
        yield fake


@pytest.fixture
def base(fake: FakeRegistry, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the name of the base, which is pinned and has moved since."""
    (tmp_path / "project" / ".git").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("MF_STORE", str(tmp_path / "models"))
    name = f"{fake.host}/team/base:main"
    Path("Modelfile").write_text(f"# A bot.\nFROM {name}\nPARAMETER top_k 7\n")
    assert run("pin").code == ExitCode.CLEAN
    fake.push("team/base", "main", published(tiny.read_bytes(), system="new"))
    return name


def run(*arguments: str) -> Ran:
    return mf(*arguments, open_registry=_open_registries)


def test_moved_base_is_downloaded_by_its_digests(base: str, fake: FakeRegistry) -> None:
    shown = run("build", "bot:main", "--locked", "--dry-run")
    assert shown.code == ExitCode.CLEAN, shown
    step = rf"fetch +{base} as it was pinned, [\d.]+ kB, by its digests, as \S+base:sha256-[0-9a-f]{{12}}"
    assert re.search(step, shown.out), shown.out
    plan = json.loads(run("build", "bot:main", "--locked", "--dry-run", "--json").out)
    assert [step["do"] for step in plan["steps"]] == ["fetch", "create", "publish"]
    lock = json.loads(Path("mf.lock").read_text())["modelfiles"]["Modelfile"]
    assert plan["steps"][0] == {
        "do": "fetch",
        "name": base,
        "alias": f"{base.removesuffix('main')}{lock['base']['digest'].replace(':', '-')}",
        "manifest": lock["base"]["digest"],
        "replaced": None,
    }
    built = json.loads(run("build", "bot:main", "--locked", "--json").out)
    assert built["fingerprint"] == lock["fingerprint"]
    assert json.loads(run("show", "bot:main", "--json").out)["system"] == "old"
    assert run("build", "bot:main", "--locked").out.count("nothing to do") <= 1
    assert base not in [model["name"] for model in json.loads(run("ls", "--json").out)]
    assert [asked for asked in fake.requests if asked.method not in ("GET", "HEAD")] == []


def test_plan_is_done_as_it_was_written(base: str) -> None:
    assert base
    assert run("build", "bot:main", "--locked", "--plan-out", "plan.json").code == ExitCode.CLEAN
    ran = run("build", "--plan", "plan.json")
    assert ran.code == ExitCode.CLEAN, ran
    assert json.loads(run("show", "bot:main", "--json").out)["system"] == "old"


def test_base_that_is_gone_from_the_registry_is_lost(base: str, fake: FakeRegistry) -> None:
    fake.blobs["team/base"] = {
        digest: content for digest, content in fake.blobs["team/base"].items() if content != b"old"
    }
    ran = run("build", "bot:main", "--locked")
    assert ran.code == ExitCode.FAILED
    assert ran.err.startswith(f"error: the locked base {base} (mf1:")
    assert "has another model under this tag now" in ran.err
    assert "missing: system" in ran.err


def test_registry_that_fails_while_it_is_asked_for_the_layers(base: str, fake: FakeRegistry) -> None:
    fake.fault("/blobs/", reply("", "403 Forbidden"), method="HEAD")
    ran = run("build", "bot:main", "--locked")
    assert ran.code == ExitCode.FAILED
    assert ran.err.startswith(f"error: the locked base {base} (mf1:")
    assert run("build", "bot:main", "--locked").code == ExitCode.CLEAN
