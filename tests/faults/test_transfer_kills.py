"""Pulls into a folder and pushes from it that are killed or interrupted before each change of a file or request."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fakes.registry import FakeRegistry
from tests.fakes.store import published
from tests.support.cli import mf
from tests.support.killing import run

from modelfile.cli.options import _open_registries

_BLOB = re.compile(r"sha256-[0-9a-f]{64}")
_LEFT = re.compile(r"mf-[0-9]+-[0-9a-f]{16}|sha256-[0-9a-f]{64}-partial(-[0-9]+)?")
"""Files that a killed command may leave: temporary ones, and partial downloads."""


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as fake:
        fake.push("team/bot", "main", published(b"GGUF" + bytes(300_000), system="hello"))
        yield fake


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "project" / ".git").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("MF_STORE", str(tmp_path / "models"))
    return tmp_path / "models"


def contents(models: Path) -> dict[str, bytes]:
    """Return the files of a store; each file that has the name of a blob is one."""
    found = {str(path.relative_to(models)): path.read_bytes() for path in models.rglob("*") if path.is_file()}
    for path, content in found.items():
        name = path.rpartition("/")[2]
        if _BLOB.fullmatch(name):
            assert name == f"sha256-{hashlib.sha256(content).hexdigest()}"
        else:
            assert path.startswith("manifests/") or _LEFT.fullmatch(name), path
    return found


def changes_of(*command: str) -> int:
    """Return how often an undisturbed command changes a file or speaks to a server."""
    ran = run(command, signal.SIGINT, 0, Path())
    assert ran.returncode == 0, ran
    return int(ran.stderr.splitlines()[-1].split()[0])


def steps(count: int, rounds: int) -> range:
    """Return the steps to try: all, or a sixth of them in a plain run, others in each process of the machine."""
    return range(1 + os.getpid() % 6, count + 1, 6) if rounds == 1 else range(1, count + 1)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_pull(how: signal.Signals, fake: FakeRegistry, models: Path, rounds: int) -> None:
    command = ("pull", f"{fake.host}/team/bot:main")
    count = changes_of(*command)
    whole = contents(models)
    assert count > 20
    for step in steps(count, rounds):
        shutil.rmtree(models)
        ran = run(command, how, step, Path())
        assert ran.returncode in ((0, 130) if how is signal.SIGINT else (0, -how)), (step, ran)
        assert "Traceback" not in ran.stderr, (step, ran)
        found = contents(models) if models.exists() else {}
        if any(path.startswith("manifests/") for path in found):
            assert {*whole} <= {*found}, "a manifest is the last file"
        assert mf(*command, open_registry=_open_registries).code == 0
        assert contents(models) == whole, step


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_push(how: signal.Signals, fake: FakeRegistry, models: Path, rounds: int) -> None:
    name = f"{fake.host}/team/bot:main"
    assert mf("pull", name, open_registry=_open_registries).code == 0
    before = contents(models)
    original = fake.tags["team/bot"]["main"]
    del fake.tags["team/bot"], fake.blobs["team/bot"]
    count = changes_of("push", name)
    pushed = fake.tags["team/bot"]["main"]
    assert original
    for step in steps(count, rounds):
        fake.tags.clear()
        fake.blobs.clear()
        ran = run(("push", name), how, step, Path())
        assert ran.returncode in ((0, 130) if how is signal.SIGINT else (0, -how)), (step, ran)
        assert fake.tags.get("team/bot", {}).get("main") in (None, pushed)
        assert mf("push", name, open_registry=_open_registries).code == 0
        assert fake.tags["team/bot"]["main"] == pushed
        assert contents(models) == before
    fake.violations.clear()  # connections that broke off


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_build_on_a_moved_base(how: signal.Signals, fake: FakeRegistry, models: Path, tiny: Path, rounds: int) -> None:
    name = f"{fake.host}/team/base:main"
    fake.push("team/base", "main", published(tiny.read_bytes(), system="old"))
    Path("Modelfile").write_text(f"# A bot.\nFROM {name}\nPARAMETER top_k 7\n")
    assert mf("pin", open_registry=_open_registries).code == 0
    fake.push("team/base", "main", published(tiny.read_bytes(), system="new"))
    command = ("build", "bot:main", "--locked")
    count = changes_of(*command)
    whole = contents(models)
    for step in steps(count, rounds):
        shutil.rmtree(models)
        ran = run(command, how, step, Path())
        assert ran.returncode in ((0, 130) if how is signal.SIGINT else (0, -how)), (step, ran)
        assert "Traceback" not in ran.stderr, (step, ran)
        if models.exists():
            contents(models)
        assert mf(*command, open_registry=_open_registries).code == 0
        assert contents(models) == whole, step
