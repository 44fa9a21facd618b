"""A project, the server it is built on, and whether trouble has left anything of itself."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
from tests.fakes.ollama import FakeOllama
from tests.support.cli import Ran, mf

from modelfile.stores.staging import STAGING

NAME = "bot:v1"
MODELFILE = "# For tests.\nFROM ./weights.gguf\nPARAMETER temperature 0.5\nSYSTEM hello\n"
OLDER = "# For tests.\nFROM ./older.gguf\nPARAMETER temperature 0.1\n"

_CACHED = re.compile(r"(?:digests|models)/[0-9a-f]{64}|locks/[0-9a-f]{64}\.lock|modelfile-\w+-\d+\.lark")


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A Modelfile of which `bot:v1` is to be made on `fake`, where another model may bear that name."""

    folder: Path
    fake: FakeOllama
    files: dict[Path, bytes] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)
    blobs: set[str] = field(default_factory=set)

    @classmethod
    def new(cls, folder: Path, fake: FakeOllama, monkeypatch: pytest.MonkeyPatch, *, held: bool = False) -> Project:
        """Make it, and the model that bears the name already if there is to be one."""
        (folder / ".git").mkdir(parents=True)
        (folder / "weights.gguf").write_bytes(b"GGUF" + bytes(2 << 20))
        (folder / "older.gguf").write_bytes(b"GGUF" + bytes(60) + b"older")
        (folder / "Modelfile").write_text(MODELFILE)
        (folder / "older.Modelfile").write_text(OLDER)
        temporary = folder.with_name(f"{folder.name}-tmp")
        temporary.mkdir()
        monkeypatch.setenv("TMPDIR", str(temporary))
        monkeypatch.setattr(tempfile, "tempdir", None)
        monkeypatch.setenv("OLLAMA_HOST", fake.url)
        monkeypatch.chdir(folder)
        if held:
            assert mf("build", NAME, "--file", "older.Modelfile").code == 0
        return cls(folder=folder, fake=fake, files=_contents(folder), models=digests(fake), blobs={*fake.blobs})

    def build(self, *arguments: str) -> Ran:
        """`mf build`."""
        return mf("build", NAME, *arguments)

    @contextlib.contextmanager
    def start(self, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
        """`mf build`, or `mf` with these arguments, in a process that does not outlive the context."""
        with subprocess.Popen(
            [sys.executable, "-m", "modelfile", *(arguments or ("build", NAME))],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | environment,
        ) as running:
            try:
                yield running
            finally:
                running.kill()

    def is_as_before(self) -> None:
        """Nothing is made, and nothing is lost; weights may have arrived, which the next build need not send again."""
        assert digests(self.fake) == self.models
        assert self.blobs <= self.fake.blobs.keys()
        assert sum(not self.fake.blobs[digest].startswith(b"GGUF") for digest in {*self.fake.blobs} - self.blobs) == 0
        self.is_tidy()

    def is_as_before_or_as_asked(self) -> None:
        """The name holds what it held or what was asked for; of what it held there may be another copy."""
        now = {name: digest for name, digest in digests(self.fake).items() if STAGING not in name}
        held = now.pop(NAME, None)
        assert held in (self.models.get(NAME), *undisturbed(self).values())
        assert {*now.values()} <= {*self.models.values()}
        self.is_tidy()

    def is_tidy(self) -> None:
        """No file is changed, and none is anywhere that was not there but for what is cached."""
        assert _contents(self.folder) == self.files
        assert not [*Path(os.environ["TMPDIR"]).iterdir()]
        cache = Path(os.environ["XDG_CACHE_HOME"]) / "modelfile"
        cached = [str(path.relative_to(cache)) for path in cache.rglob("*") if path.is_file()]
        assert [path for path in cached if not _CACHED.fullmatch(path)] == []

    def goes_on(self) -> None:
        """The next build makes what was asked, and leaves what a build that nothing disturbed would."""
        self.fake.mend()
        again = self.build()
        assert again.code == 0, again
        assert digests(self.fake) == undisturbed(self)
        self.is_tidy()


def undisturbed(project: Project) -> dict[str, str]:
    """What a server has after a build that nothing disturbed."""
    return _undisturbed(held=bool(project.models))


@cache
def _undisturbed(*, held: bool) -> dict[str, str]:
    with FakeOllama() as other:
        if held:
            assert mf("build", NAME, "--file", "older.Modelfile", "--host", other.url).code == 0
        assert mf("build", NAME, "--host", other.url).code == 0
        return digests(other)


def digests(fake: FakeOllama) -> dict[str, str]:
    """What the server's names hold."""
    with fake.lock:
        return {name: model.digest for name, model in fake.models.items()}


def scratches(fake: FakeOllama) -> list[str]:
    """The names under which something is being built, or was left."""
    return [name for name in digests(fake) if STAGING in name]


def build_on_machines(count: int, name: str, modelfile: str, caches: Path) -> list[str]:
    """Build different models of one name at once, each as if on a machine of its own; return what each has made."""

    def start(seed: int) -> subprocess.Popen[str]:
        Path(f"{seed}.Modelfile").write_text(f"{modelfile}PARAMETER seed {seed}\n")
        command = [sys.executable, "-m", "modelfile", "build", name, "--keep", "9", "--json", "-f", f"{seed}.Modelfile"]
        environment = os.environ | {"XDG_CACHE_HOME": str(caches / f"machine-{seed}")}
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)

    made = []
    for running in [start(seed) for seed in range(count)]:
        with running:
            out, err = running.communicate(timeout=60)
        assert running.returncode == 0, err
        made.append(json.loads(out)["digest"].removeprefix("sha256:"))
    return made


def end(running: subprocess.Popen[str], how: signal.Signals) -> Ran:
    """Send a signal, and see what was said.

    One that comes in the microsecond before Python waits for the network is noticed when that is over, or at the next:
    so it is sent again, as people do.
    """
    running.send_signal(how)
    try:
        out, err = running.communicate(timeout=8)
    except subprocess.TimeoutExpired:
        running.send_signal(how)
        out, err = running.communicate(timeout=20)
    return Ran(running.returncode, out, err)


def _contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
